"""GitHub's workflows call what there is: commands, targets, environments and variables."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import cli
from infra.config import PROJECT, StackConfig

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPLOY = (ROOT / "docs/deploy.md").read_text()


def jobs_of(path: Path) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs_of(path).values() for step in job.get("steps", [])]


def commands() -> list[list[str]]:
    """Every call of `lesion` in a workflow, in words; what the shell fills in is a word of its own."""
    runs = [step["run"] for path in FILES for step in steps_of(path) if "run" in step]
    found = [call for run in runs for call in re.findall(r"\.venv/bin/lesion ([^|>)\n]+)", run)]
    return [shlex.split(call.split(" || ")[0].replace('"${options[@]}"', "")) for call in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_one_that_lesion_has(words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context("lesion", [*words], resilient_parsing=False)


def test_several_commands_were_looked_at() -> None:
    assert {words[0] for words in commands()} >= {"models", "retrain"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "uses:" in line and "./.github" not in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_says_what_more_a_job_may_do(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    for job in jobs_of(path).values():
        assert "permissions" in job
        assert "id-token" not in job["permissions"] or "environment" in job or "uses" in job


def test_every_variable_and_environment_is_in_the_documentation() -> None:
    text = "".join(path.read_text() for path in FILES)
    variables = set(re.findall(r"vars\.(\w+)", text))
    assert {"ROLE_ARN", "AWS_REGION"} <= variables
    assert {name for name in variables if f"`{name}`" not in DEPLOY} == set()
    ends = set(re.findall(r"environment: \S*?(?:\}\})?(-\w+)$", text, re.MULTILINE))
    assert {end for end in ends if f"`dev{end}`" not in DEPLOY} == set()


def test_the_environments_are_those_that_aws_trusts() -> None:
    trusting = (ROOT / "infra/access/github.py").read_text()
    for path in FILES:
        for job in jobs_of(path).values():
            if "id-token" not in job["permissions"] or "uses" in job:
                continue
            end = re.sub(r"\$\{\{.*?\}\}|^dev", "", job["environment"])
            assert f'"{{args.stack}}{end}"'.replace('"{args.stack}"', "args.stack") in trusting, job["environment"]


def test_the_images_are_set_where_the_program_looks_for_them() -> None:
    keys = set(re.findall(rf"{PROJECT}:(\w+)", "".join(path.read_text() for path in FILES)))
    assert keys == {"classifyImage", "pageImage"}
    assert keys <= {field.alias for field in StackConfig.model_fields.values()}


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for path in FILES for step in steps_of(path) for name in re.findall(r"make ([\w-]+)", str(step))}
    assert targets == {"scan", "setup", "setup-infra"}
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in targets)
