"""Compares methods against class imbalance: `python -m benchmarks.imbalance --weights FILE`.

Each value of `TrainingConfig.class_balance` trains the same network from the same weights on the same lesions, and is
measured on the validation lesions. The test lesions are only for the released model: a choice made on them would bias
its evaluation. The probabilities are calibrated by one temperature, as in training.
"""

import argparse
import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contract.errors import AnalyzerError
from contract.labels import CODES

RESULTS = Path("artifacts/benchmarks/imbalance.json")
METHODS: dict[str, dict[str, Any]] = {
    "none": {"class_balance": "none"},
    "weights, inverse root": {"class_balance": "weights", "balance_power": 0.5},
    "weights, inverse": {"class_balance": "weights"},
    "balanced sampling": {"class_balance": "sampling"},
    "focal, weighted": {"class_balance": "focal"},
    "logit adjustment": {"class_balance": "logit_adjusted"},
}
SPLIT_SEED = 42  # the split is the same for all training seeds
FEATURES: set[Path] = set()  # cached feature folders, removed at the end
MEASURES = ("balanced_accuracy", "macro_f1", "melanoma_recall", "accuracy", "ece")


def main() -> None:
    """Train and measure each method, print a Markdown table row by row, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("HAM10000_DIR", "data/ham10000")))
    parser.add_argument("--weights", default="none", help="initial weights: none, imagenet or an .npz file")
    parser.add_argument("--size", type=int, default=96, help="side of the pictures' square, in pixels")
    parser.add_argument("--images", type=int, help="approximate number of pictures; default: all")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1, help="number of runs of each method; the table shows the mean")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for decoded pictures")
    options = parser.parse_args()
    from training.fitting.inputs.features import remove_features

    results: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    print(f"| class balance | {' | '.join(MEASURES)} | s |\n|---{'|---' * (len(MEASURES) + 1)}|", flush=True)
    try:
        for seed in range(options.seeds):
            for name, method in METHODS.items():
                results[name].append(run(options, method, seed))
                RESULTS.write_text(json.dumps({"options": vars(options), "results": results}, indent=2, default=str))
                if seed == options.seeds - 1:
                    print(row(name, results[name]), flush=True)
    except AnalyzerError as error:
        parser.exit(1, f"{error}\n")
    finally:
        remove_features(FEATURES)
    print(f"\nMeans of {options.seeds} runs on validation lesions; written to {RESULTS}")


def run(options: argparse.Namespace, method: dict[str, Any], seed: int) -> dict[str, float]:
    """Train once, and measure on the validation lesions."""
    import keras
    from scipy.special import softmax
    from sklearn.metrics import f1_score, recall_score

    from training.config import TrainingConfig
    from training.evaluation.calibration.logit_adjustment import fit_temperature
    from training.evaluation.metrics import expected_calibration_error
    from training.fitting.loop import fit, predict_logits
    from training.fitting.run import Run
    from training.model import build_classifier
    from training.split_dataset import read_data
    from training.weights import load_weights

    began = time.perf_counter()
    config = TrainingConfig(
        size=options.size,
        images=options.images,
        weights=options.weights,
        seed=seed,
        head_epochs=options.epochs,
        fine_tune_epochs=0,
        patience=options.epochs,
        frozen_views=1,
        **method,
    )
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    data = read_data(replace(config, seed=SPLIT_SEED), options.folder, options.cache, lambda *_: None)
    classifier = build_classifier(options.size)
    loaded = load_weights(classifier, config.weights)
    # The features of the frozen stages are the same for every method: they stay in the cache for the next run.
    run = Run(config=config, train=data.train, validation=data.validation, scratch=options.cache)
    fitted = fit(classifier, loaded, run)
    FEATURES.update(fitted.features)
    logits, truth = predict_logits(classifier, data.validation), data.validation.class_index
    predicted = logits.argmax(axis=1)
    recalls = recall_score(truth, predicted, labels=range(len(CODES)), average=None, zero_division=0)
    return {
        "balanced_accuracy": float(np.mean(recalls)),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "melanoma_recall": float(recalls[CODES.index("mel")]),
        "accuracy": float(np.mean(predicted == truth)),
        "ece": expected_calibration_error(softmax(logits / fit_temperature(logits, truth), axis=1), truth),
        "seconds": time.perf_counter() - began,
    }


def row(name: str, runs: list[dict[str, float]]) -> str:
    """Format the means of some runs as a row of a Markdown table."""
    means = {measure: statistics.mean(result[measure] for result in runs) for measure in (*MEASURES, "seconds")}
    return f"| {name} | {' | '.join(f'{means[measure]:.3f}' for measure in MEASURES)} | {means['seconds']:.0f} |"


if __name__ == "__main__":
    main()
