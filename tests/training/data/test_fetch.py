"""Bringing HAM10000 from its archive: whole and verified, going on where it stopped, or a sentence says why not."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from filelock import FileLock

from cli.data import data
from contract.errors import DatasetError
from tests.training.data.dataverse import Archive, md5, serve, zipped
from training.data.fetch import fetch
from training.data.ham10000 import Dataset, read_dataset
from training.data.layout import METADATA
from training.data.published.dataverse import RemoteFile, connect
from training.data.published.download import ATTEMPTS, download
from training.data.published.errors import FetchError

TABLE = "HAM10000_metadata"


def published_files(folder, table: str = TABLE) -> dict[str, bytes]:
    """The three files that lie in the archive, and one that does not concern us."""
    pictures = sorted((folder.path / "images").iterdir())
    half = len(pictures) // 2
    return {
        "HAM10000_images_part_1.zip": zipped({path.name: path.read_bytes() for path in pictures[:half]}),
        "HAM10000_images_part_2.zip": zipped({path.name: path.read_bytes() for path in pictures[half:]}),
        table: folder.table.read_bytes(),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped({"mask.png": b"-"}),
    }


@pytest.fixture
def archive(folder) -> Iterator[Archive]:
    with serve(Archive(published_files(folder))) as served:
        yield served


def bring(archive: Archive, folder: Path, **options) -> Dataset:
    fetch(folder, archive.url, pause_s=0.01, **options)
    return read_dataset(folder)


def asked_for(archive: Archive, file: str) -> list[str | None]:
    """The ranges in which a file's bytes were asked for."""
    number = 100 + list(archive.files).index(file)
    return [asked for path, asked in archive.requests if path == f"/storage/{number}"]


def refusal(archive: Archive, folder: Path, **options) -> str:
    with pytest.raises(FetchError) as caught:
        bring(archive, folder, **options)
    assert not folder.exists()
    return str(caught.value)


def test_the_set_that_arrives_is_the_one_that_was_published(archive: Archive, folder, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    arrived = bring(archive, tmp_path / "deep" / "set", on_progress=lambda *report: told.append(report))
    assert arrived.sha256 == folder.read().sha256
    for path in arrived.rows["path"]:
        assert Path(path).read_bytes() == folder.picture(Path(path).stem).read_bytes()
    assert {path.name for path in arrived.folder.iterdir()} == {METADATA, "images", "LICENCE.txt"}
    assert "non-commercial" in (arrived.folder / "LICENCE.txt").read_text()
    assert [path.name for path in arrived.folder.parent.iterdir()] == ["set"]
    assert told[-1] == ("unpacking pictures", len(arrived.rows), len(arrived.rows))
    assert {what for what, done, total in told if done == total} == {
        f"{TABLE} (MB)", "HAM10000_images_part_1.zip (MB)", "HAM10000_images_part_2.zip (MB)", "unpacking pictures",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["HAM10000_metadata.tab", "HAM10000_metadata.csv", "HAM10000_metadata"])
def test_the_table_is_taken_under_every_name_that_dataverse_gives_it(folder, tmp_path: Path, name: str) -> None:
    with serve(Archive(published_files(folder, name))) as archive:
        assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
        asked = [path for path, _ in archive.requests if path.startswith("/api/access/")]
    assert any("format=original" in path for path in asked) == name.endswith(".tab")


def test_a_download_goes_on_where_the_connection_broke_off(archive: Archive, folder, tmp_path: Path) -> None:
    archive.drop_after = [10**9, 1000, 500]  # the table whole, then twice in the first archive
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, "HAM10000_images_part_1.zip") == [None, "bytes=1000-", "bytes=1500-"]
    assert asked_for(archive, "HAM10000_images_part_2.zip") == [None]


def test_a_run_that_gave_up_is_gone_on_with_by_the_next(archive: Archive, folder, tmp_path: Path) -> None:
    archive.drop_after = [10**9, 4000] + [0] * ATTEMPTS
    assert "run the same command again" in refusal(archive, tmp_path / "set")
    archive.requests.clear()
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, TABLE) == []  # it was there already
    assert asked_for(archive, "HAM10000_images_part_1.zip") == ["bytes=4000-"]


def test_a_connection_that_keeps_breaking_is_borne_while_each_attempt_brings_something(archive, folder, tmp_path):
    archive.drop_after = [10**9, *[700] * (3 * ATTEMPTS)]
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_a_server_that_cannot_go_on_is_asked_for_all_of_it(archive: Archive, folder, tmp_path: Path) -> None:
    archive.honours_range, archive.drop_after = False, [10**9, 5000]
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, "HAM10000_images_part_1.zip") == [None, "bytes=5000-"]


