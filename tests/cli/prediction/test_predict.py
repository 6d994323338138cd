"""`lesion predict` without a table, and what all its forms have in common: odd files, and signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.prediction.odd_folder import OBEY_PERMISSIONS, make_unreadable, write_files
from tests.tiny_bundle import write_tiny_bundle

LESION = str(Path(sys.executable).with_name("lesion"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))


def predict(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*OBEY_PERMISSIONS, LESION, "predict", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_file_that_cannot_be_read_does_not_lose_the_answers_of_the_others(
    tmp_path: Path, bundle: Path, originals: list[bytes]
) -> None:
    write_files(tmp_path, [b"a/1.jpg", b"b/1.jpg", b"closed.jpg"], originals[0])
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    make_unreadable(tmp_path / "closed.jpg")
    names = ["a/1.jpg", "closed.jpg", "empty.jpg", "pipe.jpg", "b/1.jpg"]
    done = predict(*names, "--bundle", bundle, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    answers = json.loads(done.stdout)
    assert [answer["picture"] for answer in answers] == names
    assert {answer["picture"]: (answer["code"], answer["detail"]) for answer in answers if "code" in answer} == {
        "closed.jpg": ("unreadable_file", "Permission denied."),
        "empty.jpg": ("empty_file", "The file is empty: copy it again from where it came from."),
        "pipe.jpg": ("unreadable_file", "A named pipe, not a regular file."),
    }

    printed = predict("a/1.jpg", "b/1.jpg", "--bundle", bundle, cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert [line.split(":")[0] for line in printed.stdout.splitlines() if "malignant" in line] == ["a/1.jpg", "b/1.jpg"]


def test_no_control_character_of_a_name_or_message_reaches_the_terminal(tmp_path: Path, bundle: Path) -> None:
    name = os.fsdecode(b"\x1b[2J\xe4\xe2\x80\xae.jpg")
    (tmp_path / name).touch()
    (tmp_path / f"{name}.csv").touch()
    (tmp_path / f"{name}.folder").mkdir()
    escaped = r"\x1b[2J\xe4\xe2\x80\xae.jpg"
    done = predict(name, "--bundle", bundle, cwd=tmp_path)
    assert (done.returncode, done.stdout.startswith(f"{escaped}: The file is empty")) == (1, True), done.stderr
    (answer,) = json.loads(predict(name, "--bundle", bundle, "--json", cwd=tmp_path).stdout)
    assert answer["picture"] == escaped
    for words in ([name, "--out", f"{name}.csv"], [f"{name}.folder"]):
        refused = predict(*words, "--bundle", bundle, cwd=tmp_path)
        assert escaped in refused.stderr
        assert "\x1b" not in refused.stderr
        assert "\u202e" not in refused.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("wait_for", ["a program", "the first rows"])
def test_a_signal_stops_the_command_and_all_programs_that_it_started(
    tmp_path: Path, bundle: Path, originals: list[bytes], name: str, wait_for: str
) -> None:
    folder = tmp_path / "many"
    write_files(folder, [b"0.jpg"], originals[0])
    for number in range(1, 3000):
        (folder / f"{number}.jpg").hardlink_to(folder / "0.jpg")
    journal = tmp_path / "r.csv.journal"
    command = [LESION, "predict", str(folder), "--bundle", str(bundle), "--out", "r.csv", "--workers", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
        process = psutil.Process(run.pid)
        deadline = time.monotonic() + 60
        while not process.children() or (wait_for == "the first rows" and journal.read_bytes().count(b"\n") < 3):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        programs = process.children(recursive=True)
        number = signal.Signals[name]
        run.send_signal(number)
        assert "interrupted" in run.communicate(timeout=60)[1]
    assert run.returncode == 128 + number
    running = psutil.wait_procs(programs, timeout=10)[1]
    for program in running:  # a failed test leaves no process either
        program.kill()
    assert running == []
    assert journal.exists()
    assert not (tmp_path / "r.csv").exists()


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, bundle: Path, originals: list[bytes]) -> None:
    write_files(tmp_path, [b"large.jpg"], originals[0] + bytes(20_000_000))
    done = predict("large.jpg", "--bundle", bundle, "--json", cwd=tmp_path)
    assert (done.returncode, [answer["code"] for answer in json.loads(done.stdout)]) == (1, ["payload_too_large"])
