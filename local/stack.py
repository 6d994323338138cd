"""The complete stack on one machine: AWS's APIs by moto, the Lambda function behind an HTTP API, and the page."""

import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from local import resources
from local.errors import LocalStackError
from local.function.emulator import emulator_binary
from local.processes import HOST, POLL_S, Program, check_port, free_port, ignored_signals, responds
from local.state import kill_orphans, remove_state, write_state

if TYPE_CHECKING:
    import boto3

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
CANARY_S = 20.0  # five minutes on AWS
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The port of each part; 0 lets the operating system choose."""

    page: int = 8000
    api: int = 8001
    aws: int = 8002


class LocalStack:
    """Starts the parts of the stack one by one, and stops them in reverse order.

    Use it as a context manager: however the block ends, all programs are stopped.
    """

    def __init__(
        self, folder: Path, *, ports: Ports | None = None, concurrency: int = 2, canary_s: float = CANARY_S
    ) -> None:
        """Start nothing yet.

        Args:
            folder: for the state and the logs.
            ports: of the parts.
            concurrency: limit of concurrent calls of one version of the function.
            canary_s: how long a new version gets a tenth of the traffic before it gets all of it.
        """
        self.folder = folder
        self._ports, self._concurrency, self._canary_s = ports or Ports(), concurrency, canary_s
        self._endpoints_port = 0
        self._programs: list[Program] = []
        self._urls: dict[str, str] = {}
        self._lock = FileLock(folder / "lock")  # the operating system releases it, however this process ends
        self._old_sigterm: Any = None

    def __enter__(self) -> "LocalStack":
        """Check the ports and lock the folder.

        Raises:
            LocalStackError: a stack runs from this folder, a port is taken, or the emulator is not installed.
        """
        emulator_binary()
        self._ports = Ports(
            page=check_port(self._ports.page, "page", "--page-port"),
            api=check_port(self._ports.api, "API", "--api-port"),
            aws=check_port(self._ports.aws, "AWS APIs", "--aws-port"),
        )
        self._endpoints_port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise LocalStackError(
                f"A local stack already runs from {self.folder}: stop it with `lesion local down`."
            ) from error
        kill_orphans(self.folder)
        self._old_sigterm = signal.getsignal(signal.SIGTERM)
        if self._old_sigterm == signal.SIG_DFL:  # `lesion` has its own handler
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM then acts as Ctrl-C
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        """Stop all programs."""
        with ignored_signals():
            for program in reversed(self._programs):
                program.stop()
            remove_state(self.folder)
            self._lock.release()
        signal.signal(signal.SIGTERM, self._old_sigterm)

    @property
    def aws_environment(self) -> dict[str, str]:
        """Environment variables that point AWS's SDKs at the local APIs, with credentials that are valid only there."""
        endpoints_url = f"http://{HOST}:{self._endpoints_port}"
        return {
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self._ports.aws}",
            "AWS_ENDPOINT_URL_LAMBDA": endpoints_url,  # local/function/endpoints.py executes what moto only records
            "AWS_ENDPOINT_URL_CODEDEPLOY": endpoints_url,
            **dict.fromkeys(CREDENTIALS, "local"),
            "AWS_REGION": resources.REGION,
            "AWS_DEFAULT_REGION": resources.REGION,
        }

    def start_aws(self) -> str:
        """Start AWS's APIs, with empty buckets and the deployment parameter; return their URL."""
        url = f"http://{HOST}:{self._ports.aws}"
        command = [sys.executable, "-m", "local.aws_server", "--port", str(self._ports.aws)]
        command += ["--jobs", str(self.folder / "jobs")]
        self._start("aws", "AWS APIs", command, self.aws_environment, url, ready=f"{url}/moto-api/")
        session = self._session()
        resources.create_storage(session, url)
        api_url, page_url = f"http://{HOST}:{self._ports.api}", f"http://{HOST}:{self._ports.page}"
        resources.put_deployment_parameter(session, url, api_url, page_url)
        return url

    def start_api(self, model_uri: str | None) -> str:
        """Start the HTTP API and its function, and wait until the model is loaded; return the API's URL.

        Without a model the API runs, too, and answers 503.
        """
        resources.create_function(self._session(), self.aws_environment["AWS_ENDPOINT_URL"], model_uri)
        url = f"http://{HOST}:{self._ports.api}"
        command = [sys.executable, "-m", "local.api_server", "--port", str(self._ports.api)]
        command += ["--endpoints-port", str(self._endpoints_port), "--canary-s", str(self._canary_s)]
        command += ["--concurrency", str(self._concurrency), "--logs", str(self.folder / "logs")]
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
        command = [sys.executable, "-m", "gunicorn", "--config", "python:webapp.gunicorn_conf"]  # as in its container
        command += ["--bind", f"{HOST}:{self._ports.page}", "--graceful-timeout", "1", "webapp.app:create_app()"]
        environment = {"CLASSIFY_URL": self._urls["api"], "CLASSIFY_AUTH": "none", "TRUSTED_HOSTS": ""}
        self._start("page", "page", command, environment, url, ready=f"{url}/healthz")
        return url

    def wait(self) -> None:
        """Wait for Ctrl-C or SIGTERM.

        Raises:
            KeyboardInterrupt: one of them arrived.
            LocalStackError: a program ended by itself.
        """
        while True:
            for program in self._programs:
                if not program.running:
                    raise LocalStackError(f"The {program.name} ended by itself; its log is {program.log}.")
            time.sleep(POLL_S * 10)

    def _session(self) -> "boto3.Session":
        import boto3

        credentials = {name.lower(): self.aws_environment[name] for name in CREDENTIALS}
        return boto3.Session(region_name=resources.REGION, **credentials)  # type: ignore[arg-type]

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
        write_state(self.folder, self._urls, self.aws_environment, self._programs)
        # with a short timeout, a second request would start a second execution environment of the function
        program.wait_until(lambda: responds(ready, statuses, timeout_s=START_TIMEOUT_S), START_TIMEOUT_S)
