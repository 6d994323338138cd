"""Runs training jobs as processes of this machine, one after another, with SageMaker's statuses.

A job runs the source bundle that it brings, not this checkout: a file that is missing in the bundle fails the job here
as on SageMaker. docs/decisions/local-jobs.md lists the differences from SageMaker.
"""

import contextlib
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from local.training.container import TrainingContainer
from local.training.job import TrainingJob
from local.training.log import job_log

STOP_GRACE_S = 120.0  # from SIGTERM to SIGKILL, as on SageMaker


class TrainingJobs:
    """All training jobs of the local stack. They share one machine, so they run one after another."""

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        """Create an empty queue.

        Args:
            folder: each job gets a subfolder of it.
            endpoint_url: of S3 and CloudWatch Logs.
        """
        self._folder, self._endpoint_url = folder, endpoint_url
        self._jobs: dict[str, TrainingJob] = {}
        self._machine = threading.Lock()

    def find(self, name: str) -> TrainingJob | None:
        """Find a job by its name."""
        return self._jobs.get(name)

    def start(self, request: dict[str, Any]) -> TrainingJob:
        """Queue a job, which starts when the jobs before it have ended."""
        job = self._jobs[str(request["TrainingJobName"])] = TrainingJob(request)
        job.enter("Pending", "Waiting for the jobs before it")
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def stop(self, job: TrainingJob, secondary_status: str = "Stopped") -> None:
        """Stop a job: send SIGTERM now, and SIGKILL after the time that SageMaker gives."""
        job.stop_status, job.status = secondary_status, "Stopping"
        if (process := job.process) is not None:
            process.send_signal(signal.SIGTERM)
            kill = threading.Timer(STOP_GRACE_S, process.kill)
            kill.daemon = True
            kill.start()

    def _run(self, job: TrainingJob) -> None:
        with self._machine:
            if job.stop_status:
                return job.end("Stopped", job.stop_status, "Stopped before it started")
            job.started = time.time()
            try:
                self._train(job)
            except Exception as error:  # after any error, a job must end with a reason
                job.failure_reason = f"{type(error).__name__}: {error}"
                job.end("Failed", "Failed", "The local stack could not run the job")

    def _train(self, job: TrainingJob) -> None:
        if (instances := job.request["ResourceConfig"]["InstanceCount"]) != 1:
            raise NotImplementedError(f"the local stack has one instance, and the job asks for {instances}")
        container = TrainingContainer(job.request, self._folder / job.name / "opt" / "ml", self._client("s3"))
        job.enter("Downloading", "Downloading the training data")
        container.prepare()

        job.enter("Training", "Training is in progress")
        exit_code = self._run_entry_point(job, container)

        job.enter("Uploading", "Uploading the job's output")
        container.upload_checkpoints()
        if job.stop_status:
            return job.end("Stopped", job.stop_status, f"The job was stopped and exited with {exit_code}")
        if exit_code != 0:
            job.failure_reason = f"AlgorithmError: {container.failure()[:1024]}, exit code: {exit_code}"
            return job.end("Failed", "Failed", "Training failed")
        container.upload_model()
        return job.end("Completed", "Completed", "Training job completed")

    def _run_entry_point(self, job: TrainingJob, container: TrainingContainer) -> int:
        """Run the entry point to its end, and send its output to CloudWatch Logs; return its exit code."""
        with subprocess.Popen(
            container.command,
            cwd=container.code,
            env=container.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            job.process = process
            if job.stop_status:  # the request to stop came while the process started
                process.send_signal(signal.SIGTERM)
            time_limit = threading.Timer(
                job.request["StoppingCondition"]["MaxRuntimeInSeconds"], self.stop, (job, "MaxRuntimeExceeded")
            )
            time_limit.daemon = True
            time_limit.start()
            try:
                assert process.stdout  # noqa: S101
                with job_log(self._client("logs"), job.name, self._folder / job.name / "log") as write:
                    for line in process.stdout:
                        write(line.rstrip("\n"))
                        _read_metrics(job, line)
                exit_code = process.wait()
            finally:
                time_limit.cancel()
                job.process = None
        return exit_code

    def _client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, endpoint_url=self._endpoint_url)  # type: ignore[call-overload]


def _read_metrics(job: TrainingJob, line: str) -> None:
    """Read metrics from a line of the log by the job's own regular expressions."""
    for metric in job.request["AlgorithmSpecification"].get("MetricDefinitions", []):
        if found := re.search(metric["Regex"], line):
            with contextlib.suppress(ValueError):  # SageMaker ignores a match that is not a number, too
                job.metrics[metric["Name"]] = {
                    "MetricName": metric["Name"],
                    "Value": float(found[1]),
                    "Timestamp": time.time(),
                }
