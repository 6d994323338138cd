"""GitHub's workflows use commands, targets, environments and variables that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import cli
from infra.access.github import ISSUER
from infra.config import PROJECT, StackConfig
from tests.infra.stacks import deployed

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
DEPLOY = (ROOT / "docs/deploy.md").read_text()
SUBJECT = f"{ISSUER}:sub"  # of the token that GitHub gives a job


def jobs_of(path: Path) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs_of(path).values() for step in job.get("steps", [])]


def commands() -> list[list[str]]:
    """List every call of `lesion` in a workflow, as words; a shell variable is one word."""
    runs = [step["run"] for path in FILES for step in steps_of(path) if "run" in step]
    found = [call for run in runs for call in re.findall(r"\.venv/bin/lesion ([^|>)\n]+)", run)]
    return [shlex.split(call.split(" || ")[0].replace('"${options[@]}"', "")) for call in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_exists(words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context("lesion", [*words], resilient_parsing=False)


def test_commands_were_found() -> None:
    assert {words[0] for words in commands()} >= {"models", "retrain"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_and_names_its_version(path: Path) -> None:
    for line in path.read_text().splitlines():
        if "uses:" in line and "./.github" not in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_only_reads_and_a_job_lists_its_further_permissions(path: Path) -> None:
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


def environments(path: Path) -> set[str]:
    """List the environments of dev in which a job of a workflow asks AWS for credentials."""
    jobs = [job for job in jobs_of(path).values() if "id-token" in job["permissions"] and "uses" not in job]
    return {re.sub(r"\$\{\{.*?\}\}", "dev", job["environment"]) for job in jobs}


def test_jobs_use_exactly_the_environments_that_the_roles_of_the_stack_trust() -> None:
    program = deployed("dev", githubRepository="owner/name")
    trusts = [role.json("assumeRolePolicy")["Statement"][0] for role in program.of("iam/role:Role")]
    subjects = [trust["Condition"]["StringEquals"][SUBJECT] for trust in trusts if "Federated" in trust["Principal"]]
    trusted = {subject.removeprefix("repo:owner/name:environment:") for subject in subjects}
    assert set().union(*map(environments, FILES)) == trusted == {"dev", "dev-preview", "dev-models"}


def test_the_images_are_set_with_keys_of_the_program() -> None:
    keys = set(re.findall(rf"{PROJECT}:(\w+)", "".join(path.read_text() for path in FILES)))
    assert keys == {"classifyImage", "pageImage"}
    assert keys <= {field.alias for field in StackConfig.model_fields.values()}


def test_pulumi_does_not_ask_for_its_newest_version() -> None:
    """https://www.pulumi.com/docs/iac/cli/environment-variables/."""
    steps = [step for path in FILES for step in steps_of(path) if step.get("uses", "").startswith("pulumi/")]
    assert len(steps) == 2
    assert all(step["env"]["PULUMI_SKIP_UPDATE_CHECK"] == "true" for step in steps)


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for path in FILES for step in steps_of(path) for name in re.findall(r"make ([\w-]+)", str(step))}
    assert targets == {"scan", "setup", "setup-infra"}
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in targets)
