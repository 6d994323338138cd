"""Two promotions at once: one holds the lock, and the other is told by whom and until when."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import boto3
import pytest

from contract.errors import DeploymentError
from operations.registry.lock import KEY, promotion_lock


@contextmanager
def left_behind(bucket: str, by: str, version: str) -> Iterator[None]:
    """Leave a lock as somebody does whose machine was switched off."""
    held = promotion_lock(bucket, by=by, version=version)
    held.__enter__()
    yield


def test_one_holds_it_and_the_other_is_told(bucket: str) -> None:
    with (
        promotion_lock(bucket, by="ann", version="one"),
        pytest.raises(DeploymentError, match=r"ann promotes the model one since \d\d:\d\d:\d\d UTC.*ends by itself at"),
        promotion_lock(bucket, by="bob", version="two"),
    ):
        pass


def test_it_is_free_afterwards_however_the_block_ends(bucket: str) -> None:
    with pytest.raises(KeyboardInterrupt), promotion_lock(bucket, by="ann", version="one"):
        raise KeyboardInterrupt
    with promotion_lock(bucket, by="bob", version="two"):
        pass


def test_who_comes_back_for_the_same_version_takes_it_over(bucket: str) -> None:
    with left_behind(bucket, "ann", "one"), promotion_lock(bucket, by="ann", version="one"):
        pass
    with (
        left_behind(bucket, "ann", "one"),
        pytest.raises(DeploymentError, match="ann promotes the model one"),
        promotion_lock(bucket, by="ann", version="two"),
    ):
        pass


def test_what_was_left_behind_expires(bucket: str) -> None:
    with left_behind(bucket, "ann", "one"), ExitStack() as held:
        held.enter_context(promotion_lock(bucket, by="bob", version="two", expires=timedelta(seconds=-1)))


def test_whoever_lost_it_does_not_free_it_for_its_next_holder(bucket: str) -> None:
    with ExitStack() as bobs:
        with promotion_lock(bucket, by="ann", version="one"):
            bobs.enter_context(promotion_lock(bucket, by="bob", version="two", expires=timedelta(seconds=-1)))
        with (
            pytest.raises(DeploymentError, match="bob promotes the model two"),
            promotion_lock(bucket, by="eve", version="three"),
        ):
            pass


def test_a_bucket_that_is_not_there_is_told(aws_endpoint: str) -> None:
    with (
        pytest.raises(DeploymentError, match="Taking the lock of promotions failed"),
        promotion_lock("no-such-bucket", by="ann", version="one"),
    ):
        pass


def test_it_is_one_object(bucket: str) -> None:
    with promotion_lock(bucket, by="ann", version="one"):
        listed = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [KEY]
