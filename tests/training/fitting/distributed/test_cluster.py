"""The instances of a run: read from what SageMaker writes, and checked."""

import json
from pathlib import Path

import pytest

from contract.errors import TrainingError
from training.fitting.distributed.cluster import SINGLE_INSTANCE, Cluster, read_cluster

HOSTS = ("algo-1", "algo-2", "algo-3")


def test_outside_sagemaker_a_run_has_one_instance_which_leads(tmp_path: Path) -> None:
    cluster = read_cluster({}, tmp_path / "absent.json")
    assert cluster == SINGLE_INSTANCE
    assert cluster.is_leader


def test_all_instances_agree_on_the_order_and_the_coordinator(tmp_path: Path) -> None:
    environments = [
        {"SM_HOSTS": json.dumps(hosts), "SM_CURRENT_HOST": host}
        for host, hosts in zip(HOSTS, (HOSTS, HOSTS[::-1], ("algo-2", "algo-1", "algo-3")), strict=True)
    ]
    clusters = [read_cluster(environment, tmp_path / "absent.json") for environment in environments]
    assert [cluster.index for cluster in clusters] == [0, 1, 2]
    assert [cluster.is_leader for cluster in clusters] == [True, False, False]
    assert {cluster.hosts for cluster in clusters} == {HOSTS}
    assert {cluster.coordinator for cluster in clusters} == {"algo-1:12321"}


def test_without_sagemakers_variables_its_file_is_read(tmp_path: Path) -> None:
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
        ({"SM_HOSTS": '["algo-1", "algo-2"]', "SM_CURRENT_HOST": "algo-3"}, "but not this one, algo-3"),
        ({"SM_HOSTS": '["algo-1", "algo-2"]'}, "but not this one, None"),
    ],
)
def test_variables_without_a_cluster_are_refused(environment: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"^SM_HOSTS .*{sentence}"):
        read_cluster(environment, tmp_path / "absent.json")


def test_a_file_without_a_cluster_is_refused_by_its_name(tmp_path: Path) -> None:
    config = tmp_path / "resourceconfig.json"
    for text in ("[]", "{}", "half a fi"):
        config.write_text(text)
        with pytest.raises(TrainingError, match=r"^/.*resourceconfig\.json must"):
            read_cluster({}, config)
