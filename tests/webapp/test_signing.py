"""Calls are signed for API Gateway, as AWS describes Signature Version 4."""

import hashlib
import hmac
import re

import pytest

from contract.api import Prediction
from tests.webapp.conftest import Asked, LoopbackApi, MakePicture
from webapp.classify_client import ClassifyClient
from webapp.errors import ClassifyError, SettingsError
from webapp.signing import Signer

KEY_ID, SECRET, TOKEN, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session", "eu-central-1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of a role, as a container has them, and no other AWS settings of this machine."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)


def expected_signature(asked: Asked, signed_headers: str) -> str:
    """Compute the signature of a request as in "Create a signed AWS API request" in the IAM User Guide."""
    path, _, query = asked.path.partition("?")
    names = signed_headers.split(";")
    canonical_headers = "".join(f"{name}:{asked.headers[name].strip()}\n" for name in names)
    payload_hash = hashlib.sha256(asked.body).hexdigest()
    canonical = "\n".join([asked.method, path, query, canonical_headers, signed_headers, payload_hash])
    stamp = asked.headers["x-amz-date"]
    scope = f"{stamp[:8]}/{REGION}/execute-api/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def test_a_call_has_the_signature_that_aws_would_compute(api: LoopbackApi, picture: MakePicture) -> None:
    ClassifyClient(api.url, "iam", timeout_s=2).predict(picture())
    (asked,) = api.asked
    authorization = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        asked.headers["authorization"],
    )
    assert authorization
    credential, signed_headers, signature = authorization.groups()
    assert credential == f"{KEY_ID}/{asked.headers['x-amz-date'][:8]}/{REGION}/execute-api/aws4_request"
    assert {"host", "content-type", "x-amz-date", "x-amz-security-token"} <= set(signed_headers.split(";"))
    assert asked.headers["x-amz-security-token"] == TOKEN
    assert signature == expected_signature(asked, signed_headers)


def test_the_region_is_that_of_the_api_and_not_of_the_container() -> None:
    url = "https://a1b2c3.execute-api.us-west-2.amazonaws.com"
    signed = Signer(url).sign("GET", f"{url}/v1/health", {}, b"")
    assert "/us-west-2/execute-api/aws4_request" in signed["Authorization"]


def test_without_a_region_the_page_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SettingsError, match="region"):
        ClassifyClient("https://lesions.example.org", "iam", timeout_s=2)


def test_without_credentials_nothing_is_sent(
    api: LoopbackApi, picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ClassifyError) as refused:
        ClassifyClient(api.url, "iam", timeout_s=2).predict(picture())
    assert refused.value.status == 502
    assert "credentials" not in str(refused.value)  # that is for the log, not for visitors
    assert api.asked == []


def test_without_iam_nothing_is_signed(api: LoopbackApi, picture: MakePicture) -> None:
    assert isinstance(ClassifyClient(api.url, "none", timeout_s=2).predict(picture()), Prediction)
    assert not {name for name in api.asked[0].headers if name == "authorization" or name.startswith("x-amz")}
