"""Who takes part in a run, and how a batch is shared: read, checked and cut here; run for real in the next file."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from contract.errors import TrainingError
from training.fitting.batches import Batches, Examples
from training.fitting.cluster import ALONE, Cluster, read_cluster
from training.fitting.devices import ONE_PROCESSOR, Devices, join
from training.fitting.watch import BalancedAccuracy

HOSTS = ("algo-1", "algo-2", "algo-3")


def test_outside_sagemaker_a_run_is_alone_and_leads(tmp_path: Path) -> None:
    cluster = read_cluster({}, tmp_path / "absent.json")
    assert cluster == ALONE
    assert cluster.leads


def test_all_instances_agree_on_the_order_and_the_coordinator(tmp_path: Path) -> None:
    told = [
        {"SM_HOSTS": json.dumps(hosts), "SM_CURRENT_HOST": host}
        for host, hosts in zip(HOSTS, (HOSTS, HOSTS[::-1], ("algo-2", "algo-1", "algo-3")), strict=True)
    ]
    clusters = [read_cluster(environment, tmp_path / "absent.json") for environment in told]
    assert [cluster.index for cluster in clusters] == [0, 1, 2]
    assert [cluster.leads for cluster in clusters] == [True, False, False]
    assert {cluster.hosts for cluster in clusters} == {HOSTS}
    assert {cluster.coordinator for cluster in clusters} == {"algo-1:12321"}


def test_without_sagemakers_variables_its_file_tells_the_same(tmp_path: Path) -> None:
    config = tmp_path / "resourceconfig.json"
    config.write_text(json.dumps({"current_host": "algo-2", "hosts": HOSTS, "network_interface_name": "eth0"}))
    assert read_cluster({}, config) == Cluster(hosts=HOSTS, index=1)
    environment = {"SM_HOSTS": '["algo-7"]', "SM_CURRENT_HOST": "algo-7"}
    assert read_cluster(environment, config) == Cluster(hosts=("algo-7",), index=0)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SM_HOSTS": "algo-1,algo-2", "SM_CURRENT_HOST": "algo-1"}, "must be JSON"),
        ({"SM_HOSTS": "[]", "SM_CURRENT_HOST": "algo-1"}, "must list the names"),
        ({"SM_HOSTS": '{"algo-1": 1}', "SM_CURRENT_HOST": "algo-1"}, "must list the names"),
        ({"SM_HOSTS": "[1, 2]", "SM_CURRENT_HOST": "1"}, "must list the names"),
        ({"SM_HOSTS": '["algo-1", "algo-2"]', "SM_CURRENT_HOST": "algo-3"}, "algo-3, is not there"),
        ({"SM_HOSTS": '["algo-1", "algo-2"]'}, "None, is not there"),
    ],
)
def test_what_is_no_cluster_is_refused(environment: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"^SM_HOSTS .*{sentence}"):
        read_cluster(environment, tmp_path / "absent.json")


def test_a_file_that_is_no_cluster_is_refused_by_its_name(tmp_path: Path) -> None:
    config = tmp_path / "resourceconfig.json"
    for text in ("[]", "{}", "half a fi"):
        config.write_text(text)
        with pytest.raises(TrainingError, match=r"^/.*resourceconfig\.json must"):
            read_cluster({}, config)


def test_several_instances_on_tensorflow_are_refused_with_what_to_do() -> None:
    with pytest.raises(TrainingError, match="there are 3: set KERAS_BACKEND=jax"), join(Cluster(hosts=HOSTS, index=0)):
        pass


def test_a_run_alone_takes_the_devices_that_there_are() -> None:
    with join() as devices:
        assert devices.names == tuple(keras.distribution.list_devices())


def of_instance(index: int, instances: int = 2, devices: int = 4) -> Devices:
    cluster = Cluster(hosts=HOSTS[:instances], index=index)
    return Devices(cluster, tuple(f"gpu:{number}" for number in range(devices)))


def test_a_batch_that_does_not_divide_is_refused_with_what_to_do() -> None:
    of_instance(0).check_batch(32)
    ONE_PROCESSOR.check_batch(7)
    with pytest.raises(TrainingError, match=r"30 pictures cannot be split evenly over 4 devices: .* multiple of 4"):
        of_instance(0).check_batch(30)


def test_shares_of_a_set_that_does_not_divide_have_one_length_and_hold_every_picture_once() -> None:
    pixels = np.arange(1, 12, dtype=np.uint8).reshape(11, 1, 1, 1)
    examples = Examples([pixels], np.arange(11), np.arange(11) % 7)
    shares = [of_instance(index).share(Batches(examples, 5), pictures=11) for index in range(2)]
    shown = [[share[number] for share in shares] for number in range(3)]
    assert {len(part) for batch in shown for of_one in batch for part in of_one} == {4}  # 8 filled, over two
    inputs, classes, weights = (np.concatenate([of[part] for batch in shown for of in batch]) for part in range(3))
    real = weights > 0
    assert inputs[real].ravel().tolist() == list(range(1, 12))
    assert np.array_equal(classes[real].argmax(axis=1), np.arange(11) % 7)
    assert not classes[~real].any()
    assert weights.mean() == pytest.approx(1)  # so that the mean loss over everything is that over what is real


def test_one_device_is_given_the_batches_themselves() -> None:
    batches = Batches(Examples([np.zeros((3, 1, 1, 1), np.uint8)], np.arange(3), np.zeros(3, int)), 2)
    assert ONE_PROCESSOR.share(batches, pictures=3) is batches


def test_what_fills_a_batch_counts_in_no_class() -> None:
    metric = BalancedAccuracy()
    truth = np.concatenate([np.eye(7)[[5, 4]], np.zeros((2, 7))])
    metric.update_state(truth, np.concatenate([np.eye(7)[[5, 5]], np.eye(7)[[0, 1]]]))
    assert float(keras.ops.convert_to_numpy(metric.result())) == pytest.approx(1 / 2)
