"""The source archive of a job: the code and its locked packages, started with the command of the job."""

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from contract.errors import TrainingError
from operations.jobs.launch import TENSORFLOW
from operations.jobs.plan import ENTRYPOINT
from operations.jobs.source import ARCHIVE, FOLDERS, ROOT, Source, bundle_source, job_requirements

LOCKED = (ROOT / "requirements" / "train.txt").read_text()


@pytest.fixture(scope="module")
def source() -> Source:
    return bundle_source()


def test_the_archive_has_exactly_what_a_job_needs(source: Source) -> None:
    with tarfile.open(fileobj=io.BytesIO(source.archive)) as tar:
        names = set(tar.getnames())
    added = {"requirements.txt", "requirements-distributed.txt", "COMMIT"}
    assert {name.split("/")[0] for name in names - added} == set(FOLDERS)
    tracked = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert set(tracked) <= names
    assert not [name for name in names if "__pycache__" in name]


def test_the_same_source_makes_the_same_bytes(source: Source) -> None:
    assert bundle_source().sha256 == source.sha256


def test_every_package_has_its_hash_and_tensorflow_is_left_to_the_image() -> None:
    names = re.findall(r"^([\w.-]+)==", LOCKED, re.MULTILINE)
    kept = job_requirements(LOCKED)
    assert [name for name in names if name not in re.findall(r"^([\w.-]+)==", kept, re.MULTILINE)] == [
        "tensorflow",
        "tensorflow-cpu",
    ]
    blocks = re.split(r"^(?=[\w.-]+==)", kept, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_image_has_the_locked_version_of_tensorflow() -> None:
    assert set(re.findall(r"^tensorflow(?:-cpu)?==(\S+)", LOCKED, re.MULTILINE)) == {TENSORFLOW}


def test_a_folder_that_is_not_a_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no requirements/train\.txt next to the source"):
        bundle_source(tmp_path)


@pytest.fixture
def container(source: Source, tmp_path: Path) -> Path:
    """A base folder with the source in its channel, as in a container."""
    (tmp_path / "input" / "data" / "code").mkdir(parents=True)
    (tmp_path / "input" / "data" / "code" / ARCHIVE).write_bytes(source.archive)
    return tmp_path


def start(base: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    container = {"SAGEMAKER_BASE_DIR": str(base), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | container
    return subprocess.run(ENTRYPOINT, env=env, cwd=base, capture_output=True, text=True, timeout=120)


def test_the_command_of_the_job_installs_the_lock_and_becomes_the_entry_point(container: Path) -> None:
    # pip reads the lock with its hashes, but as a dry run without an index: here every package is installed already
    done = start(container, PIP_DRY_RUN="1", PIP_NO_INDEX="1", SM_HPS='{"size": "8"}')
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("The hyperparameter size cannot be '8'")
    assert (container / "output" / "failure").read_text() + "\n" == done.stdout


def test_a_package_that_cannot_be_installed_is_the_failure_reason(container: Path) -> None:
    done = start(container, PIP_DRY_RUN="1", PIP_NO_INDEX="1", PIP_IGNORE_INSTALLED="1")
    assert done.returncode == 1
    reason = (container / "output" / "failure").read_text()
    assert reason.startswith("The packages of requirements.txt could not be installed: Could not find a version")
