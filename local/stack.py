"""The whole stack on one machine: AWS's APIs by moto, the function behind the gateway, and the page."""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psutil

from local import cloud
from local.emulator import emulator_binary
from local.errors import LocalStackError
from local.processes import HOST, POLL_S, Program, answers, claim_port, free_port

if TYPE_CHECKING:
    import boto3

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
CANARY_S = 20.0  # five minutes on AWS
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 45.0  # longer than the programs together may take
STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where each part listens; 0 lets the system choose."""

    page: int = 8000
    api: int = 8001
    aws: int = 8002


class LocalStack:
    """What `lesion local up` runs: start the parts in order, then stop them in the reverse order.

    Use it as a context manager: whatever ends the block, no program is left behind.
    """

    def __init__(
        self, folder: Path, *, ports: Ports | None = None, concurrency: int = 2, canary_s: float = CANARY_S
    ) -> None:
        """Take the folder for the state and the logs; nothing starts before the block is entered.

        Args:
            folder: for the state and the logs.
            ports: where the parts listen.
            concurrency: how many calls a version of the function answers at once.
            canary_s: how long a new version gets a tenth of the traffic before it gets all.
        """
        self.folder = folder
        self._ports, self._concurrency, self._canary_s = ports or Ports(), concurrency, canary_s
        self._endpoints_port = 0
        self._programs: list[Program] = []
        self._urls: dict[str, str] = {}
        self._lock: Any = None
        self._on_sigterm: Any = None

    def __enter__(self) -> "LocalStack":
        """Claim the folder and the ports.

        Raises:
            LocalStackError: a stack runs from this folder, a port is taken, or the emulator is not installed.
        """
        emulator_binary()
        self._ports = Ports(
            page=claim_port(self._ports.page, "page", "--page-port"),
            api=claim_port(self._ports.api, "API", "--api-port"),
            aws=claim_port(self._ports.aws, "AWS APIs", "--aws-port"),
        )
        self._endpoints_port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it, however this process ends
        except BlockingIOError as error:
            self._lock.close()
            raise LocalStackError(
                f"A local stack already runs from {self.folder}: stop it with `lesion local down`."
            ) from error
        stop_leftovers(self.folder)
        self._on_sigterm = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the block as Ctrl-C does
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """Stop everything."""
        with _undisturbed():
            for program in reversed(self._programs):
                program.stop()
            (self.folder / STATE).unlink(missing_ok=True)
            self._lock.close()
        signal.signal(signal.SIGTERM, self._on_sigterm)

    @property
    def aws_environment(self) -> dict[str, str]:
        """What points AWS's SDKs at the local APIs, with credentials that open nothing else."""
        endpoints_url = f"http://{HOST}:{self._endpoints_port}"
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self._ports.aws}",
            "AWS_ENDPOINT_URL_LAMBDA": endpoints_url,  # what moto keeps no function or deployment running for
            "AWS_ENDPOINT_URL_CODEDEPLOY": endpoints_url,
            **dict.fromkeys(CREDENTIALS, "local"),
            "AWS_REGION": cloud.REGION,
            "AWS_DEFAULT_REGION": cloud.REGION,
        }

    def start_aws(self) -> str:
        """Start AWS's APIs, with empty buckets and what the stack tells of itself; return their URL."""
        url = f"http://{HOST}:{self._ports.aws}"
        command = [sys.executable, "-m", "local.aws", "--port", str(self._ports.aws)]
        command += ["--jobs", str(self.folder / "jobs")]
        self._start("aws", "AWS APIs", command, self.aws_environment, url, ready=f"{url}/moto-api/")
        cloud.create_stores(self._session(), url)
        cloud.tell(self._session(), url, f"http://{HOST}:{self._ports.api}", f"http://{HOST}:{self._ports.page}")
        return url

    def start_api(self, model_uri: str | None) -> str:
        """Start the function behind its alias and the gateway, and wait until it has its model; return the API's URL.

        Without a model the API answers 503, and is up all the same.
        """
        cloud.create_function(self._session(), self.aws_environment["AWS_ENDPOINT_URL"], model_uri)
        url = f"http://{HOST}:{self._ports.api}"
        command = [sys.executable, "-m", "local.serve", "--port", str(self._ports.api)]
        command += ["--endpoints-port", str(self._endpoints_port), "--canary-s", str(self._canary_s)]
        command += ["--limit", str(self._concurrency), "--logs", str(self.folder / "logs")]
        environment = {
            **self.aws_environment,
            "MODEL_CACHE": str(self.folder / "models"),
        }
        statuses = (200,) if model_uri else (200, 503)
        self._start("api", "API", command, environment, url, ready=f"{url}/v1/health", statuses=statuses)
        return url

    def start_page(self) -> str:
        """Start the page; return its URL."""
        url = f"http://{HOST}:{self._ports.page}"
        command = [sys.executable, "-m", "gunicorn", "--config", "python:webapp.gunicorn_conf"]  # as its container does
        command += ["--bind", f"{HOST}:{self._ports.page}", "--graceful-timeout", "1", "webapp.app:create_app()"]
        environment = {"CLASSIFY_URL": self._urls["api"], "CLASSIFY_AUTH": "none", "TRUSTED_HOSTS": ""}
        self._start("page", "page", command, environment, url, ready=f"{url}/healthz")
        return url

    def wait(self) -> None:
        """Wait until Ctrl-C or SIGTERM.

        Raises:
            KeyboardInterrupt: one of them came.
            LocalStackError: a part ended by itself.
        """
        while True:
            for program in self._programs:
                if not program.running:
                    raise LocalStackError(f"The {program.name} ended by itself; its log is {program.log}.")
            time.sleep(POLL_S * 10)

    def _session(self) -> "boto3.Session":
        import boto3

        credentials = {name.lower(): self.aws_environment[name] for name in CREDENTIALS}
        return boto3.Session(region_name=cloud.REGION, **credentials)  # type: ignore[arg-type]

    def _start(
        self,
        key: str,
        name: str,
        command: list[str],
        environment: dict[str, str],
        url: str,
        *,
        ready: str,
        statuses: tuple[int, ...] = (200,),
    ) -> None:
        program = Program(name, command, environment=environment, log=self.folder / "logs" / f"{key}.log")
        self._programs.append(program)
        self._urls[key] = url
        self._write_state()
        # patient: asking the API twice at once would start a second environment
        program.wait_until(lambda: answers(ready, statuses, timeout_s=START_TIMEOUT_S), START_TIMEOUT_S)

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "urls": self._urls,
            "environment": self.aws_environment,
            "programs": [
                {"name": program.name, "pid": program.pid, "started": psutil.Process(program.pid).create_time()}
                for program in self._programs
                if program.running
            ],
        }
        arriving = self.folder / f"{STATE}.new"
        arriving.write_text(json.dumps(state, indent=2))
        arriving.rename(self.folder / STATE)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read what runs from a folder, or None if nothing does."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return None
    return state if _is_running(state["pid"], state["started"]) else None


def stop(folder: Path) -> bool:
    """Stop the stack that runs from a folder, and whatever one that was killed left behind; tell if one ran.

    Raises:
        LocalStackError: it does not stop.
    """
    state = read_state(folder)
    if state is None:
        stop_leftovers(folder)
        return False
    os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_running(state["pid"], state["started"]):
        if time.monotonic() > deadline:
            raise LocalStackError(
                f"The local stack (process {state['pid']}) does not stop; kill it, and run this again."
            )
        time.sleep(POLL_S)
    return True


def stop_leftovers(folder: Path) -> None:
    """End the programs of a stack whose own process was killed."""
    try:
        programs = json.loads((folder / STATE).read_text())["programs"]
    except FileNotFoundError:
        return
    for program in programs:
        if _is_running(program["pid"], program["started"]):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program["pid"], signal.SIGKILL)
    (folder / STATE).unlink(missing_ok=True)


def _is_running(pid: int, started: float) -> bool:
    """Tell whether a process still runs, and is not another one that was given its number."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no second Ctrl-C break off the stopping of programs."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
