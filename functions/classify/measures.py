"""What CloudWatch is told, in its embedded metric format: few metrics, with few and bounded dimensions."""

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from contract.api import Prediction
from contract.errors import AnalyzerError
from functions.classify.classifier import Classifier

SERVICE = "classify"
NAMESPACE = "SkinLesionAnalyzer"


def record_request(metrics: Metrics) -> None:
    """Count a request, whatever becomes of it."""
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)


def record_load(metrics: Metrics, logger: Logger, classifier: Classifier, load_ms: float) -> None:
    """Tell how long it took to fetch, verify and open the model."""
    metrics.add_metric(name="ModelLoadTime", unit=MetricUnit.Milliseconds, value=load_ms)
    logger.info("model loaded", extra={"model_version": classifier.manifest.version, "load_ms": load_ms})


def record_prediction(metrics: Metrics, prediction: Prediction, unfamiliar_score: float) -> None:
    """Tell what was answered, and how long it took."""
    timing = prediction.timing_ms
    metrics.add_metric(name="Predictions", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="DecodeTime", unit=MetricUnit.Milliseconds, value=timing.decode)
    metrics.add_metric(name="InferenceTime", unit=MetricUnit.Milliseconds, value=timing.inference)
    metrics.add_metric(name="TotalTime", unit=MetricUnit.Milliseconds, value=timing.total)
    metrics.add_metric(name="MalignantProbability", unit=MetricUnit.NoUnit, value=prediction.malignant_probability)
    metrics.add_metric(name="UnfamiliarScore", unit=MetricUnit.NoUnit, value=unfamiliar_score)
    metrics.add_metric(name="QualityFindings", unit=MetricUnit.Count, value=len(prediction.image.quality))
    _count("Outcomes", "outcome", prediction.outcome)
    _count("LeadingClasses", "class", prediction.classes[0].code)


def record_refusal(error: AnalyzerError) -> None:
    """Count a refusal by its code."""
    _count("Refusals", "code", error.code)


def _count(name: str, dimension: str, value: str) -> None:
    """Count one under a dimension of its own, without splitting the other metrics by it."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as metric:
        metric.add_dimension("service", SERVICE)
        metric.add_dimension(dimension, value)
