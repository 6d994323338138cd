"""A command loads only the packages that it needs, and checks its arguments before it loads them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import cli
from tests.reference_pages.commands import walk

ROOT = Path(__file__).parents[2]
BUNDLE = str(ROOT / "models" / "reference")
TENSORFLOW = {"tensorflow", "keras"}
HEAVY = TENSORFLOW | {"numpy", "pandas", "scipy", "sklearn", "matplotlib", "onnx", "onnxruntime", "PIL", "boto3",
                      "botocore", "sagemaker", "moto", "pulumi", "jinja2", "rich"}  # fmt: skip
VALIDATION = {"pydantic", "pydantic_core"}

# Runs the commands in its first argument, a JSON list; prints each exit status and the packages loaded until then.
SCRIPT = """
import contextlib, io, json, sys
from cli.main import main

results = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["lesion", *words]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit as exit:
            status = exit.code
    results.append([status, sorted({name.split(".")[0] for name in sys.modules})])
print(json.dumps(results))
"""


def run(*commands: list[str], cwd: Path) -> list[tuple[int, set[str]]]:
    """Run commands in one new interpreter; return each one's exit status, and the packages loaded by its end."""
    words = [sys.executable, "-c", SCRIPT, json.dumps(commands)]
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=True, timeout=120)
    return [(status, set(packages)) for status, packages in json.loads(done.stdout)]


def test_help_loads_no_heavy_package(tmp_path: Path) -> None:
    commands = [[*name.split()[1:], "--help"] for name, _ in walk("lesion", cli)]
    assert len(commands) > 30
    for words, (status, packages) in zip(commands, run(*commands, cwd=tmp_path), strict=True):
        assert (status, packages & (HEAVY | VALIDATION)) == (0, set()), words


MISUSED = [
    ["nonsense"],
    ["--nonsense"],
    ["data", "nonsense"],
    ["data", "check", "--nonsense"],
    ["card", "--nonsense"],
    ["models", "compare"],
    ["models", "compare", "--nonsense", "a", "b"],
    ["models", "promote", "a", "--force"],
    ["jobs", "list", "--limit", "0"],
    ["jobs", "show"],
    ["jobs", "stop"],
    ["cost", "--function-ms", "0"],
    ["cost", "--instance-type", "nonsense"],
    ["predict"],
    ["predict", "nowhere.jpg"],
    ["predict", "."],
    ["predict", ".", "--workers", "0"],
    ["predict", ".", "--url", "http://127.0.0.1:9", "--bundle", "nowhere"],
]


def test_wrong_arguments_are_refused_before_a_heavy_package_is_loaded(tmp_path: Path) -> None:
    for words, (status, packages) in zip(MISUSED, run(*MISUSED, cwd=tmp_path), strict=True):
        assert (status, packages & HEAVY) == (2, set()), words


LIGHT = [
    (["card"], 0),
    (["card", "--bundle", BUNDLE], 0),
    (["card", "--bundle", "nowhere"], 1),
    (["cost", "--folder", str(ROOT)], 0),
    (["cost", "nowhere"], 1),
    (["predict", ".", "--bundle", "nowhere", "--out", "results.csv"], 1),
    (["predict", ".", "--bundle", BUNDLE, "--out", "results.txt"], 1),
    (["local", "status"], 1),
    *((["data", command, "nowhere"], 1) for command in ("check", "split", "explore", "cache", "upload")),
    *((["data", command, "."], 1) for command in ("check", "split", "explore", "cache")),  # a folder without a table
    (["train", "nowhere"], 1),
    (["train", "."], 1),
    (["cross-validate", "nowhere"], 1),
    (["cross-validate", "."], 1),
    (["evaluate", "--bundle", BUNDLE, "--data", "nowhere"], 1),
]


def test_light_commands_load_no_heavy_package(tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    for (words, expected), (status, packages) in zip(LIGHT, run(*(it for it, _ in LIGHT), cwd=tmp_path), strict=True):
        assert (status, packages & HEAVY) == (expected, set()), words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["data", "sample", "pictures", "--images", "42"], 0),
        (["data", "check", "pictures"], 0),
        (["data", "cache", "pictures"], 0),
        (["models", "compare", BUNDLE, BUNDLE], 1),  # the reference model has no results on changed pictures
        (["models", "compare", "nowhere", "nowhere"], 1),
        (["models", "list"], 1),
        (["jobs", "list"], 1),
        (["retrain", "--plan"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_command_that_works_without_tensorflow_does_not_load_it(
    words: list[str], expected: int, tmp_path: Path
) -> None:
    sample = ["data", "sample", "pictures", "--images", "42"]
    commands = [sample, words] if words[0] == "data" and words != sample else [words]
    status, packages = run(*commands, cwd=tmp_path)[-1]
    assert (status, packages & TENSORFLOW) == (expected, set())
