"""The image of Dockerfile.lambda handles real events under AWS's emulator, started as Lambda starts it."""

import io
import json
from collections.abc import Iterator

import psutil
import pytest
from PIL import Image

from contract.events import http_event
from local.function.emulator import Emulator
from tests.containers.buildah import missing_requirement
from tests.containers.function_image import NAME, Container, create_container, is_current
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container of the image, with a tiny model."""
    if reason := missing_requirement():
        pytest.skip(reason)
    if not is_current():
        pytest.skip("there is no image of the current source files: run make image-test")
    with create_container(NAME, write_tiny_bundle(tmp_path_factory.mktemp("bundle"))) as container:
        yield container


@pytest.fixture(scope="module")
def function(container: Container, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator("container", {}, tmp_path_factory.mktemp("logs") / "container.log", container=container)
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
        ("POST", "/v1/predictions", b"not a picture", 415, "unsupported_picture"),
    ],
    ids=["health", "picture", "damaged picture", "not a picture"],
)
def test_the_function_handles_an_event(
    function: Emulator, method: str, path: str, body: bytes | None, status: int, expected: str | None
) -> None:
    event = http_event(method, path, headers=[("Content-Type", "image/jpeg")], body=body or b"")
    response = function.invoke(event)
    body_json = json.loads(response["body"])
    assert (response["statusCode"], body_json.get("code", body_json.get("status"))) == (status, expected)
    if expected is None:
        assert len(body_json["classes"]) == 7
        assert body_json["explanation"]["grid"]


def test_the_image_has_only_the_code_and_packages_of_the_function(container: Container) -> None:
    task = container.root / "var/task"
    assert {path.name for path in task.iterdir()} == {"contract", "functions"}
    names = {path.name for path in (container.root / "opt/python").iterdir()}
    assert {"onnxruntime", "numpy", "PIL", "awslambdaric"} <= names
    assert names.isdisjoint({"pip", "setuptools", "boto3", "tensorflow", "tests", "bin"})
    assert not list((container.root / "opt/python").rglob("tests"))
    sources = [path for path in task.rglob("*.py") if path.stat().st_size]
    assert all(list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) for path in sources)


def test_the_image_keeps_no_pip_configuration_of_this_machine(container: Container) -> None:
    configuration = container.root / "etc/pip.conf"
    assert not configuration.exists() or configuration.read_text() == ""
    other = [path for path in (container.root / "opt").iterdir() if path.name != "python" and any(path.iterdir())]
    assert other == []


def test_the_user_of_the_function_can_read_every_file_and_write_none(container: Container) -> None:
    for folder in ("opt/python", "var/task"):
        for path in (container.root / folder).rglob("*"):
            stat = path.lstat()
            assert stat.st_uid == 0, path
            assert stat.st_mode & 0o004, path
            assert not stat.st_mode & 0o002 or path.is_symlink(), path
