"""The source archive of a job: contract/, training/ and operations/ of this checkout, and their locked packages."""

import gzip
import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import TrainingError
from operations.container.start import DISTRIBUTED_REQUIREMENTS, REQUIREMENTS
from training.record.commit import COMMIT_FILE, find_commit, is_changed

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("contract", "training", "operations")
SUFFIXES: Final = (".py", ".html", ".json")
ARCHIVE: Final = "source.tar.gz"

# The image has its own TensorFlow, built for its GPUs. The locked one, built for CPUs, would replace it.
IN_IMAGE: Final = ("tensorflow", "tensorflow-cpu")
_PACKAGE: Final = re.compile(r"^([\w.-]+)==\S+.*(?:\n[ \t]+.*)*\n?", re.MULTILINE)  # with its lines of hashes


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source archive. The same files make the same bytes."""

    archive: bytes
    files: tuple[str, ...]
    commit: str | None
    changed: bool  # since that commit

    @property
    def sha256(self) -> str:
        """The hash of the archive."""
        return hashlib.sha256(self.archive).hexdigest()


def bundle_source(root: Path = ROOT) -> Source:
    """Pack the source for a container.

    Raises:
        TrainingError: `root` is not a checkout: it has no requirements/.
    """
    commit = find_commit(root)
    files = {str(path.relative_to(root)): path.read_bytes() for folder in FOLDERS for path in _sources(root / folder)}
    files[REQUIREMENTS] = job_requirements(_locked(root, "train")).encode()
    files[DISTRIBUTED_REQUIREMENTS] = _locked(root, "jax-cuda").encode()
    if commit:
        files[COMMIT_FILE] = f"{commit}\n".encode()
    return Source(archive=_pack(files), files=tuple(sorted(files)), commit=commit, changed=is_changed(FOLDERS, root))


def job_requirements(locked: str) -> str:
    """Remove the packages that the image has from a lock file."""
    return _PACKAGE.sub(lambda found: "" if found[1] in IN_IMAGE else found[0], locked)


def _locked(root: Path, group: str) -> str:
    try:
        return (root / "requirements" / f"{group}.txt").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise TrainingError(
            f"There is no requirements/{group}.txt next to the source: start jobs from a checkout of the repository."
        ) from error


def _sources(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts and not path.name.startswith(".")
    )


def _pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
