"""SageMaker's files are read, and its variables take precedence."""

import json
from pathlib import Path

import pytest

from contract.errors import TrainingError
from operations.container.environment import JobEnvironment
from tests.operations.container.opt_ml import write_opt_ml


def test_without_variables_the_folders_under_the_base_are_used(synthetic_dir: Path, tmp_path: Path) -> None:
    base = write_opt_ml(tmp_path / "ml", synthetic_dir, {"size": "64", "sagemaker_program": "x.py"})
    job = JobEnvironment.from_env({"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": "a-job", "AWS_REGION": "r"})
    assert job.hyperparameters == {"size": "64"}
    assert (job.job, job.region, job.cluster.is_leader) == ("a-job", "r", True)
    assert job.channels == {name: base / "input" / "data" / name for name in ("images", "metadata")}
    assert (job.model, job.checkpoints) == (base / "model", base / "checkpoints")
    assert job.failure == base / "output" / "failure"


def test_sagemakers_variables_take_precedence(tmp_path: Path) -> None:
    job = JobEnvironment.from_env(
        {
            "SAGEMAKER_BASE_DIR": str(tmp_path / "absent"),
            "SM_HPS": json.dumps({"size": 64, "augment": False}),
            "SM_HOSTS": '["algo-2", "algo-1"]',
            "SM_CURRENT_HOST": "algo-2",
            "SM_CHANNEL_IMAGES": str(tmp_path),
            "SM_MODEL_DIR": str(tmp_path / "model"),
            "SM_OUTPUT_DIR": str(tmp_path / "out"),
        }
    )
    assert job.hyperparameters == {"size": "64", "augment": "false"}  # SageMaker's launcher parses them
    assert (job.cluster.hosts, job.cluster.is_leader) == (("algo-1", "algo-2"), False)
    assert job.channels == {"images": tmp_path}
    assert (job.model, job.failure) == (tmp_path / "model", tmp_path / "out" / "failure")


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_hyperparameters_that_are_not_a_json_object_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="SM_HPS must be"):
        JobEnvironment.from_env({"SAGEMAKER_BASE_DIR": str(tmp_path), "SM_HPS": text})
