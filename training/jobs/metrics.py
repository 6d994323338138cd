"""The numbers that SageMaker reads from a job's log: the lines that the entry point prints, and how they are found."""

from collections.abc import Iterator
from typing import Final

from contract.bundle import Manifest
from training.fitting.epoch import METRICS

HELD_OUT: Final = (
    "balanced_accuracy",
    "macro_f1",
    "any_malignant_sensitivity",
    "any_malignant_specificity",
    "melanoma_sensitivity",
    "ece",
)  # of a manifest's metrics


def metric_definitions() -> dict[str, str]:
    """Give every metric's name and the regular expression, of one group, that finds it."""
    return METRICS | {f"held-out:{name}": rf"^held-out {name} = ([0-9.e+-]+)" for name in HELD_OUT}


def metric_lines(manifest: Manifest) -> Iterator[str]:
    """Word what the held-out lesions came to; of a metric that could not be measured there is no line."""
    for name in HELD_OUT:
        if (metric := manifest.metrics.get(name)) is not None:
            yield f"held-out {name} = {metric.value:.6g}"
