"""The entry point of a training container: it is interrupted, resumed, and registers its model."""

import json
import re
import signal
from pathlib import Path

import boto3
import pytest

from contract.bundle import read_bundle
from contract.errors import DatasetError, TrainingError
from operations.container.entry import ProgressLog, gather_pictures, run
from operations.container.environment import JobEnvironment
from operations.container.metrics import metric_definitions
from tests.operations.container.opt_ml import SMALLEST, start_entry, write_opt_ml
from training.evaluation.report.card import MODEL_CARD


@pytest.fixture
def base(few_pictures: Path, bucket: str, tmp_path: Path) -> Path:
    hyperparameters = {**SMALLEST, "publish_to": f"s3://{bucket}", "model_package_group": bucket}
    boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=bucket)
    return write_opt_ml(tmp_path / "opt" / "ml", few_pictures, hyperparameters)


def test_an_interrupted_job_resumes_and_registers_its_model(base: Path, bucket: str) -> None:
    with start_entry(base) as job:
        assert job.stdout is not None
        first = []
        for line in job.stdout:
            first.append(line)
            if line.startswith("  head 1/2"):
                job.send_signal(signal.SIGTERM)
    assert job.returncode == 143, "".join(first)
    assert (base / "checkpoints" / "run" / "checkpoint.npz").is_file()
    assert list((base / "model").iterdir()) == []
    assert not (base / "output" / "failure").exists()

    with start_entry(base) as job:
        output, _ = job.communicate(timeout=600)
    assert job.returncode == 0, output
    assert "resumes an earlier run, in epoch 2 of head" in output
    (bundle,) = (base / "model").iterdir()
    manifest = read_bundle(bundle)
    training = manifest.training
    assert (training.job, training.times_resumed) == ("test-job", 1)
    on_card = f"the last took {training.seconds:.0f} s and all 2 epochs {training.epochs_s:.0f} s, on "
    assert f"Trained in 2 sessions, of which {on_card}" in (bundle / MODEL_CARD).read_text()
    assert list((base / "checkpoints").iterdir()) == []  # SageMaker's own folder stays

    assert f"published s3://{bucket}/models/{manifest.version}\n" in output
    (package,) = boto3.client("sagemaker").list_model_packages(ModelPackageGroupName=bucket)["ModelPackageSummaryList"]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert f"registered {package['ModelPackageArn']}\n" in output

    found = {
        name: re.findall(regex, "".join(first) + output, re.MULTILINE) for name, regex in metric_definitions().items()
    }
    assert len(found["train:loss"]) == 2  # one for each epoch of both sessions
    assert float(found["held-out:balanced_accuracy"][0]) == pytest.approx(
        manifest.metrics["balanced_accuracy"].value, rel=1e-5
    )
    assert re.search(r"^progress: training \d+/\d+$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"epochs": "3"}, "There is no hyperparameter epochs"),
        ({"size": "8"}, "The hyperparameter size cannot be '8': Input should be greater than or equal to 32."),
        ({"head_epochs": "many"}, "The hyperparameter head_epochs cannot be 'many'"),
        ({"head_epochs": "0", "fine_tune_epochs": "0"}, "nothing would be trained"),
        ({"model_package_group": "lesions"}, "give publish_to too"),
    ],
)
def test_invalid_hyperparameters_are_one_sentence_before_anything_is_loaded(
    tmp_path: Path, hyperparameters: dict[str, str], sentence: str
) -> None:
    environment = {"SAGEMAKER_BASE_DIR": str(tmp_path), "SM_HPS": json.dumps(hyperparameters)}
    with pytest.raises(TrainingError) as caught:
        run(environment)
    assert sentence in str(caught.value)


def test_the_failure_reason_is_in_sagemakers_file(tmp_path: Path) -> None:
    with start_entry(tmp_path, SM_HPS='{"size": "8"}') as job:
        output, _ = job.communicate(timeout=60)
    assert job.returncode == 1
    assert output == (tmp_path / "output" / "failure").read_text() + "\n"
    assert "The hyperparameter size cannot be '8'" in output


def test_a_missing_channel_is_named(tmp_path: Path) -> None:
    (tmp_path / "input" / "data" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no channel metadata"):
        run({"SAGEMAKER_BASE_DIR": str(tmp_path)})


def test_two_sources_of_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "input" / "data" / "weights"
    weights.mkdir(parents=True)
    with pytest.raises(TrainingError, match=r"must hold exactly one \.npz file, but holds 0"):
        run({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    (weights / "some.npz").touch()
    with pytest.raises(TrainingError, match="give one of them"):
        run({"SAGEMAKER_BASE_DIR": str(tmp_path), "SM_HPS": '{"weights": "none"}'})


def test_a_channel_may_have_the_two_published_folders(tmp_path: Path) -> None:
    data = tmp_path / "input" / "data"
    (data / "images" / "HAM10000_images_part_1").mkdir(parents=True)
    (data / "metadata").mkdir()
    job = JobEnvironment.from_env({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    folder = gather_pictures(job)
    assert {path.name for path in folder.iterdir()} == {"HAM10000_metadata.csv", "HAM10000_images_part_1"}
    assert gather_pictures(job) == folder  # a second start finds the links of the first


def test_progress_is_logged_at_most_every_few_seconds_and_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ProgressLog()
    for done in range(1, 101):
        progress.report("training", done, 100)
    assert capsys.readouterr().out.splitlines() == ["progress: training 1/100", "progress: training 100/100"]
