"""The image built from Dockerfile.lambda answers real events, under AWS's emulator and as Lambda would start it."""

import io
import json
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image

from contract.events import http_event
from local.emulator import Emulator
from tests.containers.buildah import why_not
from tests.containers.image import NAME, Container, container_of, is_built
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container of the image, with a tiny model lent to it."""
    if reason := why_not():
        pytest.skip(reason)
    if not is_built():
        pytest.skip("the image has not been built from these sources: make image")
    with container_of(NAME, write_tiny_bundle(tmp_path_factory.mktemp("bundle"))) as container:
        yield container


@pytest.fixture(scope="module")
def function(container: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator("container", {}, tmp_path_factory.mktemp("logs") / "container.log", place=container)
    yield emulator
    family = psutil.Process(emulator.pid).children(recursive=True)
    emulator.stop()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def picture() -> bytes:
    encoded = io.BytesIO()
    Image.effect_noise((600, 450), 90).convert("RGB").save(encoded, "JPEG")
    return encoded.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "expected"),
    [
        ("GET", "/v1/health", None, 200, "ok"),
        ("POST", "/v1/predictions", picture(), 200, None),
        ("POST", "/v1/predictions", picture()[:2000], 422, "unreadable_image"),
        ("POST", "/v1/predictions", b"no picture", 415, "unsupported_picture"),
    ],
    ids=["health", "a picture", "a damaged one", "none"],
)
def test_an_event_is_answered(
    function: Emulator, method: str, path: str, body: bytes | None, status: int, expected: str | None
) -> None:
    answer = function.invoke(http_event(method, path, headers=[("Content-Type", "image/jpeg")], body=body or b""))
    message = json.loads(answer["body"])
    assert (answer["statusCode"], message.get("code", message.get("status"))) == (status, expected)
    if expected is None:
        assert len(message["classes"]) == 7
        assert message["explanation"]["grid"]


def test_the_image_holds_what_the_function_needs_and_no_more(container: Container) -> None:
    task = container.root / "var/task"
    assert {path.name for path in task.iterdir()} == {"contract", "functions"}
    names = {path.name for path in (container.root / "opt/python").iterdir()}
    assert {"onnxruntime", "numpy", "PIL", "awslambdaric"} <= names
    assert names.isdisjoint({"pip", "setuptools", "boto3", "tensorflow", "tests", "bin"})
    assert not list((container.root / "opt/python").rglob("tests"))
    sources = [path for path in task.rglob("*.py") if path.stat().st_size]
    assert all(list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) for path in sources)


def test_nothing_of_this_machine_is_left_in_the_image(container: Container) -> None:
    configuration = container.root / "etc/pip.conf"
    assert not configuration.exists() or configuration.read_text() == ""
    left = [path for path in (container.root / "opt").iterdir() if path.name != "python" and any(path.iterdir())]
    assert left == []


def test_the_functions_user_owns_no_file_and_can_read_all(container: Container) -> None:
    for folder in ("opt/python", "var/task"):
        for path in (container.root / folder).rglob("*"):
            found = path.lstat()
            assert found.st_uid == 0, path
            assert found.st_mode & 0o004, path
            assert not found.st_mode & 0o002 or path.is_symlink(), path
