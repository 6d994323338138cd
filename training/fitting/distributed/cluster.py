"""The instances of a run, as SageMaker describes them to each instance. Importing it loads no backend."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.errors import TrainingError

RESOURCE_CONFIG: Final = Path("/opt/ml/input/config/resourceconfig.json")  # SageMaker writes it into each instance
COORDINATOR_PORT: Final = 12321  # on the first host; the instances of one training job can reach each other's ports


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The instances of one run, and the index of this one. Each runs one process, with all of its devices."""

    hosts: tuple[str, ...]  # in the same order on every instance
    index: int  # of this instance
    port: int = COORDINATOR_PORT

    @property
    def is_leader(self) -> bool:
        """Whether this instance is the leader, which writes files and reports. The others only compute."""
        return self.index == 0

    @property
    def coordinator(self) -> str:
        """The address at which the instances connect."""
        return f"{self.hosts[0]}:{self.port}"


SINGLE_INSTANCE: Final = Cluster(hosts=("localhost",), index=0)


def read_cluster(environment: Mapping[str, str], resource_config: Path = RESOURCE_CONFIG) -> Cluster:
    """Read the instances of the run from SM_HOSTS and SM_CURRENT_HOST, or else from SageMaker's file.

    Args:
        environment: of the process; SM_HOSTS is a JSON list of names.
        resource_config: a JSON file with `hosts` and `current_host`; it is missing outside SageMaker.

    Returns:
        the cluster, or SINGLE_INSTANCE without the variables and the file.

    Raises:
        TrainingError: they do not describe a cluster that this instance belongs to.
    """
    if "SM_HOSTS" in environment:
        source = "SM_HOSTS"
        hosts, current = _parse(source, environment["SM_HOSTS"]), environment.get("SM_CURRENT_HOST")
    elif resource_config.is_file():
        source = str(resource_config)
        described = _parse(source, resource_config.read_text(encoding="utf-8"))
        is_object = isinstance(described, dict)
        hosts, current = (described.get("hosts"), described.get("current_host")) if is_object else (None, None)
    else:
        return SINGLE_INSTANCE
    if not isinstance(hosts, list) or not hosts or not all(isinstance(host, str) and host for host in hosts):
        raise TrainingError(f"{source} must list the names of the run's instances, as SageMaker does.")
    if current not in hosts:
        raise TrainingError(f"{source} lists the instances {', '.join(hosts)}, but not this one, {current}.")
    ordered = tuple(sorted(set(hosts)))
    return Cluster(hosts=ordered, index=ordered.index(str(current)))


def _parse(source: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TrainingError(f"{source} must be JSON, as SageMaker writes it, and is {text[:60]!r}.") from error
