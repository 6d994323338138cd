"""The cost of serving a model: processor time for a picture, and size of the file. Two models, on this machine."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.bundle import INPUT_NAME, MODEL, OUTPUT_NAMES, Manifest
from contract.onnx_runtime import open_session

WARM_UPS: Final = 2
ROUNDS: Final = 15  # each model classifies one picture per round, so both see the same state of the machine


@dataclass(frozen=True, kw_only=True)
class ServingCost:
    """The cost of one model."""

    picture_ms: float  # median processor time of one picture, on one thread
    model_mb: float  # 10^6 bytes


def measure_serving_costs(
    challenger: Path, champion: Path, manifests: tuple[Manifest, Manifest]
) -> tuple[ServingCost, ServingCost]:
    """Time the models of two bundles in turn, by processor time, which other processes change little."""
    inputs = [_open(folder, manifest) for folder, manifest in zip((challenger, champion), manifests, strict=True)]
    times_ms: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UPS + ROUNDS):
        for (session, pixels), times in zip(inputs, times_ms, strict=True):
            began = time.process_time()
            session.run(OUTPUT_NAMES, {INPUT_NAME: pixels})
            if number >= WARM_UPS:
                times.append(1000 * (time.process_time() - began))
    first, second = (
        ServingCost(picture_ms=statistics.median(times), model_mb=manifest.files[MODEL].bytes / 1e6)
        for times, manifest in zip(times_ms, manifests, strict=True)
    )
    return first, second


def _open(folder: Path, manifest: Manifest) -> tuple[Any, np.ndarray]:
    """Open a session on one thread, with a random picture of shape (1, size, size, 3)."""
    session = open_session(folder / MODEL, intra_op_num_threads=1, inter_op_num_threads=1)
    size = manifest.input.size
    return session, np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
