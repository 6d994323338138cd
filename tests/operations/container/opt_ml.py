"""The folders that SageMaker gives a training container, in any folder of this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SMALLEST = {
    "size": "32",
    "weights": "none",
    "head_epochs": "2",
    "fine_tune_epochs": "0",
    "batch_size": "8",
    "augment": "none",
}


def write_opt_ml(base: Path, pictures: Path, hyperparameters: dict[str, str]) -> Path:
    """Write /opt/ml as it is when the container starts, with the channels images and metadata.

    Args:
        base: used in place of /opt/ml.
        pictures: a folder with HAM10000_metadata.csv and images/.
        hyperparameters: of the job.
    """
    config, data = base / "input" / "config", base / "input" / "data"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))
    (data / "metadata").mkdir(parents=True)
    (data / "metadata" / "HAM10000_metadata.csv").write_bytes((pictures / "HAM10000_metadata.csv").read_bytes())
    (data / "images").mkdir()
    for picture in (pictures / "images").iterdir():
        (data / "images" / picture.name).write_bytes(picture.read_bytes())
    (base / "model").mkdir()
    (base / "checkpoints").mkdir()
    return base


def start_entry(base: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the entry point like a container; its output and errors are both on its standard output."""
    job = {"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": "test-job", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "operations.container.entry"],
        cwd=ROOT,
        env={**os.environ, **job, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
