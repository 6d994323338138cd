"""`lesion models`: its output for people and for programs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.models.group import models
from contract.errors import AnalyzerError, DeploymentError
from tests.local_cloud import local_aws, local_cloud
from tests.skilled_bundle import write_skilled_bundle


@pytest.fixture(scope="module")
def bundles(synthetic_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A fair and a good model."""
    folder = tmp_path_factory.mktemp("bundles")
    made = datetime(2026, 3, 1, tzinfo=UTC)
    return {
        "fair": write_skilled_bundle(folder / "fair", synthetic_dir, skill="fair", made=made),
        "good": write_skilled_bundle(folder / "good", synthetic_dir, skill="good", made=made),
    }


@pytest.fixture(scope="module")
def stack(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A stack that serves the fair model."""
    with pytest.MonkeyPatch.context() as environ, local_aws() as aws:
        cache = tmp_path_factory.mktemp("function")
        with local_cloud(aws, cache, canary_s=0.3, environ=environ, first=bundles["fair"]):
            environ.chdir(tmp_path_factory.mktemp("workplace"))
            yield


def run(*words: str) -> Result:
    return CliRunner().invoke(models, [str(word) for word in words])


def printed(result: Result) -> Any:
    """Parse the JSON that a command printed after the log lines of the function, which runs in this process."""
    text = "\n" + result.stdout
    return json.loads(text[text.index("\n{\n") :])


def test_a_version_is_registered_compared_promoted_and_rolled_back(stack: None, bundles: dict[str, Path]) -> None:
    fair, good = bundles["fair"].name, bundles["good"].name
    assert f"{good} is in s3://skin-lesion-models/models/{good}" in run("register", str(bundles["good"])).stdout
    listed = run("list").stdout.splitlines()
    assert listed[0].startswith(f"{good}  PendingManualApproval  balanced accuracy 0.")
    assert listed[1].endswith("serves 100%")

    compared = run("compare", good[-8:], "--json")
    assert (compared.exit_code, printed(compared)["champion"]) == (0, fair)
    refused = run("compare", str(bundles["fair"]), good, "--markdown")
    assert refused.exit_code == 1
    assert refused.stdout.startswith("**The challenger does not pass (balanced accuracy")

    promoted = run("promote", good, "--why", "better", "--json")
    assert promoted.exit_code == 0, promoted.output
    assert printed(promoted)["outcome"] == "serves"
    assert "started the canary" in promoted.stderr
    shown = run("show", good).stdout
    assert f"{good}: Approved" in shown
    assert "better" in shown
    assert "serves 100% of the traffic" in shown

    returned = run("rollback", "--why", "enough", "--json")
    assert printed(returned)["serves"]["number"] == "1"
    assert printed(run("show", good, "--json"))["status"] == "Rejected"


def test_an_unknown_version_is_an_error(stack: None) -> None:
    for words in (("show", "2099"), ("compare", "2099"), ("promote", "2099")):
        failed = run(*words)
        assert isinstance(failed.exception, DeploymentError)
        assert "There is no model 2099 in skin-lesions" in str(failed.exception)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("promote", "x", "--force"), "--force needs a reason"),
        (("promote", "x", "--force", "--why", " "), "--force needs a reason"),
        (("compare", "x", "--metadata", "t.csv"), "--metadata belongs to --data"),
    ],
)
def test_wrong_options_are_a_usage_error(
    stack: None, bundles: dict[str, Path], words: tuple[str, ...], sentence: str
) -> None:
    here = [str(bundles["fair"]) if word == "x" else word for word in words]
    done = run(*here)
    assert (done.exit_code, sentence in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("compare", "nosuch"),
            "nosuch is neither the folder of a bundle nor a version: versions are named like",
        ),
        (("compare", "."), "There is no manifest.json in ."),
        (("show", "nosuch"), "'nosuch' is not a version"),
        (("promote", "nosuch"), "'nosuch' is not a version"),
    ],
)
def test_an_impossible_version_is_refused_without_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)  # where no local stack has its state
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    failed = run(*words)
    assert isinstance(failed.exception, AnalyzerError)
    assert str(failed.exception).startswith(sentence)


def test_a_bundle_is_trimmed(bundles: dict[str, Path], tmp_path: Path) -> None:
    trimmed = run("trim", str(bundles["good"]), str(tmp_path / "small"))
    assert trimmed.stdout.startswith(f"{bundles['good'].name} is in {tmp_path / 'small'}: ")
    again = run("trim", str(bundles["good"]), str(tmp_path / "small"))
    assert again.exit_code == 1
