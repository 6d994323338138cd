"""The log of a training job, read from CloudWatch."""

from collections.abc import Iterator
from typing import Final

from operations.account import Account
from operations.aws_errors import aws_errors
from operations.jobs.job import describe_job

LOG_GROUP: Final = "/aws/sagemaker/TrainingJobs"


class JobLog:
    """The log lines of all instances of a job; each line is read once."""

    def __init__(self, name: str, account: Account) -> None:
        self.name, self._client = name, account.client("logs")
        self._tokens: dict[str, str | None] = {}  # stream -> position of the next line

    def read(self) -> Iterator[str]:
        """Yield the lines since the last call; none while the job has no log yet."""
        try:
            self._find_streams()
            for stream in self._tokens:
                yield from self._read(stream)
        except self._client.exceptions.ResourceNotFoundException:
            return

    def _find_streams(self) -> None:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self.name}/"
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


def read_log(name: str, account: Account) -> list[str]:
    """Read the complete log of a job up to now.

    Raises:
        DeploymentError: there is no job of that name, or AWS refuses.
    """
    describe_job(name, account)
    with aws_errors(f"reading the log of {name}"):
        return list(JobLog(name, account).read())
