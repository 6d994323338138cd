"""The program behind the local AWS APIs: moto's server, with training jobs that really run.

moto records a training job and reports it as completed at once. Here the job runs, and four operations of SageMaker
report its true state: CreateTrainingJob, DescribeTrainingJob, ListTrainingJobs and StopTrainingJob.
"""

import argparse
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from local.aws_json import CONTENT_TYPE, error_response, json_response
from local.processes import HOST
from local.training.job import END_STATUSES, TrainingJob
from local.training.jobs import TrainingJobs

TARGET_PREFIX = "SageMaker."

CallMoto = Callable[[dict[str, Any]], Response]


def create_aws(jobs: TrainingJobs) -> WSGIApplication:
    """Build the WSGI application: moto, with the four operations of training jobs in front of it."""
    moto: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    operations = {
        "CreateTrainingJob": _create,
        "DescribeTrainingJob": _describe,
        "ListTrainingJobs": _list,
        "StopTrainingJob": _stop,
    }

    def aws(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        operation = operations.get(environ.get("HTTP_X_AMZ_TARGET", "").removeprefix(TARGET_PREFIX))
        if operation is None:
            return moto(environ, start_response)
        request = json.loads(Request(environ).get_data() or b"{}")

        def call_moto(body: dict[str, Any]) -> Response:
            encoded = json.dumps(body).encode()
            return Response.from_app(
                moto, {**environ, "wsgi.input": io.BytesIO(encoded), "CONTENT_LENGTH": str(len(encoded))}
            )

        return operation(jobs, request, call_moto)(environ, start_response)

    return aws


def _create(jobs: TrainingJobs, request: dict[str, Any], call_moto: CallMoto) -> Response:
    if jobs.find(request["TrainingJobName"]):
        message = "Training job names must be unique within an AWS account and region."
        return error_response(400, "ResourceInUse", message)
    response = call_moto(request)
    if response.status_code == 200:
        jobs.start(request)
    return response


def _describe(jobs: TrainingJobs, request: dict[str, Any], call_moto: CallMoto) -> Response:
    job = jobs.find(request["TrainingJobName"])
    if job is None:
        return _not_found()
    described = json.loads(call_moto(request).get_data())
    # moto reports these fields at once, also of a job that has no start, no end or no model
    for name in ("TrainingStartTime", "TrainingEndTime", *(("ModelArtifacts",) if job.status != "Completed" else ())):
        described.pop(name, None)
    return json_response({**described, **job.description()})


def _list(jobs: TrainingJobs, request: dict[str, Any], call_moto: CallMoto) -> Response:
    """Let moto filter by name and time; filter by the true status, sort and paginate here."""
    status = request.pop("StatusEquals", None)
    max_results, start = request.pop("MaxResults", 10), int(request.pop("NextToken", 0))
    response = call_moto(request)
    if response.status_code != 200:
        return response
    summaries = []
    for summary in json.loads(response.get_data())["TrainingJobSummaries"]:
        job = jobs.find(summary["TrainingJobName"])
        if job is not None and status in (None, job.status):
            summary.pop("TrainingEndTime", None)
            summaries.append(summary | _summary(job))
    summaries.sort(key=lambda summary: summary["CreationTime"], reverse=request.get("SortOrder") == "Descending")
    end = start + max_results
    next_page = {"NextToken": str(end)} if end < len(summaries) else {}
    return json_response({"TrainingJobSummaries": summaries[start:end], **next_page})


def _summary(job: TrainingJob) -> dict[str, Any]:
    description = job.description()
    names = ("CreationTime", "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "TrainingEndTime")
    return {name: description[name] for name in names if name in description}


def _stop(jobs: TrainingJobs, request: dict[str, Any], _: CallMoto) -> Response:
    job = jobs.find(request["TrainingJobName"])
    if job is None:
        return _not_found()
    if job.status in END_STATUSES:
        message = f"The request was rejected because the training job is in status {job.status}."
        return error_response(400, "ValidationException", message)
    jobs.stop(job)
    return Response(b"", content_type=CONTENT_TYPE)


def _not_found() -> Response:
    return error_response(400, "ValidationException", "Requested resource not found.")


def main() -> None:
    """Serve until SIGTERM. The jobs inherit this process's environment variables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", type=Path, required=True, help="parent folder of the training jobs' folders")
    options = parser.parse_args()
    os.environ["MOTO_PORT"] = str(options.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = options.jobs / time.strftime("%Y%m%dT%H%M%S")  # the next stack may use the same job names
    jobs = TrainingJobs(folder.absolute(), f"http://{HOST}:{options.port}")
    run_simple(HOST, options.port, create_aws(jobs), threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
