"""What every command has in common: errors in one plain sentence, exit statuses, and a fast start."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle


def lesion(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lesion")
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run([command, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def test_help_lists_the_commands(tmp_path: Path) -> None:
    helped = lesion("--help", cwd=tmp_path)
    assert helped.returncode == 0
    for command in (
        "data",
        "train",
        "cross-validate",
        "evaluate",
        "card",
        "retrain",
        "jobs",
        "predict",
        "local",
        "demo",
    ):
        assert f"\n  {command} " in helped.stdout


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["local", "up", "--bundle", "nowhere"], 1, "There is no manifest.json in nowhere"),
        (["predict", "picture.jpg"], 2, "picture.jpg"),
        (["predict"], 2, "Missing argument"),
        (["nonsense"], 2, "No such command"),
        (["train", "nowhere"], 1, "nowhere"),
        (["cross-validate", "nowhere"], 1, "nowhere"),
        (["cross-validate", "--folds", "1"], 2, "--folds"),
        (["evaluate", "--bundle", "nowhere"], 1, "There is no manifest.json in nowhere"),
        (["card", "--bundle", "nowhere"], 1, "There is no manifest.json in nowhere"),
        (["data", "check", "nowhere"], 1, "nowhere"),
        (["data", "split", "nowhere"], 1, "nowhere"),
        (["local", "status"], 1, ""),
        (["models", "list"], 1, "The local stack is down: start it with `lesion local up`"),
        (["retrain", "--plan"], 1, "The local stack is down: start it with `lesion local up`"),
        (["retrain", "--size", "8"], 2, "--size: "),
        (["retrain", "--no-checkpoints"], 1, "Spot instances can be interrupted at any moment"),
        (["retrain", "--tag", "novalue"], 2, "'novalue' is not NAME=VALUE"),
        (["jobs", "list"], 1, "The local stack is down"),
    ],
)
def test_an_error_is_one_sentence_and_no_traceback(
    tmp_path: Path, words: list[str], status: int, sentence: str
) -> None:
    done = lesion(*words, cwd=tmp_path)
    assert (done.returncode, sentence in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in lesion("--debug", "data", "split", "nowhere", cwd=tmp_path).stderr


def test_a_broken_bundle_is_not_served(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path)
    (bundle / "model.onnx").write_bytes(b"damaged")
    ports = ["--page-port", "0", "--api-port", "0", "--aws-port", "0"]
    done = lesion("local", "up", "--bundle", str(bundle), *ports, cwd=tmp_path)
    assert (done.returncode, "model.onnx is not the file" in done.stderr) == (1, True), done.stderr
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    assert lesion("predict", "picture.jpg", "--bundle", str(bundle), cwd=tmp_path).returncode == 1


def test_the_error_names_a_port_that_is_in_use(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = lesion("local", "up", "--bundle", str(bundle), "--api-port", port, "--page-port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert f"Port {port} for the API is taken" in done.stderr


def test_a_full_disk_is_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    limited = shutil.which("prlimit")
    assert limited, "prlimit is part of util-linux"
    command = [limited, "--fsize=20000", str(Path(sys.executable).with_name("lesion")), "data", "sample", "made"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
