"""Compares the float32 and the int8 file of a bundle: `python -m benchmarks.int8 [--bundle DIR]`.

It measures size, time for one picture on one thread (in turns, medians), and agreement on held-out pictures.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.bundles import MODELS, bare_call, newest_bundle
from contract.bundle import INPUT_NAME, MODEL, MODEL_FP32, OUTPUT_NAMES, read_bundle
from contract.errors import AnalyzerError
from contract.onnx_runtime import open_session
from training.data.decode import decode_files
from training.evaluation.pictures.evaluation_set import read_evaluation_set

RESULTS = Path("artifacts/benchmarks/int8.json")
WARM_UP = 5  # runs before the measurement


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("HAM10000_DIR", "data/ham10000")))
    parser.add_argument("--bundle", type=Path, help=f"default: the newest in {MODELS}")
    parser.add_argument("--pictures", type=int, default=400, help="number of held-out pictures for the agreement")
    parser.add_argument("--runs", type=int, default=60, help="number of runs of one picture for the time")
    options = parser.parse_args()
    bundle = options.bundle or newest_bundle(parser)
    try:
        pixels = held_out_pixels(options.folder, bundle, options.pictures)
    except AnalyzerError as error:
        parser.exit(1, f"{error}\n")
    measured = {**compare_speed(bundle, pixels[:1], options.runs), **compare_predictions(bundle, pixels)}
    for name, value in measured.items():
        print(f"{name:44}{value:10.4g}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"bundle": bundle.name, **measured}, indent=2) + "\n")
    print(f"\nwritten to {RESULTS}")


def held_out_pixels(folder: Path, bundle: Path, pictures: int) -> np.ndarray:
    """Decode test pictures of the model's data set, or any pictures of another folder: uint8 (N, size, size, 3)."""
    manifest = read_bundle(bundle)
    labelled = read_evaluation_set(folder, None, manifest)
    positions = labelled.positions
    chosen = np.random.default_rng(0).choice(positions, min(pictures, len(positions)), replace=False)
    decoded = []
    for result in decode_files(labelled.dataset.rows["path"].iloc[chosen].tolist(), manifest.input.size):
        if isinstance(result, AnalyzerError):
            raise result
        decoded.append(result.pixels)
    return np.stack(decoded)


def compare_speed(bundle: Path, picture: np.ndarray, runs: int) -> dict[str, float]:
    """Measure file sizes and times of both files."""
    calls = {name: bare_call(bundle / name, picture) for name in (MODEL_FP32, MODEL)}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(runs + WARM_UP):
        for name, call in calls.items():
            began = time.process_time()  # CPU time of this process: other load does not change it
            call()
            if run >= WARM_UP:
                times[name].append(1000 * (time.process_time() - began))
    fp32, int8 = (statistics.median(times[name]) for name in (MODEL_FP32, MODEL))
    return {
        "file, fp32, MB": (bundle / MODEL_FP32).stat().st_size / 1e6,
        "file as served, MB": (bundle / MODEL).stat().st_size / 1e6,
        "one picture, one thread, fp32, ms": fp32,
        "one picture, one thread, as served, ms": int8,
        "times faster": fp32 / int8,
    }


def compare_predictions(bundle: Path, pixels: np.ndarray) -> dict[str, float]:
    """Compare the predictions of both files on the same pictures."""
    fp32, int8 = (_probabilities(bundle / name, pixels) for name in (MODEL_FP32, MODEL))
    difference = np.abs(fp32 - int8)
    return {
        "pictures asked about": len(pixels),
        "top class agrees": float(np.mean(fp32.argmax(axis=1) == int8.argmax(axis=1))),
        "largest difference of a probability": float(difference.max()),
        "mean difference of a probability": float(difference.mean()),
    }


def _probabilities(model: Path, pixels: np.ndarray) -> np.ndarray:
    session = open_session(model)
    return np.concatenate([session.run(OUTPUT_NAMES[:1], {INPUT_NAME: part})[0] for part in np.array_split(pixels, 20)])


if __name__ == "__main__":
    main()
