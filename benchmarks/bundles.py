"""The model that a benchmark runs on, and the bare call of it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contract.bundle import INPUT_NAME, OUTPUT_NAMES

MODELS = Path("artifacts/models")
THREADS = 1


def newest_bundle(parser: argparse.ArgumentParser) -> Path:
    """Find the newest bundle in `MODELS`, or end with a sentence."""
    bundles = sorted(path.parent for path in MODELS.glob("*/manifest.json"))
    if not bundles:
        parser.exit(1, f"There is no model in {MODELS}: run `lesion train`, or name one with --bundle.\n")
    return bundles[-1]


def bare(model: Path, pixels: np.ndarray) -> Callable[[], Any]:
    """Open a model as its own documentation does, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda: session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels})
