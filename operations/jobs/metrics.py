"""The numbers that SageMaker reads from a job's log: the lines that the entry point prints, and how they are found."""

from collections.abc import Iterator

from contract.api import HEADLINE_METRICS
from contract.bundle import Manifest
from training.fitting.epoch import METRICS


def metric_definitions() -> dict[str, str]:
    """Give every metric's name and the regular expression, of one group, that finds it."""
    return METRICS | {f"held-out:{name}": rf"^held-out {name} = ([0-9.e+-]+)" for name in HEADLINE_METRICS}


def metric_lines(manifest: Manifest) -> Iterator[str]:
    """Word what the held-out lesions came to; of a metric that could not be measured there is no line."""
    for name in HEADLINE_METRICS:
        if (metric := manifest.metrics.get(name)) is not None:
            yield f"held-out {name} = {metric.value:.6g}"
