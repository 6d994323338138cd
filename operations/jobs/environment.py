"""The door through which a training container's environment enters: SageMaker's files under /opt/ml, and its variables.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
Loads the standard library alone, since it is read before a job's packages are installed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.errors import TrainingError
from training.fitting.distributed.cluster import Cluster, read_cluster

BASE: Final = "/opt/ml"
CHANNELS: Final = ("images", "metadata", "weights")  # of which weights may be absent


@dataclass(frozen=True, kw_only=True)
class JobEnvironment:
    """What one instance of a job was told."""

    job: str  # its name
    region: str | None
    hyperparameters: dict[str, str]
    cluster: Cluster
    channels: dict[str, Path]  # those that are there
    model: Path  # what lies here in the end goes to S3 as the job's model.tar.gz
    checkpoints: Path  # kept in step with S3 by SageMaker, and there again after an interruption
    failure: Path  # the file whose text is shown as the reason why a job failed
    scratch: Path  # on the instance's own disk

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "JobEnvironment":
        """Read the files under SAGEMAKER_BASE_DIR (/opt/ml), where no SM_* variable says otherwise.

        Raises:
            TrainingError: what is told cannot be read.
        """
        base = Path(environment.get("SAGEMAKER_BASE_DIR") or BASE)
        data = Path(environment.get("SM_INPUT_DIR") or base / "input") / "data"
        channels = {name: Path(environment.get(f"SM_CHANNEL_{name.upper()}") or data / name) for name in CHANNELS}
        return cls(
            job=environment.get("TRAINING_JOB_NAME") or "job",
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None,
            hyperparameters=_hyperparameters(environment, base),
            cluster=read_cluster(environment, base / "input" / "config" / "resourceconfig.json"),
            channels={name: folder for name, folder in channels.items() if folder.is_dir()},
            model=Path(environment.get("SM_MODEL_DIR") or base / "model"),
            checkpoints=base / "checkpoints",
            failure=failure_file(environment),
            scratch=base / "scratch",
        )


def failure_file(environment: Mapping[str, str]) -> Path:
    """Say where the reason of a failure goes, whatever else may be wrong."""
    base = Path(environment.get("SAGEMAKER_BASE_DIR") or BASE)
    return Path(environment.get("SM_OUTPUT_DIR") or base / "output") / "failure"


def write_failure(path: Path, sentence: str) -> None:
    """Leave the reason why a job failed where SageMaker looks for it; it shows the first 1,024 characters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sentence, encoding="utf-8")


def _hyperparameters(environment: Mapping[str, str], base: Path) -> dict[str, str]:
    """Read them as text: from SM_HPS, or else from SageMaker's file; without either there are none."""
    path = base / "input" / "config" / "hyperparameters.json"
    source = "SM_HPS" if "SM_HPS" in environment else str(path)
    try:
        told: Any = json.loads(environment["SM_HPS"] if "SM_HPS" in environment else path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TrainingError(f"{source} must be JSON, as SageMaker writes it.") from error
    if not isinstance(told, dict):
        raise TrainingError(f"{source} must be an object of names and texts, as SageMaker writes it.")
    # Those that begin with sagemaker_ are for SageMaker's own launcher, where an image has one.
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in told.items()
        if not name.startswith("sagemaker_")
    }
