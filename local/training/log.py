"""The log of a training job: a stream in CloudWatch Logs, and a file."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.training.container import HOST

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
SEND_EVERY_S = 0.5


@contextmanager
def job_log(logs: Any, job_name: str, path: Path) -> Iterator[Callable[[str], None]]:
    """Open the log, and yield a function that writes a line to it.

    Args:
        logs: boto3's client of CloudWatch Logs.
        job_name: the prefix of the log stream.
        path: the file; lines are appended.
    """
    stream = f"{job_name}/{HOST}-{int(time.time())}"
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=LOG_GROUP)  # SageMaker creates it with the first job of an account
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
    waiting: list[dict[str, Any]] = []
    lock, closed = threading.Lock(), threading.Event()

    def send() -> None:
        with lock:
            events, waiting[:] = waiting[:], []
        if events:
            logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)

    def send_regularly() -> None:
        while not closed.wait(SEND_EVERY_S):
            send()

    sender = threading.Thread(target=send_regularly, daemon=True)
    with path.open("a") as file:

        def write(line: str) -> None:
            print(line, file=file, flush=True)
            with lock:
                waiting.append({"timestamp": int(time.time() * 1000), "message": line or " "})

        sender.start()
        try:
            yield write
        finally:
            closed.set()
            sender.join()
            send()
