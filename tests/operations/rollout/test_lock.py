"""Of two promotions at once, one holds the lock, and the other gets an error that names it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import boto3
import pytest

from contract.errors import DeploymentError
from operations.account import Account
from operations.rollout.lock import KEY, promotion_lock


@contextmanager
def abandoned(bucket: str, by: str, version: str) -> Iterator[None]:
    """Take the lock and do not release it, like a process that was killed."""
    lock = promotion_lock(Account(), bucket, by=by, version=version)
    lock.__enter__()
    yield


def test_a_second_promotion_is_refused_and_names_the_holder_of_the_lock(bucket: str) -> None:
    with (
        promotion_lock(Account(), bucket, by="ann", version="one"),
        pytest.raises(
            DeploymentError, match=r"ann has been promoting the model one since \d\d:\d\d:\d\d UTC.*expires at"
        ),
        promotion_lock(Account(), bucket, by="bob", version="two"),
    ):
        pass


def test_the_lock_is_released_after_an_error_too(bucket: str) -> None:
    with pytest.raises(KeyboardInterrupt), promotion_lock(Account(), bucket, by="ann", version="one"):
        raise KeyboardInterrupt
    with promotion_lock(Account(), bucket, by="bob", version="two"):
        pass


def test_the_same_user_takes_over_the_lock_for_the_same_version(bucket: str) -> None:
    with abandoned(bucket, "ann", "one"), promotion_lock(Account(), bucket, by="ann", version="one"):
        pass
    with (
        abandoned(bucket, "ann", "one"),
        pytest.raises(DeploymentError, match="ann has been promoting the model one"),
        promotion_lock(Account(), bucket, by="ann", version="two"),
    ):
        pass


def test_an_abandoned_lock_expires(bucket: str) -> None:
    with abandoned(bucket, "ann", "one"), ExitStack() as stack:
        stack.enter_context(promotion_lock(Account(), bucket, by="bob", version="two", expires=timedelta(seconds=-1)))


def test_a_user_who_lost_the_lock_does_not_release_it_for_its_new_holder(bucket: str) -> None:
    with ExitStack() as bobs_lock:
        with promotion_lock(Account(), bucket, by="ann", version="one"):
            bobs_lock.enter_context(
                promotion_lock(Account(), bucket, by="bob", version="two", expires=timedelta(seconds=-1))
            )
        with (
            pytest.raises(DeploymentError, match="bob has been promoting the model two"),
            promotion_lock(Account(), bucket, by="eve", version="three"),
        ):
            pass


def test_a_missing_bucket_is_an_error(aws_endpoint: str) -> None:
    with (
        pytest.raises(DeploymentError, match="Taking the promotion lock failed"),
        promotion_lock(Account(), "no-such-bucket", by="ann", version="one"),
    ):
        pass


def test_the_lock_is_one_object_in_the_bucket(bucket: str) -> None:
    with promotion_lock(Account(), bucket, by="ann", version="one"):
        listed = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [KEY]
