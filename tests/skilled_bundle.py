"""Bundles with tiny models that are fitted to painted pictures, well or badly: made in seconds, without Keras."""

import shutil
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper
from sklearn.linear_model import LogisticRegression

from contract.bundle import (
    HELD_OUT,
    INPUT_NAME,
    MANIFEST,
    MODEL,
    OUTPUT_NAMES,
    describe_file,
    parse_manifest,
    version_of,
)
from contract.image import decode_image
from contract.onnx_runtime import open_session
from tests.low_risk_shares import low_risk_shares
from tests.tiny_bundle import tiny_graph, write_tiny_bundle
from training.artifact.golden import write_golden
from training.artifact.held_out import join_predictions, write_held_out
from training.data.ham10000 import Dataset, read_dataset
from training.evaluation.bootstrap import resample_lesions, with_interval
from training.evaluation.calibration.operating_points import choose_operating_points
from training.evaluation.weighted_metrics import balanced_accuracies, confusion_matrices

SIZE = 64
Skill = Literal["good", "fair", "bad"]


@cache
def _pixels(folder: Path) -> tuple[Dataset, np.ndarray]:
    dataset = read_dataset(folder)
    return dataset, np.stack([decode_image(Path(path).read_bytes(), SIZE).pixels for path in dataset.rows["path"]])


@cache
def _fitted_head(folder: Path) -> np.ndarray:
    """Fit the head of the tiny graph: shape (7, EMBEDDING)."""
    dataset, pixels = _pixels(folder)
    session = open_session(tiny_graph(SIZE).SerializeToString())
    (embeddings,) = session.run([OUTPUT_NAMES[2]], {INPUT_NAME: pixels})
    model = LogisticRegression(C=1e4, max_iter=5000, fit_intercept=False, class_weight="balanced")
    return np.asarray(model.fit(embeddings, dataset.rows["class_index"]).coef_)


def write_skilled_bundle(
    folder: Path,
    pictures: Path,
    *,
    skill: Skill,
    made: datetime,
    answers: bool = True,
    split: str = "1",
    golden_of: Path | None = None,
) -> Path:
    """Fit the head of a tiny graph to pictures, make it worse if asked, and write a bundle as training does.

    The predictions for "held-out" pictures are those for the pictures that it was fitted to: the tests check what
    happens to models, not how good they are.

    Args:
        folder: where to write.
        pictures: a folder as `lesion data sample` writes it.
        skill: "good" is as fitted, "fair" mixes neighbouring classes, "bad" predicts for each class the next one.
        made: time for the name of the version.
        answers: whether to write held-out predictions and golden pictures; older bundles lack them.
        split: a digit, repeated as the hash of the split.
        golden_of: another bundle whose golden probabilities this one gets, so that its check fails.
    """
    dataset, pixels = _pixels(pictures)
    graph, weights = tiny_graph(SIZE), _fitted_head(pictures)
    heads = {"good": weights, "fair": np.roll(weights, 1, axis=1) + weights / 2, "bad": np.roll(weights, 1, axis=0)}
    _set_head(graph, heads[skill])
    bundle = write_tiny_bundle(folder / "tiny", size=SIZE, made=made)
    onnx.save(graph, bundle / MODEL)
    return _finish(bundle, folder, dataset, pixels, made, answers, split, golden_of)


def _set_head(graph: onnx.ModelProto, weights: np.ndarray) -> None:
    (head,) = (constant for constant in graph.graph.initializer if constant.name == "head")
    head.CopyFrom(numpy_helper.from_array(weights.astype(np.float32)[:, :, np.newaxis, np.newaxis], "head"))


def _finish(
    bundle: Path,
    folder: Path,
    dataset: Dataset,
    pixels: np.ndarray,
    made: datetime,
    answers: bool,
    split: str,
    golden_of: Path | None,
) -> Path:
    session = open_session(bundle / MODEL)
    (probabilities,) = session.run([OUTPUT_NAMES[0]], {INPUT_NAME: pixels})
    points = choose_operating_points(probabilities, dataset.rows["class_index"].to_numpy())
    if answers:
        write_held_out(bundle, join_predictions(dataset.rows, probabilities))
        write_golden(bundle, (golden_of or bundle) / MODEL, SIZE, 42)
    manifest = parse_manifest((bundle / MANIFEST).read_bytes())
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    files = {name: describe_file(bundle / name) for name in names if name != MANIFEST}
    version = version_of(made, files[MODEL].sha256)
    data = manifest.data.model_copy(update={"split_sha256": split * 64})
    truth, predicted = dataset.rows["class_index"].to_numpy(), probabilities.argmax(axis=1)
    weights = resample_lesions(dataset.rows["lesion_id"].to_numpy(), 200, 42)
    accuracy = with_interval(lambda drawn: balanced_accuracies(confusion_matrices(predicted, truth, drawn)), weights)
    manifest = manifest.model_copy(
        update={
            "files": files,
            "version": version,
            "data": data,
            "operating_points": points,
            "metrics": {"balanced_accuracy": accuracy},
            "robustness": low_risk_shares({}) if answers else None,
        }
    )
    (bundle / MANIFEST).write_text(manifest.model_dump_json())
    target = folder / version
    shutil.move(bundle, target)
    shutil.rmtree(folder / "tiny")
    assert (HELD_OUT in manifest.files) == answers
    return target
