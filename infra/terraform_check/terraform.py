"""Runs Terraform in one folder, against an AWS on this machine, and reads its JSON messages."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from contract.errors import AnalyzerError
from infra.terraform_check.report import Finding
from infra.terraform_check.schema import Schema, read_schema

PROGRAM: Final = "terraform"
INSTALL_URL: Final = "https://developer.hashicorp.com/terraform/install"
MIRROR_VARIABLE: Final = "TF_PLUGIN_MIRROR"
CONFIGURATION, PLAN, PLAN_JSON, CLI_CONFIGURATION = "main.tf.json", "tfplan", "plan.json", "terraform.rc"
_ADDRESS: Final = re.compile(r'(resource|data)[ .]"?([\w-]+)"?[ .]"?([\w-]+)')


class TerraformError(AnalyzerError):
    """Terraform is missing, or it cannot run."""

    code, title = "terraform_failed", "Terraform cannot run"


class Terraform:
    """Terraform with the AWS provider and one configuration."""

    def __init__(self, folder: Path, region: str, aws_url: str, mirror: Path | None = None) -> None:
        """Write a configuration with only the provider into an empty folder, and install the provider.

        Args:
            folder: is emptied.
            region: of the provider.
            aws_url: where AWS's APIs answer.
            mirror: a folder with Terraform's providers; None: Terraform downloads the provider.

        Raises:
            TerraformError: Terraform is not installed, or it gets no provider.
        """
        if shutil.which(PROGRAM) is None:
            raise TerraformError(f"Terraform is not installed: install it ({INSTALL_URL}) and try again.")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self._provider = folder, provider_block(region)
        self._environment = _environment(aws_url, folder, mirror)
        self.configure({})
        if (done := self._run("init", "-input=false", "-no-color")).returncode:
            raise TerraformError(
                "Terraform cannot install the AWS provider. If a folder of this machine mirrors it, set "
                f"{MIRROR_VARIABLE} to that folder.\n{done.stderr.strip()}"
            )

    def configure(self, configuration: Mapping[str, Any]) -> None:
        """Write the configuration to validate and plan."""
        filled = {key: value for key, value in configuration.items() if value}
        (self.folder / CONFIGURATION).write_text(json.dumps({**self._provider, **filled}, indent=1))

    def schema(self) -> Schema:
        """Read the provider's schema, in some ten seconds."""
        return read_schema(json.loads(self._checked("providers", "schema", "-json")))

    def validate(self) -> list[Finding]:
        """Check every argument; warnings are ignored."""
        diagnostics = json.loads(self._run("validate", "-json").stdout)["diagnostics"]
        return [_finding(each, "validate") for each in diagnostics if each["severity"] == "error"]

    def plan(self) -> tuple[int, list[Finding]]:
        """Plan the configuration for an empty account, and also write the plan as JSON.

        Returns:
            the number of planned changes, and the errors of the provider.
        """
        messages = list(self._messages("plan", "-json", "-input=false", f"-out={PLAN}"))
        findings = list(_errors(messages, "plan"))
        if not findings:
            (self.folder / PLAN_JSON).write_text(self._checked("show", "-json", PLAN))
        return sum(each["type"] == "planned_change" for each in messages), findings

    def apply(self) -> tuple[int, list[Finding]]:
        """Carry out the plan.

        Returns:
            the number of created resources, and the errors, which can also be the emulator's.
        """
        messages = list(self._messages("apply", "-json", "-input=false", PLAN))
        return sum(each["type"] == "apply_complete" for each in messages), list(_errors(messages, "apply"))

    def _messages(self, *arguments: str) -> Iterator[dict[str, Any]]:
        for line in self._run(*arguments).stdout.splitlines():
            yield json.loads(line)

    def _checked(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            raise TerraformError(f"`terraform {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def provider_block(region: str) -> dict[str, Any]:
    """Configure the AWS provider for an emulated AWS, which has no real credentials."""
    aws = {
        "region": region,
        "s3_use_path_style": True,  # the emulator has no host name for each bucket
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "max_retries": 2,
    }
    return {"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}}, "provider": {"aws": aws}}


def _environment(aws_url: str, folder: Path, mirror: Path | None) -> dict[str, str]:
    """Keep the user's AWS account and proxies out of Terraform's environment."""
    kept = {k: v for k, v in os.environ.items() if not (k.startswith("AWS_") or k.lower().endswith("_proxy"))}
    if mirror:
        rc = folder / CLI_CONFIGURATION
        rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror.resolve()}"\n  }}\n}}\n')
        kept["TF_CLI_CONFIG_FILE"] = str(rc.resolve())
    return {
        **kept,
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",  # no check for newer versions of Terraform
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _errors(messages: list[dict[str, Any]], step: str) -> Iterator[Finding]:
    for message in messages:
        if message["type"] == "diagnostic" and message["diagnostic"]["severity"] == "error":
            yield _finding(message["diagnostic"], step)


def _finding(diagnostic: Mapping[str, Any], step: str) -> Finding:
    """Make a finding of Terraform's diagnostic, which has an address or a line of the configuration."""
    where = diagnostic.get("address")
    context = str((diagnostic.get("snippet") or {}).get("context") or "")
    if not where and (found := _ADDRESS.match(context)):
        where = ".".join(found.groups() if found[1] == "data" else found.groups()[1:])
    text = ": ".join(filter(None, (diagnostic.get("summary"), diagnostic.get("detail"))))
    return Finding(where or "the configuration", step, text)
