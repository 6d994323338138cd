"""The environment of a training container: SageMaker's files under /opt/ml, and its variables. It is read only here.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
This module needs only the standard library, because it is used before the job's packages are installed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.errors import TrainingError
from training.fitting.distributed.cluster import Cluster, read_cluster

BASE: Final = "/opt/ml"
CHANNELS: Final = ("images", "metadata", "weights")  # weights is optional


@dataclass(frozen=True, kw_only=True)
class JobEnvironment:
    """The environment of one instance of a job."""

    job: str  # name of the job
    region: str | None
    hyperparameters: dict[str, str]
    cluster: Cluster
    channels: dict[str, Path]  # name -> folder, of the channels that exist
    model: Path  # SageMaker uploads the files in this folder as the job's model.tar.gz
    checkpoints: Path  # SageMaker copies this folder to S3, and back when the job starts again
    failure: Path  # SageMaker shows the text of this file as the failure reason
    scratch: Path  # a folder on the instance's own disk

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "JobEnvironment":
        """Read the SM_* variables, and the files under SAGEMAKER_BASE_DIR (/opt/ml) for those that are not set.

        Raises:
            TrainingError: a file or a variable cannot be parsed.
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
    """Find the file for the failure reason. This works even if other variables are not valid."""
    base = Path(environment.get("SAGEMAKER_BASE_DIR") or BASE)
    return Path(environment.get("SM_OUTPUT_DIR") or base / "output") / "failure"


def write_failure(path: Path, sentence: str) -> None:
    """Write the failure reason for SageMaker, which shows the first 1,024 characters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sentence, encoding="utf-8")


def _hyperparameters(environment: Mapping[str, str], base: Path) -> dict[str, str]:
    """Read the hyperparameters as text, from SM_HPS or else from SageMaker's file; {} without either."""
    path = base / "input" / "config" / "hyperparameters.json"
    source = "SM_HPS" if "SM_HPS" in environment else str(path)
    try:
        values: Any = json.loads(environment["SM_HPS"] if "SM_HPS" in environment else path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TrainingError(f"{source} must be JSON, as SageMaker writes it.") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{source} must be a JSON object of names and texts, as SageMaker writes it.")
    # SageMaker's own launcher, which some images have, uses the names that start with sagemaker_.
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if not name.startswith("sagemaker_")
    }
