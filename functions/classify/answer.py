"""From one encoded picture to its prediction: decode, check the quality, classify, choose the outcome."""

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from contract.api import Picture, Prediction, QualityFinding, Square, Timing
from contract.image import decode_image
from contract.labels import DISCLAIMER
from contract.outcome import decide, is_unfamiliar, malignant_probability, rank_classes
from contract.quality import assess
from functions.classify.classifier import Classifier
from functions.classify.explanation import explain as explain_class

Segment = Callable[[str], AbstractContextManager[Any]]  # opens a named segment of the X-Ray trace


class Answer(NamedTuple):
    """The prediction for the caller, and a score that goes only to CloudWatch."""

    prediction: Prediction
    unfamiliar_score: float


class Stopwatch:
    """Measures milliseconds since its creation and since the last lap."""

    def __init__(self) -> None:
        self._start = self._lap = time.perf_counter()

    def lap_ms(self) -> float:
        """Return the milliseconds since the last lap, and start the next."""
        before, self._lap = self._lap, time.perf_counter()
        return round((self._lap - before) * 1000, 3)

    def total_ms(self) -> float:
        """Return the milliseconds since its creation."""
        return round((time.perf_counter() - self._start) * 1000, 3)


def answer_picture(
    encoded: bytes,
    classifier: Classifier,
    *,
    explain: bool,
    stopwatch: Stopwatch | None = None,
    segment: Segment = nullcontext,
) -> Answer:
    """Answer one picture.

    Args:
        encoded: the bytes of a JPEG, PNG, WebP or HEIC file.
        classifier: the model.
        explain: whether to add the explanation of the likeliest class.
        stopwatch: started when the request arrived; None starts one now.
        segment: opens a tracing segment.

    Raises:
        the errors of `contract.image.decode_image`.
    """
    stopwatch = stopwatch or Stopwatch()
    manifest = classifier.manifest
    stopwatch.lap_ms()
    with segment("## decode"):
        decoded = decode_image(encoded, classifier.input_size)
        findings = assess(decoded)
    decode_ms = stopwatch.lap_ms()
    with segment("## inference"):
        output = classifier.predict(decoded.pixels)
    inference_ms = stopwatch.lap_ms()
    classes = rank_classes(output.probabilities, manifest.labels)
    malignant = malignant_probability(output.probabilities, manifest)
    outcome = decide(
        classes,
        malignant=malignant,
        unfamiliar_score=output.unfamiliar_score,
        findings=findings,
        manifest=manifest,
    )
    seen = decoded.square
    prediction = Prediction(
        prediction_id=str(uuid.uuid4()),
        model_version=manifest.version,
        outcome=outcome,
        unfamiliar=is_unfamiliar(output.unfamiliar_score, manifest),
        classes=classes,
        malignant_probability=malignant,
        image=Picture(
            width=decoded.width,
            height=decoded.height,
            square=Square.inside(
                seen.left, seen.top, seen.right - seen.left, width=decoded.width, height=decoded.height
            ),
            quality=[QualityFinding(**vars(finding)) for finding in findings],
        ),
        explanation=explain_class(output.class_map, classes[0].code, manifest.labels) if explain else None,
        timing_ms=Timing(decode=decode_ms, inference=inference_ms, total=stopwatch.total_ms()),
        disclaimer=DISCLAIMER,
    )
    return Answer(prediction, output.unfamiliar_score)
