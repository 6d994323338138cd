"""Fetch HAM10000 from its archive: complete and verified, resumed after an interrupt, or with a clear error."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from cli.data import data
from contract.errors import DatasetError
from tests.training.data.dataset_folder import DatasetFolder
from tests.training.data.dataverse import Archive, md5, serve, zipped
from training.data.ham10000 import Dataset, read_dataset
from training.data.layout import METADATA
from training.data.published.dataverse import RemoteFile, connect
from training.data.published.download import MAX_FAILURES, download
from training.data.published.errors import FetchError
from training.data.published.fetch import fetch

TABLE = "HAM10000_metadata"


def published_files(folder: DatasetFolder, table: str = TABLE) -> dict[str, bytes]:
    """The three files of the archive, and one that is not needed."""
    pictures = sorted((folder.path / "images").iterdir())
    half = len(pictures) // 2
    return {
        "HAM10000_images_part_1.zip": zipped({path.name: path.read_bytes() for path in pictures[:half]}),
        "HAM10000_images_part_2.zip": zipped({path.name: path.read_bytes() for path in pictures[half:]}),
        table: folder.table.read_bytes(),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped({"mask.png": b"-"}),
    }


@pytest.fixture
def archive(folder: DatasetFolder) -> Iterator[Archive]:
    with serve(Archive(published_files(folder))) as served:
        yield served


def fetch_and_read(archive: Archive, folder: Path, **options: Any) -> Dataset:
    fetch(folder, archive.url, pause_s=0.01, **options)
    return read_dataset(folder)


def requested_ranges(archive: Archive, file: str) -> list[str | None]:
    """The Range header of each request for a file."""
    number = 100 + list(archive.files).index(file)
    return [requested for path, requested in archive.requests if path == f"/storage/{number}"]


def refusal(archive: Archive, folder: Path, **options: Any) -> str:
    with pytest.raises(FetchError) as caught:
        fetch_and_read(archive, folder, **options)
    assert not folder.exists()
    return str(caught.value)


def test_the_fetched_data_set_is_the_published_one(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    reports: list[tuple[str, int, int]] = []
    fetched = fetch_and_read(archive, tmp_path / "deep" / "set", on_progress=lambda *report: reports.append(report))
    assert fetched.sha256 == folder.read().sha256
    for path in fetched.rows["path"]:
        assert Path(path).read_bytes() == folder.picture(Path(path).stem).read_bytes()
    assert {path.name for path in fetched.folder.iterdir()} == {METADATA, "images", "LICENCE.txt"}
    assert "non-commercial" in (fetched.folder / "LICENCE.txt").read_text()
    assert [path.name for path in fetched.folder.parent.iterdir()] == ["set"]
    assert reports[-1] == ("unpacking pictures", len(fetched.rows), len(fetched.rows))
    assert {step for step, done, total in reports if done == total} == {
        f"{TABLE} (MB)", "HAM10000_images_part_1.zip (MB)", "HAM10000_images_part_2.zip (MB)", "unpacking pictures",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["HAM10000_metadata.tab", "HAM10000_metadata.csv", "HAM10000_metadata"])
def test_the_table_is_found_under_every_name_that_dataverse_uses(
    folder: DatasetFolder, tmp_path: Path, name: str
) -> None:
    with serve(Archive(published_files(folder, name))) as archive:
        assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
        requested = [path for path, _ in archive.requests if path.startswith("/api/access/")]
    assert any("format=original" in path for path in requested) == name.endswith(".tab")


def test_a_download_resumes_after_a_lost_connection(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    archive.drop_after = [10**9, 1000, 500]  # the complete table, then twice in the first archive
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == [None, "bytes=1000-", "bytes=1500-"]
    assert requested_ranges(archive, "HAM10000_images_part_2.zip") == [None]


def test_the_next_run_resumes_a_failed_one(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    archive.drop_after = [10**9, 4000] + [0] * MAX_FAILURES
    assert "run the same command again" in refusal(archive, tmp_path / "set")
    archive.requests.clear()
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, TABLE) == []  # it was complete
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == ["bytes=4000-"]


def test_failures_are_not_counted_while_each_request_brings_new_bytes(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.drop_after = [10**9, *[700] * (3 * MAX_FAILURES)]
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_a_server_without_ranges_sends_the_complete_file_again(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.honours_range, archive.drop_after = False, [10**9, 5000]
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == [None, "bytes=5000-"]


def test_a_server_without_ranges_that_always_fails_is_given_up(archive: Archive, tmp_path: Path) -> None:
    archive.honours_range, archive.drop_after = False, [10**9, *[5000] * 30]
    assert "the connection was lost after 5000 bytes" in refusal(archive, tmp_path / "set")
    assert len(requested_ranges(archive, "HAM10000_images_part_1.zip")) == MAX_FAILURES + 1


def test_a_wrong_range_in_the_answer_never_corrupts_the_file(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.shifts_range, archive.drop_after = True, [10**9, 5000]
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == [None, "bytes=5000-", None]


def test_a_corrupt_download_is_deleted_and_repeated(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    archive.corrupt_downloads = 1
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, TABLE) == [None, None]


def test_a_file_that_is_corrupt_twice_is_refused_and_deleted(archive: Archive, tmp_path: Path) -> None:
    archive.corrupt_downloads = 2
    assert "was downloaded 2 times with a wrong checksum" in refusal(archive, tmp_path / "set")
    assert list((tmp_path / ".set.download").iterdir()) == []


def test_a_corrupt_partial_file_is_found_by_its_checksum(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.drop_after = [10**9, 4000] + [0] * MAX_FAILURES
    refusal(archive, tmp_path / "set")
    (partial,) = (tmp_path / ".set.download").glob("*.partial")
    partial.write_bytes(b"?" + partial.read_bytes()[1:])
    archive.requests.clear()
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == ["bytes=4000-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_request_to_a_busy_archive_is_repeated(
    archive: Archive, folder: DatasetFolder, tmp_path: Path, status: int
) -> None:
    archive.statuses = [(status, {})] * (MAX_FAILURES - 1)
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_retry_after_is_respected(archive: Archive, tmp_path: Path) -> None:
    archive.statuses = [(429, {"Retry-After": "1"})]
    start = time.monotonic()
    fetch_and_read(archive, tmp_path / "set")
    assert 1 <= time.monotonic() - start < 6


@pytest.mark.parametrize(
    ("status", "attempts", "sentence"),
    [
        (500, MAX_FAILURES, "the archive answers 500. The received part is kept"),
        (429, MAX_FAILURES, "the archive answers 429"),
        (404, 1, "no longer has HAM10000_metadata"),
        (403, 1, "refuses the download of HAM10000_metadata"),
        (202, 1, "answers 202"),
    ],
)
def test_an_error_status_is_reported(
    archive: Archive, tmp_path: Path, status: int, attempts: int, sentence: str
) -> None:
    archive.statuses = [(status, {})] * attempts
    assert sentence in refusal(archive, tmp_path / "set")
    assert archive.statuses == []


def test_a_silent_archive_is_given_up(archive: Archive, tmp_path: Path) -> None:
    archive.silent = True
    assert "cannot be reached" in refusal(archive, tmp_path / "set", read_timeout_s=0.2)


def test_an_unreachable_archive_is_named_with_advice(tmp_path: Path) -> None:
    with serve(Archive({})) as stopped:
        pass
    sentence = refusal(stopped, tmp_path / "set")
    assert f"The archive at {stopped.url} cannot be reached" in sentence
    assert "--from" in sentence
    assert "0x" not in sentence
    assert list(tmp_path.glob("*set*")) == list(tmp_path.glob(".partial-*")) == []


@pytest.mark.parametrize("url", ["http://", "nonsense", "ftp://127.0.0.1", ""])
def test_an_invalid_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="is not the address of an archive"):
        fetch(tmp_path / "set", url)


@pytest.mark.parametrize("listing", [b"<html>", b"", {"status": "ERROR"}, {"data": [{"dataFile": {"id": "x"}}]}])
def test_an_answer_that_is_not_a_list_of_files_is_refused(archive: Archive, tmp_path: Path, listing: object) -> None:
    archive.listing = listing
    assert "does not answer with Dataverse's list of files" in refusal(archive, tmp_path / "set")


def test_a_missing_or_restricted_file_or_one_without_checksum_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.listing = listing = archive.list_files()
    listing["data"][1]["restricted"] = True
    assert "restricts access to HAM10000_images_part_2.zip" in refusal(archive, tmp_path / "set")
    listing["data"][1]["restricted"] = False
    listing["data"][1]["dataFile"]["checksum"]["type"] = "CRC"
    assert "no usable checksum for HAM10000_images_part_2.zip" in refusal(archive, tmp_path / "set")
    del listing["data"][1]
    assert "lists 0 files that could be HAM10000_images_part_2.zip" in refusal(archive, tmp_path / "set")


def test_the_checksum_may_be_the_old_md5_field_or_another_algorithm(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.listing = archive.list_files()
    first, second = (listed["dataFile"] for listed in archive.listing["data"][:2])
    first["md5"] = first.pop("checksum")["value"]
    content = archive.files["HAM10000_images_part_2.zip"]
    second["checksum"] = {"type": "SHA-512", "value": hashlib.sha512(content).hexdigest().upper()}
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_a_full_disk_is_reported_before_the_download(archive: Archive, tmp_path: Path) -> None:
    archive.listing = archive.list_files()
    archive.listing["data"][0]["dataFile"]["filesize"] = 10**17
    with pytest.raises(DatasetError, match=r"200000000\.\d GB are needed at .* GB are free"):
        fetch_and_read(archive, tmp_path / "set")
    assert [path for path, _ in archive.requests if "/access/" in path] == []
    assert list(tmp_path.glob("*set*")) == list(tmp_path.glob(".partial-*")) == []


def test_a_nonempty_folder_is_refused(archive: Archive, folder: DatasetFolder) -> None:
    with pytest.raises(DatasetError, match="not an empty folder"):
        fetch_and_read(archive, folder.path)
    assert archive.requests == []


def test_a_file_of_unknown_size_is_verified_by_its_checksum(archive: Archive, tmp_path: Path) -> None:
    content = archive.files[TABLE]
    remote = RemoteFile(name="table", url=f"{archive.url}/storage/102", size_bytes=None, algorithm="md5",
                        checksum=md5(content))  # fmt: skip
    archive.drop_after = [10]
    assert download(connect(archive.url), remote, tmp_path, pause_s=0.01).read_bytes() == content


def test_a_server_that_sends_too_much_does_not_fill_the_disk(archive: Archive, tmp_path: Path) -> None:
    name = "HAM10000_images_part_1.zip"
    remote = RemoteFile(name=name, url=f"{archive.url}/storage/100", size_bytes=1000, algorithm="md5",
                        checksum=md5(archive.files[name][:1000]))  # fmt: skip
    assert download(connect(archive.url), remote, tmp_path).stat().st_size == 1000


# --- the command -----------------------------------------------------------------------------------------------------


def lesion_fetch(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(data, ["fetch", *map(str, arguments)], input=answer, env={"HAM10000_DIR": ""})


def test_the_user_agrees_to_the_licence_before_any_request(archive: Archive, tmp_path: Path) -> None:
    for answer, reason in (("n\n", "nothing was downloaded"), ("", "--accept-licence")):
        refused = lesion_fetch(tmp_path / "set", "--url", archive.url, answer=answer)
        assert refused.exit_code == 2
        assert "CC BY-NC 4.0" in refused.stderr
        assert reason in refused.stderr
        assert archive.requests == []
    agreed = lesion_fetch(tmp_path / "set", "--url", archive.url, answer="y\n")
    assert agreed.exit_code == 0
    assert f"export HAM10000_DIR={tmp_path / 'set'}" in agreed.stdout


def test_the_result_can_be_printed_as_json(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    done = lesion_fetch(tmp_path / "set", "--url", archive.url, "--accept-licence", "--json")
    assert json.loads(done.stdout) == {
        "folder": str(tmp_path / "set"), "pictures": len(folder.rows), "left_out": 0,
    }  # fmt: skip
    assert lesion_fetch(tmp_path / "set", "--url", archive.url, "--accept-licence").exit_code == 1


def test_downloaded_files_are_used_without_a_request(archive: Archive, folder: DatasetFolder, tmp_path: Path) -> None:
    arguments: list[object] = [tmp_path / "set", "--url", archive.url]
    for name in list(archive.files)[:3]:
        (tmp_path / name).write_bytes(archive.files[name])
        arguments += ["--from", tmp_path / name]
    assert lesion_fetch(*arguments).exit_code == 0
    assert archive.requests == []
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


def test_an_interrupted_command_leaves_no_data_set_and_the_next_one_resumes(
    archive: Archive, folder: DatasetFolder, tmp_path: Path
) -> None:
    archive.drop_after = [10**9, 3000]
    archive.drop_after += [0] * (MAX_FAILURES - 1)  # the interrupt comes in a pause between requests
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    program += ["data", "fetch", str(tmp_path / "set"), "--url", archive.url, "--accept-licence"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 30
        while not list((tmp_path / ".set.download").glob("*part_1*.partial")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGINT)
        assert "interrupted" in (running.communicate()[1])
    assert running.returncode == 130
    assert not (tmp_path / "set").exists()
    archive.drop_after.clear()
    archive.requests.clear()
    assert fetch_and_read(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert requested_ranges(archive, "HAM10000_images_part_1.zip") == ["bytes=3000-"]


def test_a_second_process_gets_an_error(archive: Archive, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".set.download.lock"), pytest.raises(DatasetError, match="Another process is downloading"):
        fetch_and_read(archive, tmp_path / "set")
