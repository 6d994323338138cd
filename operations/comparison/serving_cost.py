"""What it costs to serve one model or the other: the time of a picture and the size of the file, on this machine."""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from contract.bundle import INPUT_NAME, MODEL, OUTPUT_NAMES, Manifest

WARM_UPS: Final = 2
ROUNDS: Final = 15  # in which each model answers one picture in turn, so that both meet the same machine


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one model."""

    picture_ms: float  # median processor time of one picture, on one thread
    model_mb: float  # 10^6 bytes


def measure_costs(challenger: Path, champion: Path, manifests: tuple[Manifest, Manifest]) -> tuple[Cost, Cost]:
    """Time two bundles in turn; processor time, so that whatever else runs here counts little."""
    asked = [_session(folder, manifest) for folder, manifest in zip((challenger, champion), manifests, strict=True)]
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UPS + ROUNDS):
        for (session, pixels), of in zip(asked, times, strict=True):
            began = time.process_time()
            session.run(OUTPUT_NAMES, {INPUT_NAME: pixels})
            if number >= WARM_UPS:
                of.append(1000 * (time.process_time() - began))
    first, second = (
        Cost(picture_ms=statistics.median(of), model_mb=manifest.files[MODEL].bytes / 1e6)
        for of, manifest in zip(times, manifests, strict=True)
    )
    return first, second


def _session(folder: Path, manifest: Manifest) -> tuple[Any, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / MODEL, options, ["CPUExecutionProvider"])
    size = manifest.input.size
    return session, np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
