"""`make image` builds both images with docker, or else with buildah, from the base image of the Dockerfiles."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION = ["build", "--file", "Dockerfile.lambda", "--tag", "lesion-classify", "."]
PAGE = ["build", "--file", "Dockerfile", "--tag", "lesion-page", "."]


def make_image(folder: Path, *engines: str, options: tuple[str, ...] = (), exit_code: int = 0) -> tuple[int, str]:
    """Run `make image` where only these engines are installed; each is a script that records its arguments."""
    for engine in engines:
        script = folder / engine
        script.write_text(f'#!/bin/sh\necho "$0 $*" >> {folder}/calls\nexit {exit_code}\n')
        script.chmod(0o755)
    make = shutil.which("make")
    assert make is not None
    environment = {"PATH": str(folder)}
    done = subprocess.run([make, "image", *options], cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stderr


def calls(folder: Path) -> list[tuple[str, list[str]]]:
    lines = [line.split() for line in (folder / "calls").read_text().splitlines()]
    return [(Path(engine).name, arguments) for engine, *arguments in lines]


@pytest.mark.parametrize(("engines", "used"), [(("docker", "buildah"), "docker"), (("buildah",), "buildah")])
def test_docker_is_used_if_it_is_installed_and_else_buildah(
    tmp_path: Path, engines: tuple[str, ...], used: str
) -> None:
    assert make_image(tmp_path, *engines)[0] == 0
    assert calls(tmp_path) == [(used, FUNCTION), (used, PAGE)]


def test_another_base_image_can_be_chosen(tmp_path: Path) -> None:
    make_image(tmp_path, "docker", options=("BASE_IMAGE=registry.example/python:3.11",))
    chosen = ["--build-arg", "BASE_IMAGE=registry.example/python:3.11"]
    assert [arguments[1:3] for _, arguments in calls(tmp_path)] == [chosen, chosen]


def test_a_failed_build_fails_the_target(tmp_path: Path) -> None:
    assert make_image(tmp_path, "docker", exit_code=1)[0] != 0
    assert calls(tmp_path) == [("docker", FUNCTION)]


def test_without_docker_and_buildah_the_error_says_what_to_install(tmp_path: Path) -> None:
    exit_code, printed = make_image(tmp_path)
    assert exit_code != 0
    assert "make image needs docker or buildah: install one of them." in printed
