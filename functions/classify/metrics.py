"""CloudWatch metrics, in the embedded metric format: few metrics, and few dimensions with a fixed set of values."""

import functools
from typing import NamedTuple, get_args

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from contract.api import Outcome
from contract.errors import AnalyzerError, ModelUnavailableError, error_classes
from contract.labels import CODES
from contract.quality import MESSAGES
from functions.classify.answer import Answer
from functions.classify.classifier import Classifier

SERVICE = "classify"


class MetricDefinition(NamedTuple):
    """One metric: its unit, its dimensions other than the service, and its meaning."""

    unit: str
    dimensions: tuple[str, ...]
    meaning: str


METRICS = {
    "Requests": MetricDefinition("Count", (), "HTTP requests and batches, with any result"),
    "Predictions": MetricDefinition("Count", (), "pictures that got a prediction"),
    "Outcomes": MetricDefinition("Count", ("outcome",), "outcomes of the predictions"),
    "LeadingClasses": MetricDefinition("Count", ("class",), "likeliest classes of the predictions"),
    "QualityFindings": MetricDefinition("Count", ("finding",), "quality findings in the pictures"),
    "Refusals": MetricDefinition("Count", ("code",), "refused requests and pictures"),
    "Confidence": MetricDefinition("None", (), "probability of the likeliest class"),
    "MalignantProbability": MetricDefinition("None", (), "sum of the probabilities of the malignant classes"),
    "UnfamiliarScore": MetricDefinition("None", (), "how different from the training pictures, 0 to 2"),
    "DecodeTime": MetricDefinition(
        "Milliseconds", (), "opening, turning and scaling the picture, and checking its quality"
    ),
    "InferenceTime": MetricDefinition(
        "Milliseconds", (), "the model, and the search for the nearest training pictures"
    ),
    "TotalTime": MetricDefinition("Milliseconds", (), "from the event to the prediction"),
    "ModelLoadTime": MetricDefinition(
        "Milliseconds", (), "fetching, verifying and opening the model, once per container"
    ),
    "ModelLoadFailures": MetricDefinition("Count", ("code",), "failed attempts to load the model"),
    "ColdStart": MetricDefinition("Count", ("function_name",), "first events of new containers"),
}
DIMENSION_VALUES = {  # all possible values: CloudWatch charges for each combination
    "outcome": frozenset(get_args(Outcome)),
    "class": frozenset(CODES),
    "finding": frozenset(MESSAGES),
    "code": frozenset(error.code for error in error_classes()),
    "function_name": frozenset({SERVICE}),
}


def record_event(metrics: Metrics) -> None:
    """Count an event, with any result."""
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)


def record_load(metrics: Metrics, logger: Logger, classifier: Classifier, load_ms: float) -> None:
    """Record how long it took to fetch, verify and open the model."""
    metrics.add_metric(name="ModelLoadTime", unit=MetricUnit.Milliseconds, value=load_ms)
    logger.info("model loaded", extra={"model_version": classifier.manifest.version, "load_ms": round(load_ms, 3)})


def record_load_failure(metrics: Metrics, logger: Logger, error: ModelUnavailableError, pause_s: float) -> None:
    """Record why there is no model, and when the next attempt may start."""
    logger.error(
        "model not loaded", extra={"code": error.code, "reason": str(error), "next_attempt_s": round(pause_s, 1)}
    )
    _count(metrics, "ModelLoadFailures", "code", error.code)


def record_prediction(metrics: Metrics, answer: Answer) -> None:
    """Record a prediction and its times; nothing identifies the request or the person."""
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
    """Add 1 to a metric that has one more dimension than the other metrics."""
    counter = _counter(metrics.namespace)
    counter.add_dimension(dimension, value)
    counter.add_metric(name=name, unit=MetricUnit.Count, value=1)
    counter.flush_metrics()


@functools.cache
def _counter(namespace: str) -> EphemeralMetrics:
    """Make the metrics object of one count; cached, because making it takes longer than counting."""
    return EphemeralMetrics(namespace=namespace, service=SERVICE)
