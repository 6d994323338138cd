"""The signer makes the same signatures as botocore."""

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from functions.classify.sigv4 import Credentials, signed_headers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("token", [None, "a/token+of=a role"])
@pytest.mark.parametrize(
    ("method", "url", "content"),
    [
        ("GET", "https://bucket.s3.eu-west-1.amazonaws.com/models/v/model.onnx", None),
        ("GET", "http://127.0.0.1:5000/bucket/a%20b/%C3%A9%2B~%21.jpg", None),
        ("PUT", "https://s3.eu-west-1.amazonaws.com/dotted.bucket/answers/1.json", b'{"pictures": 1}'),
    ],
)
def test_a_request_is_signed_as_botocore_signs_it(
    method: str, url: str, content: bytes | None, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None))
    key_id, secret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG"
    request = AWSRequest(method, url, data=content)
    S3SigV4Auth(BotocoreCredentials(key_id, secret, token), "s3", "eu-west-1").add_auth(request)
    expected = {name.lower(): value for name, value in request.headers.items()}
    ours = signed_headers(
        method, url, content, credentials=Credentials(key_id, secret, token), region="eu-west-1", now_s=NOW.timestamp()
    )
    assert {name: value for name, value in ours.items() if name != "host"} == expected


def test_a_key_id_without_its_secret_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    assert Credentials.from_env() is None
