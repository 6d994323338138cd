"""The function's image: built from `Dockerfile.lambda`, measured, and run under AWS's emulator, with no engine."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local.emulator import emulator_binary
from tests.containers.base import make_base_image
from tests.containers.buildah import buildah
from tests.containers.pip_config import volumes

ROOT = Path(__file__).parents[2]
DOCKERFILE = "Dockerfile.lambda"
SOURCES = (DOCKERFILE, "requirements/classify.txt", "contract/**/*.py", "functions/**/*.py")
NAME = "localhost/lesion-classify:latest"
LABEL = "sources"  # of the image: the digest of what it was built from
PACKAGES, CODE = "opt/python", "var/task"  # where the image keeps what is ours
MODEL, EMULATOR = "/mnt/model", "/mnt/emulator"  # where a container finds what is lent to it


class Share(NamedTuple):
    """A part of an image, and its size on the disk."""

    name: str
    size_mb: float


def build_image(base_image: str | None = None) -> str:
    """Build the image and return its name.

    Args:
        base_image: any with Python 3.11, pip and glibc, that this machine can pull; else one made of Debian's packages.

    Raises:
        LocalStackError: buildah cannot be used here, or a step fails; its last words are in the message.
    """
    base_image = base_image or make_base_image()
    with tempfile.TemporaryDirectory() as folder:
        buildah(
            "build",
            "--layers=false",
            "--network=host",
            f"--build-arg=BASE_IMAGE={base_image}",
            *volumes(Path(folder)),
            f"--label={LABEL}={sources_digest()}",
            f"--file={ROOT / DOCKERFILE}",
            f"--tag={NAME}",
            str(ROOT),
        )
    return NAME


def is_built() -> bool:
    """Tell whether the image is there, and of the sources as they are now."""
    if NAME not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return False
    inspected = json.loads(buildah("inspect", "--type=image", NAME))
    return bool((inspected["OCIv1"]["config"].get("Labels") or {}).get(LABEL) == sources_digest())


def sources_digest() -> str:
    """Hash all that goes into the image from this repository."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Container:
    """A running image's place: what starts a program inside it."""

    emulator = f"{EMULATOR}/{emulator_binary().name}"

    def __init__(self, name: str, bundle: Path) -> None:
        """Lend it a model and the emulator, both read-only."""
        self._name, self._bundle = name, bundle
        self.function: list[str] = json.loads(buildah("inspect", name))["OCIv1"]["config"]["Entrypoint"]
        self.root = Path(buildah("mount", name))

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Word how a command is run inside, as the image's own user and in its folder."""
        lent = {MODEL: self._bundle, EMULATOR: emulator_binary().parent}
        return [
            *("buildah", "run", "--network=host"),
            *(f"--volume={source.resolve()}:{target}:ro" for target, source in lent.items()),
            *(f"--env={name}={value}" for name, value in {"MODEL_URI": f"file://{MODEL}", **environment}.items()),
            *(self._name, "--", *command),
        ]

    def shares(self) -> list[Share]:
        """Weigh it: each package, our code, and what the base brings, the largest first."""
        ours = {path.name: _megabytes(path) for path in (self.root / PACKAGES).iterdir() if path.is_dir()}
        code = _megabytes(self.root / CODE)
        base = _megabytes(self.root) - sum(ours.values()) - code
        parts = {"the base image": base, "contract/ and functions/": code, **ours}
        return sorted((Share(*part) for part in parts.items()), key=lambda share: -share.size_mb)


@contextmanager
def container_of(image: str, bundle: Path) -> Iterator[Container]:
    """Unpack an image, and remove the copy afterwards."""
    name = buildah("from", image)
    try:
        yield Container(name, bundle)
    finally:
        buildah("rm", name)


def _megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink() and path.is_file()) / 1e6
