"""A complete run: it writes a bundle that serving accepts, and a failed run leaves nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.bundle import MANIFEST, MODEL, MODEL_FP32, REFERENCE, read_bundle
from contract.errors import DatasetError, TrainingError
from contract.labels import CODES
from contract.reference import Reference
from tests.tiny_run import TINY_IMAGES, TINY_SIZE, TinyRun
from training.atomic_folder import temporary_folder
from training.config import TrainingConfig
from training.data.ham10000 import read_dataset
from training.data.split import sample_lesions, split_by_lesion
from training.evaluation.calibration.reference_set import REFERENCE_PICTURES
from training.fit_model import RunContext
from training.train import train


def test_a_run_writes_one_bundle_that_serving_accepts(tiny_run: TinyRun) -> None:
    (folder,) = tiny_run.out.iterdir()
    manifest = read_bundle(folder)
    assert manifest == tiny_run.trained.manifest
    assert folder == tiny_run.trained.folder
    assert folder.name == manifest.version
    assert manifest.version.endswith(manifest.files[MODEL].sha256[:8])


def test_the_manifest_names_every_file_of_the_bundle(tiny_run: TinyRun) -> None:
    folder = tiny_run.trained.folder
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files - {MANIFEST} == set(tiny_run.trained.manifest.files)
    assert {MODEL, MODEL_FP32, REFERENCE, "model-card.md", "report/metrics.json", "report/report.html"} <= files


def test_the_manifest_records_the_data_and_the_training(tiny_run: TinyRun) -> None:
    manifest = tiny_run.trained.manifest
    assert manifest.labels == CODES
    assert manifest.input.size == TINY_SIZE
    assert manifest.data.images == sum(manifest.data.per_class.values())
    assert 0 < manifest.data.lesions <= manifest.data.images
    assert manifest.training.job == "tiny"
    assert manifest.training.config["weights"] == "none"
    assert manifest.training.backend == "tensorflow"
    assert {"keras", "tensorflow", "onnxruntime"} <= manifest.training.versions.keys()
    assert manifest.training.seconds > (manifest.training.epochs_s or 0) > 0
    assert manifest.training.weights_sha256 is None
    assert manifest.training.precision == "float32"
    assert (manifest.training.epochs, manifest.training.times_resumed) == (1, 0)
    assert 50 < (manifest.training.peak_memory_mb or 0) < 24_000
    speed = manifest.training.speed["head"]
    assert min(speed.images_per_s, speed.step_ms, speed.feed_images_per_s) > 0


def test_every_metric_has_an_interval(tiny_run: TinyRun) -> None:
    metrics = tiny_run.trained.manifest.metrics
    assert next(iter(metrics)) == "balanced_accuracy"
    assert all(0 <= metric.low <= metric.high for metric in metrics.values())
    assert all(metric.high <= 1 for name, metric in metrics.items() if not name.startswith(("nll", "brier")))
    assert {"melanoma_sensitivity", "any_malignant_sensitivity", "ece", "macro_f1", "unfamiliar_rate"} <= metrics.keys()


def test_the_file_that_ships_is_the_one_that_the_gate_chose(tiny_run: TinyRun) -> None:
    files, gate = tiny_run.trained.manifest.files, tiny_run.trained.gate
    assert (files[MODEL] == files[MODEL_FP32]) == (gate.ships == "fp32")
    assert gate.reason in tiny_run.lines


def test_the_reference_holds_training_embeddings_of_length_one(tiny_run: TinyRun) -> None:
    reference = Reference.read(tiny_run.trained.folder / REFERENCE)
    embeddings = reference.coordinates @ reference.axes
    assert embeddings.shape[1] == 2048
    assert 20 < len(embeddings) <= REFERENCE_PICTURES
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=0.02)


def test_the_report_shows_the_numbers_of_the_manifest(tiny_run: TinyRun) -> None:
    report, manifest = tiny_run.trained.folder / "report", tiny_run.trained.manifest
    numbers = json.loads((report / "metrics.json").read_text())
    assert numbers["metrics"] == {name: metric.model_dump() for name, metric in manifest.metrics.items()}
    assert numbers["per_class"] == {code: group.model_dump() for code, group in manifest.per_class.items()}
    assert len(numbers["epochs"]) == 1
    predicted = sum(map(sum, numbers["confusion_matrix"]))
    assert predicted == numbers["pictures"] == sum(group.pictures for group in manifest.per_class.values()) > 0
    assert f"{manifest.metrics['balanced_accuracy'].value:.3f}" in (report / "report.html").read_text()
    share = manifest.training.prior_correction
    shown = f"{share:.1f} times the log class frequencies is added" in (report / "report.html").read_text()
    assert shown == (share > 0)
    figures = list((report / "figures").iterdir())
    assert len(figures) >= 8
    for figure in figures:
        with Image.open(figure) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 10  # not a blank sheet


def test_the_bundle_contains_no_picture_of_a_person(tiny_run: TinyRun) -> None:
    report = tiny_run.trained.folder / "report"
    assert "data:image" not in (report / "report.html").read_text()
    assert "mistakes" not in json.loads((report / "metrics.json").read_text())
    assert not list(report.glob("figures/*mistakes*"))


def test_pictures_without_a_lesion_are_part_of_the_evaluation(tiny_run: TinyRun) -> None:
    numbers = json.loads((tiny_run.trained.folder / "report" / "metrics.json").read_text())
    assert {"painted", "noise", "gradient", "texture", "text", "landscape", "table_top"} == set(numbers["no_lesion"])
    assert {"unfamiliar_auroc", "unfamiliar_detection_rate"} <= tiny_run.trained.manifest.metrics.keys()
    assert tiny_run.trained.manifest.unfamiliar.false_alarm_rate == 0.01


def test_the_manifest_has_the_hash_of_the_split(tiny_run: TinyRun, pictures_dir: Path) -> None:
    data = tiny_run.trained.manifest.data
    dataset = sample_lesions(read_dataset(pictures_dir), TINY_IMAGES, data.split_seed)
    assert data.sha256 == dataset.sha256
    assert data.split_sha256 == split_by_lesion(dataset, data.split_seed).sha256


def test_each_step_reports_its_duration_and_progress_reaches_its_end(tiny_run: TinyRun) -> None:
    steps = ("read the pictures", "built the network", "trained", "exported", "quantized", "measured")
    assert all(any(line.startswith(f"{step} in ") for line in tiny_run.lines) for step in steps)
    ends = {what: (done, total) for what, done, total in tiny_run.progress}
    assert {"decoding pictures", "training", "checking fp32", "checking int8", "evaluating"} <= ends.keys()
    assert all(done == total for done, total in ends.values())


def test_a_finished_run_leaves_only_pixels_in_the_cache(tiny_run: TinyRun) -> None:
    left = [path.name for path in tiny_run.cache.iterdir() if not path.name.startswith("pixels-")]
    assert left in ([], ["checkpoints"])
    assert list((tiny_run.cache / "checkpoints").glob("*")) == []


def test_an_unfinished_bundle_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with temporary_folder(tmp_path / "models") as folder:
            (folder / MODEL).write_bytes(b"half a model")
            raise TrainingError("the disk is full")

    with pytest.raises(TrainingError):
        fail()
    assert list((tmp_path / "models").iterdir()) == []


def test_missing_weights_end_a_run_before_it_writes_anything(pictures_dir: Path, tmp_path: Path) -> None:
    config = TrainingConfig(size=32, images=60, weights=str(tmp_path / "absent.npz"))
    with pytest.raises(TrainingError, match="no file of weights"):
        train(config, pictures_dir, tmp_path / "models", RunContext(cache=tmp_path / "cache"))
    assert not (tmp_path / "models").exists()


def test_a_folder_without_pictures_ends_a_run_at_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        train(TrainingConfig(weights="none"), tmp_path, tmp_path / "models", RunContext(cache=tmp_path / "cache"))
    assert not (tmp_path / "models").exists()
