"""Training jobs as processes of this machine: the folders of SageMaker's container, the same entry point, the same S3.

What runs is the source that the job brought along, so a bundle that lacks a file fails here as it would there.
Instance, image, spot and network are not stood in for (docs/decisions/local-jobs.md).
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.s3_uri import S3Uri

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
HOST = "algo-1"
STOP_GRACE_S = 120.0  # from SIGTERM to SIGKILL, as SageMaker waits
LOG_EVERY_S = 0.5
ENDED = ("Completed", "Failed", "Stopped")


@dataclass(eq=False)
class Job:
    """One training job, from its creation to its end; times are seconds since 1970."""

    request: dict[str, Any]  # of CreateTrainingJob
    created: float = field(default_factory=time.time)
    status: str = "InProgress"
    secondary: str = "Pending"
    message: str = ""
    started: float | None = None
    ended: float | None = None
    failure: str | None = None
    transitions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    stop_asked: str | None = None  # the secondary status that it is to end with

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.request["TrainingJobName"])

    def enter(self, secondary: str, message: str) -> None:
        """Go on to a secondary status."""
        now = time.time()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        self.secondary, self.message = secondary, message

    def end(self, status: str, secondary: str, message: str) -> None:
        """Be over."""
        self.enter(secondary, message)
        self.ended, self.transitions[-1]["EndTime"] = time.time(), time.time()
        self.status = status  # last: who sees it finds everything else in place

    def described(self) -> dict[str, Any]:
        """Give what DescribeTrainingJob tells of it, beside what the request said."""
        kept = ("AlgorithmSpecification", "Environment", "ResourceConfig", "StoppingCondition")
        told: dict[str, Any] = {
            **{key: self.request[key] for key in kept if key in self.request},
            "CreationTime": self.created,
            "LastModifiedTime": self.ended or time.time(),
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary,
            "SecondaryStatusTransitions": self.transitions,
            "FinalMetricDataList": list(self.metrics.values()),
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "FailureReason": self.failure,
        }
        if self.started and self.ended:
            told |= {"TrainingTimeInSeconds": round(self.ended - self.started), "BillableTimeInSeconds": 0}
        return {key: value for key, value in told.items() if value is not None}


class Jobs:
    """All training jobs of the local stack; they run one after another, for they share one machine."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        """Take the folder under which each job has its own, and where S3 and CloudWatch Logs are."""
        self._folder, self._url = folder, endpoint_url
        self._jobs: dict[str, Job] = {}
        self._turn = threading.Lock()

    def find(self, name: str) -> Job | None:
        """Find a job by its name."""
        return self._jobs.get(name)

    def start(self, request: dict[str, Any]) -> Job:
        """Start a job as soon as it is its turn."""
        job = self._jobs[str(request["TrainingJobName"])] = Job(request)
        job.enter("Pending", "Waiting for the jobs before it")
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def stop(self, job: Job, secondary: str = "Stopped") -> None:
        """Ask a job to end: SIGTERM now, SIGKILL when the time that SageMaker gives is over."""
        job.stop_asked, job.status = secondary, "Stopping"
        if (process := job.process) is not None:
            process.send_signal(signal.SIGTERM)
            killer = threading.Timer(STOP_GRACE_S, process.kill)
            killer.daemon = True
            killer.start()

    def _run(self, job: Job) -> None:
        with self._turn:
            if job.stop_asked:
                return job.end("Stopped", job.stop_asked, "Stopped before it started")
            job.started = time.time()
            try:
                self._train(job)
            except Exception as error:  # whatever went wrong, the job is over, and says why
                job.failure = f"{type(error).__name__}: {error}"
                job.end("Failed", "Failed", "The local stack could not run the job")

    def _train(self, job: Job) -> None:
        request = job.request
        if (instances := request["ResourceConfig"]["InstanceCount"]) != 1:
            raise NotImplementedError(f"the local stack has one instance, and the job asks for {instances}")
        base = self._folder / job.name / "opt" / "ml"
        job.enter("Downloading", "Downloading the training data")
        for channel in request["InputDataConfig"]:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._download(uri, base / "input" / "data" / channel["ChannelName"])
        checkpoints = request.get("CheckpointConfig", {}).get("S3Uri")
        (base / "checkpoints").mkdir(parents=True, exist_ok=True)
        if checkpoints:
            self._download(checkpoints, base / "checkpoints")
        with tarfile.open(base / "input" / "data" / "code" / "source.tar.gz") as source:
            source.extractall(base / "code", filter="data")
        config = base / "input" / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "hyperparameters.json").write_text(json.dumps(request.get("HyperParameters", {})))
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": HOST, "hosts": [HOST]}))
        (base / "model").mkdir(exist_ok=True)

        job.enter("Training", "Training is in progress")
        status = self._follow(job, base)

        job.enter("Uploading", "Uploading what the job left")
        if checkpoints:
            self._upload(base / "checkpoints", checkpoints)
        if job.stop_asked:
            return job.end("Stopped", job.stop_asked, f"The job ended with {status} when it was asked to stop")
        if status != 0:
            failure = base / "output" / "failure"
            reason = failure.read_text() if failure.is_file() else "The job's log has its last words."
            job.failure = f"AlgorithmError: {reason[:1024]}, exit code: {status}"
            return job.end("Failed", "Failed", "Training failed")
        self._upload_model(base / "model", f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}")
        return job.end("Completed", "Completed", "Training job completed")

    def _follow(self, job: Job, base: Path) -> int:
        """Run the entry point to its end, and write what it says to CloudWatch Logs; return its exit status."""
        environment = {
            **os.environ,
            **job.request.get("Environment", {}),
            "SAGEMAKER_BASE_DIR": str(base),
            "TRAINING_JOB_NAME": job.name,
            "PYTHONPATH": str(base / "code"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "operations.container.entry"],
            cwd=base / "code",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            job.process = process
            if job.stop_asked:
                process.send_signal(signal.SIGTERM)
            limit = threading.Timer(
                job.request["StoppingCondition"]["MaxRuntimeInSeconds"], self.stop, (job, "MaxRuntimeExceeded")
            )
            limit.daemon = True
            limit.start()
            try:
                assert process.stdout  # noqa: S101
                with self._log(job) as write:
                    for line in process.stdout:
                        write(line.rstrip("\n"))
                        self._measure(job, line)
                status = process.wait()
            finally:
                limit.cancel()
                job.process = None
        return status

    @staticmethod
    def _measure(job: Job, line: str) -> None:
        for metric in job.request["AlgorithmSpecification"].get("MetricDefinitions", []):
            if found := re.search(metric["Regex"], line):
                with contextlib.suppress(ValueError):  # as SageMaker does with what is no number
                    job.metrics[metric["Name"]] = {
                        "MetricName": metric["Name"],
                        "Value": float(found[1]),
                        "Timestamp": time.time(),
                    }

    @contextlib.contextmanager
    def _log(self, job: Job) -> "Iterator[Any]":
        """Open the job's log stream: what is written goes there, and to a file beside the job's folders."""
        logs, stream = self._client("logs"), f"{job.name}/{HOST}-{int(time.time())}"
        with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=LOG_GROUP)  # as the first job of an account does
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        waiting: list[dict[str, Any]] = []
        lock, over = threading.Lock(), threading.Event()

        def send() -> None:
            with lock:
                events, waiting[:] = waiting[:], []
            if events:
                logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)

        def keep_sending() -> None:
            while not over.wait(LOG_EVERY_S):
                send()

        sender = threading.Thread(target=keep_sending, daemon=True)
        with (self._folder / job.name / "log").open("a") as file:

            def write(line: str) -> None:
                print(line, file=file, flush=True)
                with lock:
                    waiting.append({"timestamp": int(time.time() * 1000), "message": line or " "})

            sender.start()
            try:
                yield write
            finally:
                over.set()
                sender.join()
                send()

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, endpoint_url=self._url)  # type: ignore[call-overload]

    def _download(self, uri: str, folder: Path) -> None:
        """Copy every object under an S3 prefix, named from the prefix's last slash on."""
        bucket, prefix = S3Uri.parse(uri)
        folder.mkdir(parents=True, exist_ok=True)
        start = prefix.rfind("/") + 1
        s3 = self._client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                target = folder / entry["Key"][start:]
                if entry["Key"].endswith("/") or not target.resolve().is_relative_to(folder.resolve()):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, entry["Key"], str(target))

    def _upload(self, folder: Path, uri: str) -> None:
        """Make an S3 prefix hold what a folder holds."""
        bucket, prefix = S3Uri.parse(uri.rstrip("/") + "/")
        s3 = self._client("s3")
        there = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])}
        here = {f"{prefix}{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}
        for key, path in here.items():
            s3.upload_file(str(path), bucket, key)
        for key in there - here.keys():
            s3.delete_object(Bucket=bucket, Key=key)

    def _upload_model(self, model: Path, uri: str) -> None:
        archive = model.parent / "model.tar.gz"
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            tar.add(model, arcname=".")
        bucket, prefix = S3Uri.parse(uri)
        self._client("s3").upload_file(str(archive), bucket, f"{prefix}/output/model.tar.gz")
