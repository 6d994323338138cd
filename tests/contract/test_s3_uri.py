"""An S3 URI is parsed and formatted."""

import pytest

from contract.errors import InvalidUriError
from contract.s3_uri import S3Uri


@pytest.mark.parametrize(
    ("text", "bucket", "key", "prefix"),
    [
        ("s3://models", "models", "", ""),
        ("s3://models/", "models", "", ""),
        ("s3://models/ham10000", "models", "ham10000", "ham10000/"),
        ("s3://models/ham10000/", "models", "ham10000/", "ham10000/"),
        ("s3://my.bucket-1/a/b#c?d e.jpg", "my.bucket-1", "a/b#c?d e.jpg", "a/b#c?d e.jpg/"),
    ],
)
def test_a_uri_is_a_bucket_and_a_key(text: str, bucket: str, key: str, prefix: str) -> None:
    uri = S3Uri.parse(text)
    assert (uri.bucket, uri.key, uri.prefix) == (bucket, key, prefix)
    assert S3Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text", ["", "s3:", "s3://", "s3:///key", "s3://A", "s3://ab", "s3://a_b_c/k", "https://models/x", "data/ham10000",
             "S3://models/x", "s3://user@models/x", "s3://models:80/x", " s3://models"],
)  # fmt: skip
def test_text_that_is_not_an_s3_uri_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidUriError, match="is not an S3 URI: write it as in s3://bucket/folder"):
        S3Uri.parse(text)
