"""Baselines that a model must beat, on the project's test lesions: `python -m benchmarks.baselines [--weights FILE]`.

The baselines: always predict nevus; a logistic regression on colour histograms; and, with --weights, a logistic
regression on frozen ImageNet features. The pictures, the split and the intervals are those of `lesion train`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contract.errors import AnalyzerError
from contract.labels import CODES
from training.data.cache import open_cache
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import Split, split_by_lesion
from training.evaluation.bootstrap import RESAMPLES, Measure, resample_lesions, with_interval
from training.evaluation.metrics import balanced_accuracy
from training.evaluation.weighted_metrics import Proportion, balanced_accuracies, confusion_matrices, macro_f1

RESULTS = Path("artifacts/benchmarks/baselines.json")
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C; the validation lesions choose one
BINS = 8  # of each colour channel: 512 colours in all
BATCH = 64  # pictures


def main() -> None:
    """Measure, print a Markdown table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("HAM10000_DIR", "data/ham10000")))
    parser.add_argument("--weights", type=Path, help="an .npz file of ResNet50's ImageNet weights up to conv4")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures' square, in pixels")
    parser.add_argument("--seed", type=int, default=42, help="of the split")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for decoded pictures")
    options = parser.parse_args()
    try:
        measured = measure_baselines(options.folder, options.weights, options.size, options.seed, options.cache)
    except AnalyzerError as error:
        parser.exit(1, f"{error}\n")
    print(table(measured))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(measured, indent=2) + "\n")
    print(f"\nwritten to {RESULTS}")


def measure_baselines(folder: Path, weights: Path | None, size: int, seed: int, cache: Path) -> dict[str, Any]:
    """Measure each baseline on the test lesions: its name -> metrics with intervals, and seconds."""
    dataset = read_dataset(folder)
    split = split_by_lesion(dataset, seed)
    pixels = open_cache(dataset, size, cache, show)
    baselines: dict[str, Callable[[], np.ndarray]] = {
        "always nevus": lambda: np.full(len(split.test), CODES.index("nv")),
        "colour histogram + logistic regression": lambda: regress(colour_histograms(pixels), dataset, split),
    }
    if weights is not None:
        name = f"frozen conv4 of ImageNet at {size} px + logistic regression"
        baselines[name] = lambda: regress(frozen_features(pixels, weights, size), dataset, split)
    rows = {}
    for name, predict_test in baselines.items():
        began = time.perf_counter()
        predicted = predict_test()
        rows[name] = {**evaluate(predicted, dataset, split, seed), "seconds": round(time.perf_counter() - began, 1)}
    test = dataset.rows.iloc[split.test]
    return {
        "data": dataset.name,
        "sha256": dataset.sha256,
        "split_sha256": split.sha256,
        "held_out": {"pictures": len(test), "lesions": int(test["lesion_id"].nunique())},
        "baselines": rows,
    }


def evaluate(predicted: np.ndarray, dataset: Dataset, split: Split, seed: int) -> dict[str, Any]:
    """Measure predictions on the test pictures, with 95% intervals by a bootstrap over lesions."""
    test = dataset.rows.iloc[split.test]
    truth = test["class_index"].to_numpy()
    weights = resample_lesions(test["lesion_id"].to_numpy(), RESAMPLES, seed)
    measures: dict[str, Measure] = {
        "balanced_accuracy": lambda counts: balanced_accuracies(confusion_matrices(predicted, truth, counts)),
        "macro_f1": lambda counts: macro_f1(confusion_matrices(predicted, truth, counts)),
        "accuracy": Proportion(predicted == truth, np.ones(len(truth), bool)),
    }
    found = {name: with_interval(measured, weights) for name, measured in measures.items()}
    return {name: metric.model_dump() for name, metric in found.items() if metric is not None}


def regress(features: np.ndarray, dataset: Dataset, split: Split) -> np.ndarray:
    """Fit a class-weighted logistic regression with the best penalty on validation, and predict the test set."""
    class_index = dataset.rows["class_index"].to_numpy()
    fitted = []
    for inverse_penalty in INVERSE_PENALTIES:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=inverse_penalty, class_weight="balanced", max_iter=1000, tol=1e-3)
        )
        model.fit(features[split.train], class_index[split.train])
        accuracy = balanced_accuracy(model.predict(features[split.validation]), class_index[split.validation])
        fitted.append((accuracy, inverse_penalty, model))
    _, _, best = max(fitted, key=lambda candidate: candidate[:2])
    return np.asarray(best.predict(features[split.test]))


def colour_histograms(pixels: np.ndarray) -> np.ndarray:
    """Return the square root of each colour's share in each picture: float32, shape (N, 512)."""
    histograms = np.empty((len(pixels), BINS**3), np.float32)
    for row, picture in enumerate(pixels):
        red, green, blue = (picture.reshape(-1, 3).astype(int) // (256 // BINS)).T
        counts = np.bincount((red * BINS + green) * BINS + blue, minlength=BINS**3)
        histograms[row] = np.sqrt(counts / counts.sum())
    return histograms


def frozen_features(pixels: np.ndarray, weights: Path, size: int) -> np.ndarray:
    """Average the input of conv5 over each picture: shape (N, 1024)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from training.fitting.inputs.features import predict
    from training.model import build_classifier
    from training.weights import load_weights

    classifier = build_classifier(size)
    load_weights(classifier, str(weights))
    below = classifier.below("conv5")
    model = keras.Model(below.input, keras.layers.GlobalAveragePooling2D()(below.output))
    features = []
    for start in range(0, len(pixels), BATCH):
        features.append(predict(model, np.asarray(pixels[start : start + BATCH])))
        show("computing frozen features", min(start + BATCH, len(pixels)), len(pixels))
    return np.concatenate(features)


def show(step: str, done: int, total: int) -> None:
    """Update one line of progress on standard error."""
    print(f"\r{step}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def table(measured: dict[str, Any]) -> str:
    """Format the results as Markdown."""
    held_out = measured["held_out"]
    lines = [
        f"{held_out['pictures']} held-out pictures of {held_out['lesions']} lesions; 95% intervals by a bootstrap over "
        "lesions.",
        "",
        "| baseline | balanced accuracy | macro F1 | accuracy | seconds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in measured["baselines"].items():
        cells = [
            f"{row[metric]['value']:.3f} ({row[metric]['low']:.3f} to {row[metric]['high']:.3f})"
            for metric in ("balanced_accuracy", "macro_f1", "accuracy")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['seconds']:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
