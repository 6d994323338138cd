"""Classifies a batch of pictures in S3, and writes one object of result rows to S3."""

import json
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from pydantic import ValidationError

from contract.api import MAX_BODY_BYTES, Problem
from contract.batch import Batch, BatchAnswer, results_key
from contract.errors import AnalyzerError, MalformedRequestError, StorageUnavailableError
from contract.rows import row_of
from functions.classify.answer import Answer, answer_picture
from functions.classify.classifier import Classifier
from functions.classify.metrics import record_prediction, record_refusal
from functions.classify.model_holder import ModelHolder
from functions.classify.s3 import S3
from functions.classify.settings import Settings


def classify_batch(
    event: dict[str, Any], context: Any, *, settings: Settings, models: ModelHolder, logger: Logger, metrics: Metrics
) -> dict[str, Any]:
    """Classify every picture of a batch, and write one object of rows.

    A refused or missing picture gets a row with the error. Temporary errors (no model, S3 not available) are raised:
    Step Functions then retries the whole batch.

    Raises:
        MalformedRequestError: the event does not follow `contract.batch.Batch`.
        ModelUnavailableError: no model can be loaded at the moment.
        StorageUnavailableError: the pictures cannot be read, or the rows cannot be written.
    """
    batch = _parse(event)
    classifier = models.current()
    s3 = S3(region=settings.region, endpoint_url=settings.s3_endpoint_url)
    rows, refused = [], 0
    for item in batch.items:
        try:
            answer = _answer(s3, batch.run.source.bucket, item.key, classifier)
        except StorageUnavailableError:
            raise
        except AnalyzerError as error:
            refused += 1
            record_refusal(metrics, error)
            rows.append(row_of(item.key, Problem.of(error, request_id=context.aws_request_id)))
            continue
        record_prediction(metrics, answer)
        rows.append(row_of(item.key, answer.prediction))
    key = results_key(batch.run, [item.key for item in batch.items])
    s3.write(batch.run.results.bucket, key, "".join(f"{json.dumps(row)}\n" for row in rows).encode())
    logger.info(
        "batch answered",
        extra={"pictures": len(rows), "refused": refused, "model_version": classifier.manifest.version},
    )
    return BatchAnswer(results_key=key, pictures=len(rows), refused=refused).model_dump()


def _parse(event: dict[str, Any]) -> Batch:
    try:
        return Batch.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MalformedRequestError(f"The batch is not valid at {where}: {first['msg']}.") from error


def _answer(s3: S3, bucket: str, key: str, classifier: Classifier) -> Answer:
    encoded = s3.read(bucket, key, max_bytes=MAX_BODY_BYTES)
    if not encoded:
        raise MalformedRequestError("The object is empty.")
    return answer_picture(encoded, classifier, explain=False)
