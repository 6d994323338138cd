"""Follow a training job until it ends: its log, its progress and its state."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from contract.errors import DeploymentError
from operations.account import Account
from operations.aws_errors import aws_errors
from operations.jobs.job import JobState, describe_job
from operations.jobs.log import JobLog
from training.progress import Log, OnProgress

POLL_S: Final = 5.0
RECONNECT_TIMEOUT_S: Final = 15 * 60.0
MAX_PAUSE_S: Final = 30.0  # between two attempts to reconnect
_PROGRESS: Final = re.compile(r"^progress: (.+) (\d+)/(\d+)$")
_TEMPORARY: Final = ("Throttling", "ThrottlingException", "TooManyRequestsException", "ServiceUnavailable",
                     "InternalFailure", "InternalServerError", "500", "502", "503", "504")  # fmt: skip


@dataclass(frozen=True)
class JobListener:
    """Callbacks of `follow`."""

    line: Log  # a line of the job's log
    progress: OnProgress
    state: Callable[[JobState], None]  # the secondary status has changed
    connection: Log  # a sentence: the connection was lost, or is back


def follow(
    name: str,
    listener: JobListener,
    account: Account,
    *,
    poll_s: float = POLL_S,
    reconnect_timeout_s: float = RECONNECT_TIMEOUT_S,
) -> JobState:
    """Follow a job until it ends. A lost connection is tried again, because the job runs without it.

    Raises:
        DeploymentError: there is no such job, AWS refuses, or the connection stays lost.
    """
    state = describe_job(name, account)
    log = JobLog(name, account)
    last_seen = ""
    lost_at: float | None = None
    pause_s = poll_s
    while True:
        try:
            if lost_at is not None:
                state = describe_job(name, account)
            ended = state.has_ended  # read before the log: the lines that are written between the two are not missed
            _report_new_lines(log, listener)
            if lost_at is not None:
                listener.connection("the connection is back")
                lost_at, pause_s = None, poll_s
            if state.secondary != last_seen:
                last_seen = state.secondary
                listener.state(state)
            if ended:
                return state
            time.sleep(poll_s)
            state = describe_job(name, account)
        except DeploymentError as error:
            if not _is_temporary(error.__cause__):
                raise
            now = time.monotonic()
            if lost_at is None:
                lost_at = now
                listener.connection("the connection is lost, but the job continues; trying to reconnect")
            elif now - lost_at > reconnect_timeout_s:
                raise DeploymentError(
                    f"AWS has not answered for {reconnect_timeout_s / 60:.0f} minutes, but the job continues: "
                    f"`lesion jobs logs {name} --follow` follows it again."
                ) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)


def _report_new_lines(log: JobLog, listener: JobListener) -> None:
    with aws_errors(f"reading the log of {log.name}"):
        for line in log.read():
            if progress := _PROGRESS.match(line):
                listener.progress(progress[1], int(progress[2]), int(progress[3]))
            else:
                listener.line(line)


def _is_temporary(cause: BaseException | None) -> bool:
    """Return whether the same call may succeed later."""
    if isinstance(cause, ClientError):
        return cause.response.get("Error", {}).get("Code") in _TEMPORARY
    return isinstance(cause, (HTTPClientError, ConnectionError))