def test_a_server_that_always_starts_over_and_always_breaks_off_is_given_up(archive: Archive, tmp_path: Path) -> None:
    archive.honours_range, archive.drop_after = False, [10**9, *[5000] * 30]
    assert "the connection broke off after 5000 bytes" in refusal(archive, tmp_path / "set")
    assert len(asked_for(archive, "HAM10000_images_part_1.zip")) == ATTEMPTS + 1


def test_a_server_that_answers_with_another_part_never_spoils_the_file(archive: Archive, folder, tmp_path) -> None:
    archive.shifts_range, archive.drop_after = True, [10**9, 5000]
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, "HAM10000_images_part_1.zip") == [None, "bytes=5000-", None]


def test_a_corrupt_download_is_thrown_away_and_asked_for_again(archive: Archive, folder, tmp_path: Path) -> None:
    archive.spoil = 1
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, TABLE) == [None, None]


def test_a_file_that_is_corrupt_twice_is_refused_and_not_kept(archive: Archive, tmp_path: Path) -> None:
    archive.spoil = 2
    assert "arrived 2 times with another checksum" in refusal(archive, tmp_path / "set")
    assert list((tmp_path / ".set.download").iterdir()) == []


def test_what_lies_there_half_and_spoiled_is_found_out_by_its_checksum(archive: Archive, folder, tmp_path) -> None:
    archive.drop_after = [10**9, 4000] + [0] * ATTEMPTS
    refusal(archive, tmp_path / "set")
    (partial,) = (tmp_path / ".set.download").glob("*.partial")
    partial.write_bytes(b"?" + partial.read_bytes()[1:])
    archive.requests.clear()
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, "HAM10000_images_part_1.zip") == ["bytes=4000-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_archive_that_is_busy_is_asked_again(archive: Archive, folder, tmp_path: Path, status: int) -> None:
    archive.statuses = [(status, {})] * (ATTEMPTS - 1)
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_an_archive_that_says_when_to_come_back_is_not_asked_earlier(archive: Archive, tmp_path: Path) -> None:
    archive.statuses = [(429, {"Retry-After": "1"})]
    began = time.monotonic()
    bring(archive, tmp_path / "set")
    assert 1 <= time.monotonic() - began < 6


@pytest.mark.parametrize(
    ("status", "attempts", "sentence"),
    [
        (500, ATTEMPTS, "the archive answers 500. What has arrived is kept"),
        (429, ATTEMPTS, "the archive answers 429"),
        (404, 1, "no longer has HAM10000_metadata"),
        (403, 1, "refuses to hand out HAM10000_metadata"),
        (202, 1, "answers 202"),
    ],
)
def test_an_archive_that_does_not_hand_it_out_is_named(archive, tmp_path, status, attempts, sentence) -> None:
    archive.statuses = [(status, {})] * attempts
    assert sentence in refusal(archive, tmp_path / "set")
    assert archive.statuses == []


def test_an_archive_that_falls_silent_is_given_up(archive: Archive, tmp_path: Path) -> None:
    archive.silent = True
    assert "cannot be reached" in refusal(archive, tmp_path / "set", read_timeout_s=0.2)


def test_an_archive_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    with serve(Archive({})) as gone:
        pass
    sentence = refusal(gone, tmp_path / "set")
    assert f"The archive at {gone.url} cannot be reached" in sentence
    assert "--from" in sentence
    assert "0x" not in sentence
    assert list(tmp_path.glob("*set*")) == []


@pytest.mark.parametrize("url", ["http://", "nonsense", "ftp://127.0.0.1", ""])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError, match="is no address of an archive"):
        fetch(tmp_path / "set", url)


@pytest.mark.parametrize("listing", [b"<html>", b"", {"status": "ERROR"}, {"data": [{"dataFile": {"id": "x"}}]}])
def test_something_else_than_a_list_of_files_is_refused(archive: Archive, tmp_path: Path, listing) -> None:
    archive.listing = listing
    assert "something else than Dataverse's list of files" in refusal(archive, tmp_path / "set")


def test_a_list_that_lacks_a_file_or_restricts_it_or_states_no_checksum_is_refused(archive, tmp_path: Path) -> None:
    archive.listing = listing = archive.list_files()
    listing["data"][1]["restricted"] = True
    assert "does not hand out HAM10000_images_part_2.zip to everyone" in refusal(archive, tmp_path / "set")
    listing["data"][1]["restricted"] = False
    listing["data"][1]["dataFile"]["checksum"]["type"] = "CRC"
    assert "no checksum for HAM10000_images_part_2.zip" in refusal(archive, tmp_path / "set")
    del listing["data"][1]
    assert "lists 0 files that could be HAM10000_images_part_2.zip" in refusal(archive, tmp_path / "set")


