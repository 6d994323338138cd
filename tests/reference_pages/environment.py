"""docs/environment.md: every environment variable that the function, the page and the command line read."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from cli.main import cli
from functions.classify.settings import MEMORY_MB_PER_VCPU
from functions.classify.settings import Settings as FunctionSettings
from tests.reference_pages.commands import walk
from tests.reference_pages.markdown import page, table
from webapp.settings import MAX_UPLOAD_MB_RANGE, MIN_SECRET_CHARACTERS, TIMEOUT_S_RANGE, VARIABLES
from webapp.settings import Settings as PageSettings

ROOT = Path(__file__).parents[2]
# Without these two the page does not start.
PAGE_NEEDS = {"CLASSIFY_URL": "http://127.0.0.1:1", "CLASSIFY_AUTH": "none"}
# Read by AWS Lambda Powertools, and so not by the function's settings.
READ_BY_POWERTOOLS = ("LOG_LEVEL", "POWERTOOLS_TRACE_DISABLED")


class Variable(NamedTuple):
    """What the page says of a variable."""

    meaning: str
    default: str = ""


class RecordingEnvironment(Mapping[str, str]):
    """An environment that records which variables are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __getitem__(self, name: str) -> str:
        if name not in self.read:
            self.read.append(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def function_variables() -> dict[str, Variable]:
    """Describe the variables of the function."""
    default = FunctionSettings.from_env({})
    return {
        "MODEL_URI": Variable(
            "the model bundle: `s3://bucket/models/<version>` or `file:///folder`", "none: requests get a 503"
        ),
        "MODEL_CACHE": Variable("folder for downloaded bundles", "`models` in the temporary folder"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": Variable(
            f"the function's memory in MB, set by Lambda; one thread for each {MEMORY_MB_PER_VCPU:,} MB",
            f"`{MEMORY_MB_PER_VCPU}`",
        ),
        "AWS_REGION": Variable("the region of the model's bucket, set by Lambda", "`AWS_DEFAULT_REGION`"),
        "AWS_DEFAULT_REGION": Variable("the same, used if `AWS_REGION` is not set", f"`{default.region}`"),
        "AWS_ENDPOINT_URL": Variable("URL of another AWS API, as on the local stack", "Amazon's"),
        "AWS_ENDPOINT_URL_S3": Variable("the same, for S3 only", "`AWS_ENDPOINT_URL`"),
        "POWERTOOLS_METRICS_NAMESPACE": Variable(
            "namespace of the function's metrics in CloudWatch; each stack has its own",
            f"`{default.metrics_namespace}`",
        ),
        "LOG_LEVEL": Variable("level of the structured log", "`INFO`"),
        "POWERTOOLS_TRACE_DISABLED": Variable("`true` where X-Ray is not available", "`false`"),
    }


def page_variables() -> dict[str, Variable]:
    """Describe the variables of the page."""
    with mock.patch.dict(os.environ, PAGE_NEEDS, clear=True):
        default = PageSettings.from_env()
    return {
        "CLASSIFY_URL": Variable("URL of the API", "none: the page does not start"),
        "CLASSIFY_AUTH": Variable(
            "`iam` signs the requests to the API with the credentials of the page's task role; `none` does not", "`iam`"
        ),
        "CLASSIFY_TIMEOUT_S": Variable(
            f"seconds to wait for one answer, {_range(TIMEOUT_S_RANGE)}", f"`{default.classify_timeout_s:g}`"
        ),
        "SECRET_KEY": Variable(
            f"key that signs the form, at least {MIN_SECRET_CHARACTERS} characters; the same in every process",
            "none: the page does not start; with `CLASSIFY_AUTH=none`, random",
        ),
        "TRUSTED_HOSTS": Variable("host names that the page answers to, separated by commas", "any"),
        "MAX_UPLOAD_MB": Variable(
            f"largest upload in MB, {_range(MAX_UPLOAD_MB_RANGE)}", f"`{default.max_upload_bytes / 1e6:g}`"
        ),
    }


COMMAND_LINE = {
    "HAM10000_DIR": Variable("folder of the labelled pictures", "`data/ham10000`"),
    "LESION_STACK": Variable("the stack that a command works with; `local` is the one on this machine", "`local`"),
    "AWS_ENDPOINT_URL": Variable(
        "URL of another AWS API; set by the command line while the local stack runs", "Amazon's"
    ),
}


def environment_page() -> str:
    """Make the page."""
    head = ("variable", "meaning", "default")
    readers = {
        variable: ", ".join(f"`{name}`" for name in names) or "every command that calls AWS"
        for variable, names in read_by_commands().items()
    }
    return page(
        "Environment variables",
        "An empty variable counts as not set. The function and the page also read AWS's own variables for credentials, "
        "and the page for its region.",
        "## The function",
        table(head, [(f"`{name}`", *variable) for name, variable in function_variables().items()]),
        "## The page",
        table(head, [(f"`{name}`", *variable) for name, variable in page_variables().items()]),
        "## The command line",
        "AWS's own variables (`AWS_PROFILE`, `AWS_REGION`, ...) choose credentials and region.",
        table((*head, "read by"), [(f"`{name}`", *COMMAND_LINE[name], readers[name]) for name in COMMAND_LINE]),
    )


def read_by_function() -> set[str]:
    """Find the variables that the function reads."""
    environment = RecordingEnvironment()
    FunctionSettings.from_env(environment)
    return {*environment.read, *READ_BY_POWERTOOLS}


def read_by_page() -> set[str]:
    """Find the variables that the page reads."""
    return set(VARIABLES)


def read_by_commands() -> dict[str, list[str]]:
    """Find the variables that the command line reads, and the commands that read each one.

    A variable is read by an option, or by the text of a file of `cli/`.
    """
    commands = [(name, command) for name, command in walk("lesion", cli) if command.callback]
    readers: dict[str, set[str]] = {}
    for name, command in commands:
        for parameter in command.params:
            if isinstance(parameter.envvar, str):
                readers.setdefault(parameter.envvar, set()).add(name)
    for path in sorted((ROOT / "cli").glob("*.py")):
        in_file = {name for name, command in commands if command.callback.__module__ == f"cli.{path.stem}"}
        for found in re.findall(r'environ(?:\.get\(|\[)"(\w+)"|"(\w+)" (?:not )?in os\.environ', path.read_text()):
            readers.setdefault("".join(found), set()).update(in_file)
    return {variable: sorted(names) for variable, names in readers.items()}


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"
