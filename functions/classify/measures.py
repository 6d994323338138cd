"""What CloudWatch is told, in its embedded metric format: few metrics, with few and bounded dimensions."""

import functools
from typing import NamedTuple, get_args

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from contract.api import Outcome
from contract.errors import AnalyzerError, ModelUnavailableError, family
from contract.labels import CODES
from contract.quality import MESSAGES
from functions.classify.answer import Answer
from functions.classify.classifier import Classifier

SERVICE = "classify"


class Metric(NamedTuple):
    """One metric: its unit, and what it is split by beside the service."""

    unit: str
    dimensions: tuple[str, ...]
    meaning: str


METRICS = {
    "Requests": Metric("Count", (), "HTTP requests and batches, whatever became of them"),
    "Predictions": Metric("Count", (), "pictures that were answered"),
    "Outcomes": Metric("Count", ("outcome",), "what people were told"),
    "LeadingClasses": Metric("Count", ("class",), "the likeliest class"),
    "QualityFindings": Metric("Count", ("finding",), "what was found wanting in pictures"),
    "Refusals": Metric("Count", ("code",), "requests and pictures refused"),
    "Confidence": Metric("None", (), "probability of the likeliest class"),
    "MalignantProbability": Metric("None", (), "the malignant classes together"),
    "UnfamiliarScore": Metric("None", (), "how unlike the training pictures, 0 to 2"),
    "DecodeTime": Metric("Milliseconds", (), "opening, turning, scaling and judging the picture"),
    "InferenceTime": Metric("Milliseconds", (), "the model, and the search for its nearest training pictures"),
    "TotalTime": Metric("Milliseconds", (), "from the event to the answer"),
    "ModelLoadTime": Metric("Milliseconds", (), "fetching, verifying and opening the model, once a container"),
    "ModelLoadFailures": Metric("Count", ("code",), "attempts at loading that failed"),
    "ColdStart": Metric("Count", ("function_name",), "containers that answered for the first time"),
}
DIMENSION_VALUES = {  # all that there can be: CloudWatch charges for each combination
    "outcome": frozenset(get_args(Outcome)),
    "class": frozenset(CODES),
    "finding": frozenset(MESSAGES),
    "code": frozenset(error.code for error in family()),
    "function_name": frozenset({SERVICE}),
}


def record_event(metrics: Metrics) -> None:
    """Count an event, whatever becomes of it."""
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)


def record_load(metrics: Metrics, logger: Logger, classifier: Classifier, load_ms: float) -> None:
    """Tell how long it took to fetch, verify and open the model."""
    metrics.add_metric(name="ModelLoadTime", unit=MetricUnit.Milliseconds, value=load_ms)
    logger.info("model loaded", extra={"model_version": classifier.manifest.version, "load_ms": round(load_ms, 3)})


def record_load_failure(metrics: Metrics, logger: Logger, error: ModelUnavailableError, pause_s: float) -> None:
    """Tell why there is no model, and when it is tried again at the earliest."""
    logger.error(
        "model not loaded", extra={"code": error.code, "reason": str(error), "next_attempt_s": round(pause_s, 1)}
    )
    _count(metrics, "ModelLoadFailures", "code", error.code)


def record_prediction(metrics: Metrics, answer: Answer) -> None:
    """Tell what was answered, and how long it took; nothing here says whose picture it was."""
    prediction, timing = answer.prediction, answer.prediction.timing_ms
    metrics.add_metric(name="Predictions", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="DecodeTime", unit=MetricUnit.Milliseconds, value=timing.decode)
    metrics.add_metric(name="InferenceTime", unit=MetricUnit.Milliseconds, value=timing.inference)
    metrics.add_metric(name="TotalTime", unit=MetricUnit.Milliseconds, value=timing.total)
    metrics.add_metric(name="Confidence", unit=MetricUnit.NoUnit, value=prediction.classes[0].probability)
    metrics.add_metric(name="MalignantProbability", unit=MetricUnit.NoUnit, value=prediction.malignant_probability)
    metrics.add_metric(name="UnfamiliarScore", unit=MetricUnit.NoUnit, value=answer.unfamiliar_score)
    _count(metrics, "Outcomes", "outcome", prediction.outcome)
    _count(metrics, "LeadingClasses", "class", prediction.classes[0].code)
    for finding in prediction.image.quality:
        _count(metrics, "QualityFindings", "finding", finding.code)


def record_refusal(metrics: Metrics, error: AnalyzerError) -> None:
    """Count a refusal by its code."""
    _count(metrics, "Refusals", "code", error.code)


def _count(metrics: Metrics, name: str, dimension: str, value: str) -> None:
    """Count one under a dimension of its own, without splitting the other metrics by it."""
    counter = _counter(metrics.namespace)
    counter.add_dimension(dimension, value)
    counter.add_metric(name=name, unit=MetricUnit.Count, value=1)
    counter.flush_metrics()


@functools.cache
def _counter(namespace: str) -> EphemeralMetrics:
    """Make what counts one thing at a time; kept, for making it takes longer than counting."""
    return EphemeralMetrics(namespace=namespace, service=SERVICE)
