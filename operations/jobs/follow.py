"""Jobs that were started: which there are, what they say, how they end. The log is read from CloudWatch."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from contract.errors import DeploymentError
from operations.aws import client, told

LOG_GROUP: Final = "/aws/sagemaker/TrainingJobs"
ENDED: Final = ("Completed", "Failed", "Stopped")
POLL_S: Final = 5.0
PATIENCE_S: Final = 15 * 60.0  # how long a lost connection is waited for
LONGEST_PAUSE_S: Final = 30.0
_PROGRESS: Final = re.compile(r"^progress: (.+) (\d+)/(\d+)$")
_PASSING: Final = ("Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable",
                   "InternalFailure", "InternalServerError", "500", "502", "503", "504")  # fmt: skip

_WHAT_TO_DO: Final = {  # a word of the secondary status or the reason -> advice
    "CapacityError": "AWS has no such instances to spare now: try again later, or name another --instance-type.",
    "MaxWaitTimeExceeded": "Spot capacity did not suffice in time: wait longer, or pay for --on-demand.",
    "MaxRuntimeExceeded": "The time limit was reached.",
}


@dataclass(frozen=True, kw_only=True)
class JobState:
    """What SageMaker tells of a job at a moment."""

    name: str
    status: str  # InProgress, Completed, Failed, Stopping, Stopped
    secondary: str  # Starting, Downloading, Training, ...
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    failure: str | None = None
    instance_type: str | None = None
    instances: int | None = None
    spot: bool = False
    training_s: int | None = None
    billable_s: int | None = None
    checkpoints_uri: str | None = None
    weights_uri: str | None = None  # of the channel, where there is one
    model_uri: str | None = None  # of the job's own model.tar.gz
    hyperparameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""  # of the secondary status

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status in ENDED

    @property
    def advice(self) -> str:
        """What can be done about how it ended; nothing where it ended well."""
        if not self.over or self.status == "Completed":
            return ""
        where = f"{self.secondary} {self.failure or ''}"
        advice = [sentence for word, sentence in _WHAT_TO_DO.items() if word in where]
        if self.checkpoints_uri:
            advice.append(f"What it had learned is kept: `lesion retrain --resume {self.name}` goes on.")
        return " ".join(advice)


def describe(name: str, region: str | None = None) -> JobState:
    """Describe a job.

    Raises:
        DeploymentError: there is none of that name, or AWS refuses.
    """
    with told(f"looking for the job {name}"):
        try:
            return _state(client("sagemaker", region).describe_training_job(TrainingJobName=name))
        except ClientError as error:
            if _is_unknown(error):
                raise DeploymentError(_unknown(name)) from error
            raise


def list_jobs(region: str | None = None, at_most: int = 20) -> list[JobState]:
    """List jobs, the newest first.

    Raises:
        DeploymentError: AWS refuses.
    """
    with told("listing the jobs"):
        sagemaker = client("sagemaker", region)
        listed = sagemaker.list_training_jobs(SortBy="CreationTime", SortOrder="Descending", MaxResults=at_most)
        return [
            JobState(
                name=summary["TrainingJobName"],
                status=summary["TrainingJobStatus"],
                secondary=summary.get("SecondaryStatus", ""),
                created=summary["CreationTime"],
                ended=summary.get("TrainingEndTime"),
            )
            for summary in listed["TrainingJobSummaries"]
        ]


def stop(name: str, region: str | None = None) -> JobState:
    """Ask a job to end; its checkpoint is written first. One that has ended is left as it is.

    Raises:
        DeploymentError: there is none of that name, or AWS refuses.
    """
    state = describe(name, region)
    if state.over:
        raise DeploymentError(f"The job {name} is {state.status} already: there is nothing to stop.")
    with told(f"stopping the job {name}"):
        client("sagemaker", region).stop_training_job(TrainingJobName=name)
    return describe(name, region)


class Log:
    """A job's lines, from all of its instances, each given once."""

    def __init__(self, name: str, region: str | None = None) -> None:
        self._name, self._client = name, client("logs", region)
        self._tokens: dict[str, str | None] = {}  # of each stream, where to go on

    def read(self) -> Iterator[str]:
        """Give what has come since the last time; nothing while the job has no log yet."""
        try:
            self._find_streams()
            for stream in self._tokens:
                yield from self._read(stream)
        except self._client.exceptions.ResourceNotFoundException:
            return

    def _find_streams(self) -> None:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._name}/"
        )
        for page in pages:
            for stream in page["logStreams"]:
                self._tokens.setdefault(stream["logStreamName"], None)

    def _read(self, stream: str) -> Iterator[str]:
        while True:
            token = self._tokens[stream]
            page = self._client.get_log_events(
                logGroupName=LOG_GROUP,
                logStreamName=stream,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            self._tokens[stream] = page["nextForwardToken"]
            for event in page["events"]:
                yield str(event["message"])
            if not page["events"] or page["nextForwardToken"] == token:
                return


@dataclass(frozen=True)
class Watcher:
    """Who is told while a job is followed."""

    line: Callable[[str], None]
    progress: Callable[[str, int, int], None]
    state: Callable[[JobState], None]
    trouble: Callable[[str], None]


def read_log(name: str, region: str | None = None) -> list[str]:
    """Read all that a job has said.

    Raises:
        DeploymentError: there is no job of that name, or AWS refuses.
    """
    describe(name, region)
    with told(f"reading the log of {name}"):
        return list(Log(name, region).read())


def follow(
    name: str, watcher: Watcher, region: str | None = None, *, poll_s: float = POLL_S, patience_s: float = PATIENCE_S
) -> JobState:
    """Follow a job to its end. A connection that is lost is waited for: the job does not need it.

    Raises:
        DeploymentError: there is no such job, AWS refuses, or the connection does not come back.
    """
    state = describe(name, region)
    log = Log(name, region)
    seen = ""
    lost_at: float | None = None
    pause = poll_s
    while True:
        try:
            if lost_at is not None:
                state = describe(name, region)
            over = state.over  # asked before the log is read, so that the last lines are not missed
            with told(f"reading the log of {name}"):
                for line in log.read():
                    if progress := _PROGRESS.match(line):
                        watcher.progress(progress[1], int(progress[2]), int(progress[3]))
                    else:
                        watcher.line(line)
            if lost_at is not None:
                watcher.trouble("the connection is back")
                lost_at, pause = None, poll_s
            if state.secondary != seen:
                seen = state.secondary
                watcher.state(state)
            if over:
                return state
            time.sleep(poll_s)
            state = describe(name, region)
        except DeploymentError as error:
            if not _is_passing(error.__cause__):
                raise
            now = time.monotonic()
            if lost_at is None:
                lost_at = now
                watcher.trouble("the connection is lost; the job goes on, and so does this once it is back")
            elif now - lost_at > patience_s:
                raise DeploymentError(
                    f"AWS has not answered for {patience_s / 60:.0f} minutes. The job goes on all the same: "
                    f"`lesion jobs logs {name} --follow` takes up from here."
                ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def _is_passing(cause: BaseException | None) -> bool:
    """Tell whether it may help to ask again."""
    if isinstance(cause, ClientError):
        return cause.response.get("Error", {}).get("Code") in _PASSING
    return isinstance(cause, (HTTPClientError, ConnectionError))


def _is_unknown(error: ClientError) -> bool:
    told_by_aws = error.response.get("Error", {})
    return told_by_aws.get("Code") in ("ValidationException", "ResourceNotFound") and any(
        words in told_by_aws.get("Message", "") for words in ("not found", "Could not find")
    )


def _unknown(name: str) -> str:
    return f"There is no job {name}: `lesion jobs list` shows those there are."


def _state(told_by_aws: dict[str, Any]) -> JobState:
    resources = told_by_aws.get("ResourceConfig", {})
    transitions = told_by_aws.get("SecondaryStatusTransitions") or [{}]
    channels = {
        channel["ChannelName"]: channel["DataSource"].get("S3DataSource", {}).get("S3Uri")
        for channel in told_by_aws.get("InputDataConfig", [])
    }
    return JobState(
        name=told_by_aws["TrainingJobName"],
        status=told_by_aws["TrainingJobStatus"],
        secondary=told_by_aws.get("SecondaryStatus", ""),
        message=transitions[-1].get("StatusMessage", ""),
        created=told_by_aws["CreationTime"],
        started=told_by_aws.get("TrainingStartTime"),
        ended=told_by_aws.get("TrainingEndTime"),
        failure=told_by_aws.get("FailureReason"),
        instance_type=resources.get("InstanceType"),
        instances=resources.get("InstanceCount"),
        spot=told_by_aws.get("EnableManagedSpotTraining", False),
        training_s=told_by_aws.get("TrainingTimeInSeconds"),
        billable_s=told_by_aws.get("BillableTimeInSeconds"),
        checkpoints_uri=told_by_aws.get("CheckpointConfig", {}).get("S3Uri"),
        weights_uri=channels.get("weights"),
        model_uri=told_by_aws.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
        hyperparameters=told_by_aws.get("HyperParameters", {}),
        metrics={metric["MetricName"]: metric["Value"] for metric in told_by_aws.get("FinalMetricDataList", [])},
    )
