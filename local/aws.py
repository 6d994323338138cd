"""AWS's APIs on this machine: moto's server, in front of which training jobs are made real.

moto keeps what a training job was asked to do and calls it completed at once. Here the job runs, and the calls about it
say what became of it.
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

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from local.jobs import ENDED, Job, Jobs
from local.processes import HOST

TARGET = "SageMaker."
JSON = "application/x-amz-json-1.1"

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def create_aws(jobs: Jobs) -> Wsgi:
    """Build the WSGI application: moto, with the jobs in front of it."""
    moto: Wsgi = DomainDispatcherApplication(create_backend_app)
    answers = {
        "CreateTrainingJob": _create,
        "DescribeTrainingJob": _describe,
        "ListTrainingJobs": _list,
        "StopTrainingJob": _stop,
    }

    def aws(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = answers.get(environ.get("HTTP_X_AMZ_TARGET", "").removeprefix(TARGET))
        if answer is None:
            return moto(environ, start_response)
        asked = json.loads(Request(environ).get_data() or b"{}")

        def ask_moto(body: dict[str, Any]) -> Response:
            encoded = json.dumps(body).encode()
            return Response.from_app(
                moto, {**environ, "wsgi.input": io.BytesIO(encoded), "CONTENT_LENGTH": str(len(encoded))}
            )

        return answer(jobs, asked, ask_moto)(environ, start_response)

    return aws


AskMoto = Callable[[dict[str, Any]], Response]


def _create(jobs: Jobs, asked: dict[str, Any], ask_moto: AskMoto) -> Response:
    if jobs.find(asked["TrainingJobName"]):
        return _refusal("ResourceInUse", "Training job names must be unique within an AWS account and region.")
    response = ask_moto(asked)
    if response.status_code == 200:
        jobs.start(asked)
    return response


def _describe(jobs: Jobs, asked: dict[str, Any], ask_moto: AskMoto) -> Response:
    job = jobs.find(asked["TrainingJobName"])
    if job is None:
        return _refusal("ValidationException", "Requested resource not found.")
    described = json.loads(ask_moto(asked).get_data())
    for name in ("TrainingStartTime", "TrainingEndTime", *(("ModelArtifacts",) if job.status != "Completed" else ())):
        described.pop(name, None)  # moto has them at once
    return Response(json.dumps({**described, **job.described()}), content_type=JSON)


def _list(jobs: Jobs, asked: dict[str, Any], ask_moto: AskMoto) -> Response:
    """Let moto find all that match by name and time; whose status, which order and which page is told here."""
    status = asked.pop("StatusEquals", None)
    at_most, begin = asked.pop("MaxResults", 10), int(asked.pop("NextToken", 0))
    response = ask_moto(asked)
    if response.status_code != 200:
        return response
    found = []
    for summary in json.loads(response.get_data())["TrainingJobSummaries"]:
        job = jobs.find(summary["TrainingJobName"])
        if job is not None and status in (None, job.status):
            summary.pop("TrainingEndTime", None)
            found.append(summary | _summary(job))
    found.sort(key=lambda summary: summary["CreationTime"], reverse=asked.get("SortOrder") == "Descending")
    end = begin + at_most
    listed = {"TrainingJobSummaries": found[begin:end], **({"NextToken": str(end)} if end < len(found) else {})}
    return Response(json.dumps(listed), content_type=JSON)


def _summary(job: Job) -> dict[str, Any]:
    told = job.described()
    names = ("CreationTime", "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus", "TrainingEndTime")
    return {name: told[name] for name in names if name in told}


def _stop(jobs: Jobs, asked: dict[str, Any], _: AskMoto) -> Response:
    job = jobs.find(asked["TrainingJobName"])
    if job is None:
        return _refusal("ValidationException", "Requested resource not found.")
    if job.status in ENDED:
        return _refusal(
            "ValidationException",
            f"The request was rejected because the training job is in status {job.status}.",
        )
    jobs.stop(job)
    return Response(b"", content_type=JSON)


def _refusal(code: str, message: str) -> Response:
    return Response(json.dumps({"__type": code, "message": message}), 400, content_type=JSON)


def main() -> None:
    """Serve until SIGTERM. AWS's environment variables are those of the jobs, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--jobs", type=Path, required=True, help="folder under which each training job has its own")
    options = parser.parse_args()
    os.environ["MOTO_PORT"] = str(options.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = options.jobs / time.strftime("%Y%m%dT%H%M%S")  # names of jobs may come again with the next stack
    jobs = Jobs(folder.absolute(), f"http://{HOST}:{options.port}")
    run_simple(HOST, options.port, create_aws(jobs), threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