def test_the_checksum_may_be_md5_alone_or_of_another_algorithm(archive: Archive, folder, tmp_path: Path) -> None:
    archive.listing = archive.list_files()
    first, second = (listed["dataFile"] for listed in archive.listing["data"][:2])
    first["md5"] = first.pop("checksum")["value"]
    content = archive.files["HAM10000_images_part_2.zip"]
    second["checksum"] = {"type": "SHA-512", "value": hashlib.sha512(content).hexdigest().upper()}
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256


def test_a_disk_without_room_is_told_before_anything_is_downloaded(archive: Archive, tmp_path: Path) -> None:
    archive.listing = archive.list_files()
    archive.listing["data"][0]["dataFile"]["filesize"] = 10**17
    with pytest.raises(DatasetError, match=r"200000000\.\d GB are needed at .* GB are free"):
        bring(archive, tmp_path / "set")
    assert [path for path, _ in archive.requests if "/access/" in path] == []
    assert list(tmp_path.glob("*set*")) == []


def test_a_folder_with_something_in_it_is_not_touched(archive: Archive, folder) -> None:
    with pytest.raises(DatasetError, match="not an empty folder"):
        bring(archive, folder.path)
    assert archive.requests == []


def test_a_file_whose_size_the_archive_did_not_keep_is_taken_by_its_checksum(archive: Archive, tmp_path: Path) -> None:
    content = archive.files[TABLE]
    remote = RemoteFile(name="table", url=f"{archive.url}/storage/102", size_bytes=None, algorithm="md5",
                        checksum=md5(content))  # fmt: skip
    archive.drop_after = [10]
    assert download(connect(archive.url), remote, tmp_path, pause_s=0.01).read_bytes() == content


def test_a_server_that_sends_without_end_fills_no_disk(archive: Archive, tmp_path: Path) -> None:
    name = "HAM10000_images_part_1.zip"
    remote = RemoteFile(name=name, url=f"{archive.url}/storage/100", size_bytes=1000, algorithm="md5",
                        checksum=md5(archive.files[name][:1000]))  # fmt: skip
    assert download(connect(archive.url), remote, tmp_path).stat().st_size == 1000


# --- the command -----------------------------------------------------------------------------------------------------


def lesion_fetch(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(data, ["fetch", *map(str, arguments)], input=answer, env={"HAM10000_DIR": ""})


def test_the_licence_is_shown_and_agreed_to_before_anything_is_asked(archive: Archive, tmp_path: Path) -> None:
    for answer, reason in (("n\n", "nothing was downloaded"), ("", "--accept-licence")):
        refused = lesion_fetch(tmp_path / "set", "--url", archive.url, answer=answer)
        assert refused.exit_code == 2
        assert "CC BY-NC 4.0" in refused.stderr
        assert reason in refused.stderr
        assert archive.requests == []
    agreed = lesion_fetch(tmp_path / "set", "--url", archive.url, answer="y\n")
    assert agreed.exit_code == 0
    assert f"export HAM10000_DIR={tmp_path / 'set'}" in agreed.stdout


def test_with_the_licence_accepted_a_program_reads_what_arrived(archive: Archive, folder, tmp_path: Path) -> None:
    done = lesion_fetch(tmp_path / "set", "--url", archive.url, "--accept-licence", "--json")
    assert json.loads(done.stdout) == {
        "folder": str(tmp_path / "set"), "pictures": len(folder.rows), "left_out": 0,
    }  # fmt: skip
    assert lesion_fetch(tmp_path / "set", "--url", archive.url, "--accept-licence").exit_code == 1


def test_files_that_someone_has_are_taken_without_asking_the_archive(archive: Archive, folder, tmp_path: Path) -> None:
    arguments: list[object] = [tmp_path / "set", "--url", archive.url]
    for name in list(archive.files)[:3]:
        (tmp_path / name).write_bytes(archive.files[name])
        arguments += ["--from", tmp_path / name]
    assert lesion_fetch(*arguments).exit_code == 0
    assert archive.requests == []
    assert read_dataset(tmp_path / "set").sha256 == folder.read().sha256


def test_an_interrupted_command_leaves_no_set_and_the_next_goes_on(archive: Archive, folder, tmp_path: Path) -> None:
    archive.drop_after = [10**9, 3000]
    archive.drop_after += [0] * (ATTEMPTS - 1)  # it pauses between attempts, where it is interrupted
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
    assert bring(archive, tmp_path / "set").sha256 == folder.read().sha256
    assert asked_for(archive, "HAM10000_images_part_1.zip") == ["bytes=3000-"]


def test_a_second_process_is_told_to_wait(archive: Archive, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".set.download.lock"), pytest.raises(DatasetError, match="Another process is downloading"):
        bring(archive, tmp_path / "set")
