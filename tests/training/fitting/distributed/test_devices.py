"""The devices of a run, and the shards of a batch: checked and computed in this process, without a run."""

import keras
import numpy as np
import pytest

from contract.errors import TrainingError
from training.fitting.distributed.cluster import Cluster
from training.fitting.distributed.devices import ONE_CPU, Devices, join_cluster
from training.fitting.inputs.batches import Batches, Examples

HOSTS = ("algo-1", "algo-2", "algo-3")


def test_several_instances_on_tensorflow_are_refused_with_advice() -> None:
    cluster = Cluster(hosts=HOSTS, index=0)
    with pytest.raises(TrainingError, match="there are 3: set KERAS_BACKEND=jax"), join_cluster(cluster):
        pass


def test_a_run_on_one_instance_uses_all_its_devices() -> None:
    with join_cluster() as devices:
        assert devices.names == tuple(keras.distribution.list_devices())


def devices_of(index: int, instances: int = 2, devices: int = 4) -> Devices:
    cluster = Cluster(hosts=HOSTS[:instances], index=index)
    return Devices(cluster, tuple(f"gpu:{number}" for number in range(devices)))


def test_a_batch_that_does_not_divide_is_refused_with_advice() -> None:
    devices_of(0).check_batch(32)
    ONE_CPU.check_batch(7)
    with pytest.raises(TrainingError, match=r"30 pictures cannot be split evenly over 4 devices: .* multiple of 4"):
        devices_of(0).check_batch(30)


def test_shards_of_a_set_that_does_not_divide_have_one_length_and_contain_every_picture_once() -> None:
    pixels = np.arange(1, 12, dtype=np.uint8).reshape(11, 1, 1, 1)
    examples = Examples([pixels], np.arange(11), np.arange(11) % 7)
    shards = [devices_of(index).shard_batches(Batches(examples, 5), pictures=11) for index in range(2)]
    seen = [shard[number] for number in range(3) for shard in shards]
    assert {len(part) for batch in seen for part in batch} == {4}  # 5 padded to 8, over two instances
    inputs, classes, weights = (np.concatenate([batch[part] for batch in seen]) for part in range(3))
    real = weights > 0
    assert inputs[real].ravel().tolist() == list(range(1, 12))
    assert np.array_equal(classes[real].argmax(axis=1), np.arange(11) % 7)
    assert not classes[~real].any()
    assert weights.mean() == pytest.approx(1)  # so the mean loss with padding is that of the pictures


def test_one_device_gets_the_batches_themselves() -> None:
    batches = Batches(Examples([np.zeros((3, 1, 1, 1), np.uint8)], np.arange(3), np.zeros(3, int)), 2)
    assert ONE_CPU.shard_batches(batches, pictures=3) is batches
