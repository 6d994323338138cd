"""The metrics that SageMaker reads from a job's log: the lines, and the regular expressions that find them."""

from collections.abc import Iterator

from contract.api import HEADLINE_METRICS
from contract.bundle import Manifest
from training.fitting.epoch import METRICS


def metric_definitions() -> dict[str, str]:
    """Return the regular expression of every metric by its name. Each expression has one group."""
    return METRICS | {f"held-out:{name}": rf"^held-out {name} = ([0-9.e+-]+)" for name in HEADLINE_METRICS}


def metric_lines(manifest: Manifest) -> Iterator[str]:
    """Yield a line for each metric on the test lesions that could be measured."""
    for name in HEADLINE_METRICS:
        if (metric := manifest.metrics.get(name)) is not None:
            yield f"held-out {name} = {metric.value:.6g}"
