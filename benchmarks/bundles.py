"""The bundle that a benchmark uses, and the bare call of its model."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.onnx_runtime import open_session

MODELS = Path("artifacts/models")
THREADS = 1


def newest_bundle(parser: argparse.ArgumentParser) -> Path:
    """Return the newest bundle in `MODELS`, or exit with a message."""
    bundles = sorted(path.parent for path in MODELS.glob("*/manifest.json"))
    if not bundles:
        parser.exit(1, f"There is no model in {MODELS}: run `lesion train`, or give one with --bundle.\n")
    return bundles[-1]


def bare_call(model: Path, pixels: np.ndarray) -> Callable[[], Any]:
    """Load a model with one thread, as in ONNX Runtime's documentation; return a function that runs it on `pixels`."""
    session = open_session(model, intra_op_num_threads=THREADS)
    return lambda: session.run(list(OUTPUT_NAMES), {INPUT_NAME: pixels})
