"""The command checks a stack with Terraform, and says what to do where it cannot."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.terraform_check.__main__ import main
from infra.terraform_check.emulator import loopback_aws
from infra.terraform_check.report import Finding, StackReport
from infra.terraform_check.terraform import INSTALL_URL, MIRROR_VARIABLE, Terraform, TerraformError

ROOT = Path(__file__).parents[3]
needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None or MIRROR_VARIABLE not in os.environ,
    reason=f"this runs terraform with a mirror of its AWS provider: set {MIRROR_VARIABLE}",
)


def test_without_terraform_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--stack", "dev", "--folder", str(tmp_path / "plan")])
    assert result.exit_code == 1
    assert f"Terraform is not installed: install it ({INSTALL_URL})" in result.output


def test_an_unknown_stack_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--stack", "ghost", "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert "Pulumi.ghost.yaml" in result.output


def test_a_key_without_a_value_is_misuse() -> None:
    assert CliRunner().invoke(main, ["--config", "pageImage"]).exit_code == 2


def test_a_report_counts_and_lists_its_findings() -> None:
    report = StackReport("dev", resources=3, valid=2, planned=0)
    report.findings.append(Finding("aws_lb.page", "validate", "Unsupported argument:\n  no such thing"))
    assert list(report.lines()) == [
        "dev: 3 resources, 2 valid, 0 planned, 1 problem",
        "  validate: aws_lb.page: Unsupported argument: no such thing",
    ]
    assert "3 created" in "".join(StackReport("dev", created=3).lines())


def test_a_provider_that_cannot_be_installed_is_an_error_that_names_the_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "terraform"
    program.write_text("#!/bin/sh\necho 'no route to the registry' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(TerraformError, match=f"(?s)set {MIRROR_VARIABLE}.*no route to the registry"):
        Terraform(tmp_path / "work", "us-east-1", "http://127.0.0.1:1")


@needs_terraform
def test_terraform_plans_the_example_stack(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.terraform_check", "--stack", "dev", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.fullmatch(r"dev: (\d+) resources, (\d+) valid, (\d+) planned, 0 problems\n", done.stdout)
    assert counts is not None, done.stdout
    resources, valid, planned = map(int, counts.groups())
    assert resources == valid == planned - 1  # and a data source, read when the plan is carried out
    assert f"{resources} resources of `dev`" in (ROOT / "docs" / "deploy.md").read_text()
    plan = json.loads((tmp_path / "dev" / "plan.json").read_text())
    assert len(plan["resource_changes"]) == planned  # which checkov reads


@needs_terraform
def test_terraform_refuses_a_wrong_value_and_a_violated_rule(tmp_path: Path) -> None:
    mirror = Path(os.environ[MIRROR_VARIABLE])
    with loopback_aws() as url:
        terraform = Terraform(tmp_path / "work", "us-east-1", url, mirror)
        topic = {"aws_sns_topic": {"alarms": {"name": "a", "colour": "red"}}}
        terraform.configure({"resource": topic})
        (unknown,) = terraform.validate()
        terraform.configure({"resource": {"aws_sqs_queue": {"q": {"message_retention_seconds": 5}}}})
        (out_of_range,) = terraform.validate()
        terraform.configure({"resource": {"aws_sns_topic": {"alarms": {"name": "a"}}}})
        assert terraform.validate() == []
        assert terraform.plan() == (1, [])
        assert terraform.apply() == (1, [])
    assert (unknown.where, unknown.step) == ("aws_sns_topic.alarms", "validate")
    assert "colour" in unknown.message
    assert out_of_range.where == "aws_sqs_queue.q"
    assert "message_retention_seconds" in out_of_range.message
