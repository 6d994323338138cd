"""`lesion predict --out`: every picture has a row in the table, and an interrupted run continues."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.prediction.results import Results
from contract.errors import AnalyzerError
from contract.labels import CODES
from contract.rows import COLUMNS
from tests.cli.prediction.odd_folder import (
    NAMES,
    OBEY_PERMISSIONS,
    OTHER_FORMATS,
    SYSTEM_FILES,
    make_unreadable,
    original_name,
    write_files,
)
from tests.odd_pictures import odd_pictures
from tests.tiny_bundle import write_tiny_bundle

MANY = 800  # pictures: more than are classified between two looks at the journal


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))


def command(*words: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("lesion")), "predict", *map(str, words)]


def predict(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=cwd, capture_output=True, text=True, timeout=120)


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def pictures(tmp_path: Path, originals: list[bytes]) -> Path:
    """A folder as users have them: pictures in subfolders, some of them unusual, and other files."""
    folder = tmp_path / "pictures"
    (folder / "older").mkdir(parents=True)
    for number, original in enumerate(originals[:6]):
        (folder / f"{number}.jpg").write_bytes(original)
    (folder / "older" / "mole, left.PNG").write_bytes(odd_pictures()["PNG"].encoded)
    (folder / "notes.jpg").write_bytes(b"these are my notes")
    (folder / "missing.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.jpg").write_bytes(b"hidden, so ignored")
    return folder


def test_a_folder_becomes_a_table_with_a_row_for_each_picture(pictures: Path, bundle: Path, tmp_path: Path) -> None:
    done = predict(pictures, "--bundle", bundle, "--out", "results.csv", "--json", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 1, done.stderr  # two are refused
    summary = json.loads(done.stdout)
    assert summary == {
        "out": "results.csv",
        "answered_by": bundle.name,
        "pictures": 9,
        "answered": 7,
        "refused": 2,
        "left_out": [
            {"path": ".hidden.jpg", "reason": "hidden: the name starts with a dot"},
            {"path": "notes.txt", "reason": "not in a picture format that is accepted"},
        ],
    }
    rows = rows_of(tmp_path / "results.csv")
    assert list(rows[0]) == list(COLUMNS)
    names = [row["picture"] for row in rows]
    assert names == [*(f"{number}.jpg" for number in range(6)), "missing.jpg", "notes.jpg", "older/mole, left.PNG"]
    errors = {row["picture"]: row["error"] for row in rows if row["error"]}
    assert errors == {"missing.jpg": "unreadable_file", "notes.jpg": "unsupported_picture"}
    for row in rows:
        if not row["error"]:
            assert sum(float(row[f"p_{code}"]) for code in CODES) == pytest.approx(1, abs=1e-5)
            assert row["model_version"] == bundle.name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "results.csv"]

    one = predict(pictures / "0.jpg", "--bundle", bundle, "--json", cwd=tmp_path)
    (answer,) = json.loads(one.stdout)
    assert rows[0]["outcome"] == answer["outcome"]
    assert float(rows[0]["malignant_probability"]) == answer["malignant_probability"]


def test_an_interrupted_run_continues_after_the_finished_rows(
    bundle: Path, tmp_path: Path, originals: list[bytes]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "000.jpg").write_bytes(originals[0])
    for number in range(1, MANY):
        (folder / f"{number:03}.jpg").hardlink_to(folder / "000.jpg")
    words = command(folder, "--bundle", bundle, "--out", "results.csv", "--workers", "1")
    journal = tmp_path / "results.csv.journal"
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 5) and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert "run the same command again to continue" in run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert not (tmp_path / "results.csv").exists()
    kept = journal.read_text().splitlines()
    assert 5 < len(kept) < MANY
    kept_row = json.loads(kept[1])
    kept_row[2]["detail"] = "kept from the first run"
    incomplete_line = '["999.jpg", [1, '  # as after a power failure
    journal.write_text("\n".join([kept[0], json.dumps(kept_row), *kept[2:], incomplete_line]))
    for number in range(60, MANY):
        (folder / f"{number:03}.jpg").unlink()

    done = predict(folder, "--bundle", bundle, "--out", "results.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "results.csv")
    assert [row["picture"] for row in rows] == [f"{number:03}.jpg" for number in range(60)]
    assert rows[0]["detail"] == "kept from the first run"
    assert not journal.exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_file_of_an_odd_folder_is_a_row_or_is_named(
    bundle: Path, tmp_path: Path, originals: list[bytes], suffix: str
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "odd"
    write_files(folder, [*NAMES, b"closed/in.jpg", b"unreadable.jpg"], originals[0])
    write_files(folder, SYSTEM_FILES, b"x")
    write_files(folder, OTHER_FORMATS, b"x")
    (folder / "empty.jpg").touch()
    (folder / "loop").symlink_to(".")
    (folder / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    make_unreadable(folder / "unreadable.jpg")
    make_unreadable(folder / "closed")
    out = tmp_path / f"r.{suffix}"
    words = [*OBEY_PERMISSIONS, *command(folder, "--bundle", bundle, "--out", out)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    (folder / "closed").chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr

    rows = rows_of(out) if suffix == "csv" else parquet_rows(out)
    answered = {original_name(row["picture"]): row for row in rows if not row["error"]}
    assert set(answered) == set(NAMES)
    assert {row["outcome"] for row in answered.values()} == {rows[-1]["outcome"]}  # they are all the same picture
    refused = {row["picture"]: row["detail"] for row in rows if row["error"]}
    assert refused == {
        "broken.jpg": "The file, or the file that the link names, does not exist.",
        "closed/": "Permission denied.",
        "empty.jpg": "The file is empty: copy it again from where it came from.",
        "unreadable.jpg": "Permission denied.",
    }
    counts = f"pictures answered: {len(NAMES)}, refused: 4; files left out: 11."
    assert done.stdout == f"{out}: {counts} Never a diagnosis.\n"
    named = done.stderr.splitlines()
    for name in ["loop/", "pipe.jpg", *map(os.fsdecode, OTHER_FORMATS)]:
        assert f"    {name}" in named
    for name, reason in refused.items():
        assert f"    {name}: {reason}" in named
    assert f"Left out, a file of the operating system (.DS_Store, Thumbs.db, ...): {len(SYSTEM_FILES)}" in named


def test_no_cell_of_a_csv_table_starts_a_formula_in_any_locale(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    write_files(folder, NAMES, b"\xff\xd8\xff")
    assert predict(folder, "--bundle", bundle, "--out", "r.csv", cwd=tmp_path).returncode == 1
    text = (tmp_path / "r.csv").read_text(encoding="utf-8")
    for separator in (",", ";", "\t"):  # a spreadsheet takes the one of the user's locale
        cells = [cell for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in line]
        assert [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))] == []


def test_long_lists_are_cut_on_the_terminal_and_whole_in_json(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    write_files(folder, [f"{number:02}.txt".encode() for number in range(30)], b"notes")
    write_files(folder, [f"{number:02}.jpg".encode() for number in range(30)], b"")
    done = predict(folder, "--bundle", bundle, "--out", "r.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n    ") == 2 * 21
    assert "... and 10 more: --json lists all" in done.stderr
    assert "... and 10 more: the table lists all" in done.stderr
    whole = predict(folder, "--bundle", bundle, "--out", "again.csv", "--json", cwd=tmp_path)
    assert len(json.loads(whole.stdout)["left_out"]) == 30
    assert len(rows_of(tmp_path / "again.csv")) == 30


def test_a_file_that_could_not_be_read_is_asked_again_when_an_interrupted_run_continues(tmp_path: Path) -> None:
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        results.add("a.jpg", (1, 2), {**row("a.jpg"), "error": "unreadable_file"})
        results.add("b.jpg", (1, 2), {**row("b.jpg"), "error": "unreadable_image"})
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        assert not results.has("a.jpg", (1, 2))
        assert results.has("b.jpg", (1, 2))


def test_files_that_are_left_out_do_not_change_the_exit_status(
    bundle: Path, tmp_path: Path, originals: list[bytes]
) -> None:
    folder = tmp_path / "album"
    write_files(folder, [b"1.jpg"], originals[0])
    write_files(folder, [b"notes.txt"], b"It grew.")
    assert predict(folder, "--bundle", bundle, "--out", "r.csv", cwd=tmp_path).returncode == 0
    (folder / "1.jpg").unlink()
    nothing = predict(folder, "--bundle", bundle, "--out", "s.csv", cwd=tmp_path)
    assert nothing.returncode == 1
    assert "    notes.txt\n" in nothing.stderr
    assert [path.name for path in tmp_path.glob("s.csv*")] == []


def row(name: str) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), "picture": name}


def test_a_changed_picture_is_classified_again(tmp_path: Path) -> None:
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        results.add("a.jpg", (1, 2), row("a.jpg"))
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        assert results.has("a.jpg", (1, 2))
        assert not results.has("a.jpg", (1, 3))
        assert not results.has("b.jpg", (1, 2))


def test_a_table_has_rows_of_one_model_and_is_written_by_one_run(tmp_path: Path) -> None:
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        results.add("a.jpg", (1, 2), row("a.jpg"))
        with pytest.raises(AnalyzerError, match="Another run"):
            Results(tmp_path / "r.csv", answered_by="m")
    with pytest.raises(AnalyzerError, match="another model"):
        Results(tmp_path / "r.csv", answered_by="other")
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        assert results.has("a.jpg", (1, 2))


def test_a_lock_file_of_a_killed_run_does_not_block_the_next_run(tmp_path: Path) -> None:
    script = (
        "import os, pathlib; from cli.prediction.results import Results\n"
        "results = Results(pathlib.Path('r.csv'), answered_by='m')\n"
        "results.add('a.jpg', (1, 2), {'picture': 'a.jpg'})\n"
        "os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=tmp_path).returncode == -signal.SIGKILL
    assert (tmp_path / "r.csv.lock").exists()
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        assert results.has("a.jpg", (1, 2))
        results.finish(["a.jpg"])
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_a_file_name_may_have_any_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b'caf\xe9, "x"\n.jpg')
    for _ in range(2):
        with Results(tmp_path / "r.csv", answered_by="m") as results:
            results.add(name, (1, 2), row(name))
    with Results(tmp_path / "r.csv", answered_by="m") as results:
        results.finish([name])
    assert [found["picture"] for found in rows_of(tmp_path / "r.csv")] == [r'caf\xe9, "x"\x0a.jpg']


def test_parquet_keeps_numbers_as_numbers(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with Results(tmp_path / "r.parquet", answered_by="m") as results:
        results.add("a.jpg", (1, 2), {**row("a.jpg"), "p_nv": 0.25, "width": 600})
        results.add("b.jpg", (1, 2), {**row("b.jpg"), "error": "unreadable_image"})
        results.finish(["b.jpg", "a.jpg"])
    table = parquet.read_table(tmp_path / "r.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table["p_nv"].to_pylist() == [None, 0.25]
    assert table["width"].to_pylist() == [None, 600]


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["pictures", "--bundle", "{bundle}"], 2, "pictures is a folder: add --out FILE"),
        (
            ["empty", "--bundle", "{bundle}", "--out", "r.csv"],
            1,
            "There is no picture in empty",
        ),
        (["pictures", "--bundle", "{bundle}", "--out", "r.txt"], 1, "name a file that ends in .csv or .parquet"),
        (["pictures", "--bundle", "{bundle}", "--out", "taken.csv"], 1, "taken.csv exists"),
        (["pictures", "--bundle", "empty", "--out", "r.csv"], 1, "not a model bundle"),
        (["pictures", "--url", "http://127.0.0.1:9", "--out", "r.csv"], 1, "run the same command again to continue"),
    ],
)
def test_a_wrong_call_gets_one_sentence_and_no_traceback(
    pictures: Path, bundle: Path, tmp_path: Path, words: list[str], status: int, sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken.csv").write_text("mine")
    done = predict(*(word.format(bundle=bundle) for word in words), cwd=tmp_path)
    assert (done.returncode, sentence in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "taken.csv").read_text() == "mine"
