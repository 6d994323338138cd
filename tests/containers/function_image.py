"""The function's image: built from `Dockerfile.lambda` by buildah, measured, and run under AWS's emulator."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from local.function.emulator import emulator_binary
from tests.containers.base_image import make_base_image
from tests.containers.buildah import buildah
from tests.containers.pip_config import volumes

ROOT = Path(__file__).parents[2]
DOCKERFILE = "Dockerfile.lambda"
SOURCES = (DOCKERFILE, "requirements/classify.txt", "contract/**/*.py", "functions/**/*.py")
NAME = "localhost/lesion-classify:latest"
LABEL = "sources"  # of the image: the digest of its source files
PACKAGES, CODE = "opt/python", "var/task"  # folders of the image
MODEL, EMULATOR = "/mnt/model", "/mnt/emulator"  # mount points in a container


class Part(NamedTuple):
    """A part of the image, and its size on the disk."""

    name: str
    size_mb: float


def build_image() -> str:
    """Build the image and return its name.

    Raises:
        LocalStackError: buildah cannot be used here, or a step fails; the message has the last lines of its output.
    """
    base_image = make_base_image()
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


def is_current() -> bool:
    """Tell whether the image exists and was built from the current source files."""
    if NAME not in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return False
    inspected = json.loads(buildah("inspect", "--type=image", NAME))
    return bool((inspected["OCIv1"]["config"].get("Labels") or {}).get(LABEL) == sources_digest())


def sources_digest() -> str:
    """Return the SHA-256 digest of all source files of the image."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Container:
    """A container of the image, in which the emulator can run the function."""

    def __init__(self, name: str, bundle: Path) -> None:
        """Use the container `name`, with a bundle as its model."""
        self._name, self._bundle = name, bundle
        self.emulator = f"{EMULATOR}/{emulator_binary().name}"
        self.entry_point: list[str] = json.loads(buildah("inspect", name))["OCIv1"]["config"]["Entrypoint"]
        self.root = Path(buildah("mount", name))

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command that runs `command` inside, as the image's user, with model and emulator read-only."""
        mounts = {MODEL: self._bundle, EMULATOR: emulator_binary().parent}
        return [
            *("buildah", "run", "--network=host"),
            *(f"--volume={source.resolve()}:{target}:ro" for target, source in mounts.items()),
            *(f"--env={name}={value}" for name, value in {"MODEL_URI": f"file://{MODEL}", **environment}.items()),
            *(self._name, "--", *command),
        ]

    def sizes(self) -> list[Part]:
        """Measure each package, our code and the base image, the largest first."""
        packages = {path.name: _megabytes(path) for path in (self.root / PACKAGES).iterdir() if path.is_dir()}
        code = _megabytes(self.root / CODE)
        base = _megabytes(self.root) - sum(packages.values()) - code
        sizes = {"the base image": base, "contract/ and functions/": code, **packages}
        return sorted((Part(*size) for size in sizes.items()), key=lambda part: -part.size_mb)


@contextmanager
def create_container(image: str, bundle: Path) -> Iterator[Container]:
    """Create a container of an image, and remove it afterwards."""
    name = buildah("from", image)
    try:
        yield Container(name, bundle)
    finally:
        buildah("rm", name)


def _megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink() and path.is_file()) / 1e6
