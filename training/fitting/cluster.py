"""The instances of one run, as SageMaker tells each of them who takes part. Light: loading it loads no backend."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.errors import TrainingError

RESOURCE_CONFIG: Final = Path("/opt/ml/input/config/resourceconfig.json")  # written by SageMaker into each instance
COORDINATOR_PORT: Final = 12321  # on the first host; between the instances of one training job all ports are open


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The instances of one run, and which of them this is: one process on each, with all of its devices."""

    hosts: tuple[str, ...]  # in the same order everywhere
    index: int  # of this one
    port: int = COORDINATOR_PORT

    @property
    def leads(self) -> bool:
        """Whether this is the instance that writes and speaks; the others only compute."""
        return self.index == 0

    @property
    def coordinator(self) -> str:
        """The address at which the instances find each other."""
        return f"{self.hosts[0]}:{self.port}"


ALONE: Final = Cluster(hosts=("localhost",), index=0)


def read_cluster(environment: Mapping[str, str], resource_config: Path = RESOURCE_CONFIG) -> Cluster:
    """Read who takes part, as SageMaker tells it: from SM_HOSTS and SM_CURRENT_HOST, or else from its file.

    Args:
        environment: the process's; SM_HOSTS is a JSON list of names.
        resource_config: a JSON file with `hosts` and `current_host`; outside SageMaker there is none.

    Returns:
        the cluster, or `ALONE` where nothing is told.

    Raises:
        TrainingError: what is told is no cluster with this instance in it.
    """
    if "SM_HOSTS" in environment:
        source = "SM_HOSTS"
        hosts, current = _parse(source, environment["SM_HOSTS"]), environment.get("SM_CURRENT_HOST")
    elif resource_config.is_file():
        source = str(resource_config)
        told = _parse(source, resource_config.read_text(encoding="utf-8"))
        hosts, current = (told.get("hosts"), told.get("current_host")) if isinstance(told, dict) else (None, None)
    else:
        return ALONE
    if not isinstance(hosts, list) or not hosts or not all(isinstance(host, str) and host for host in hosts):
        raise TrainingError(f"{source} must list the names of the run's instances, as SageMaker does.")
    if current not in hosts:
        raise TrainingError(f"{source} names the instances {', '.join(hosts)}, and this one, {current}, is not there.")
    ordered = tuple(sorted(set(hosts)))
    return Cluster(hosts=ordered, index=ordered.index(str(current)))


def _parse(source: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TrainingError(f"{source} must be JSON, as SageMaker writes it, and is {text[:60]!r}.") from error
