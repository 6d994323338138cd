"""The wheel has every file that the packages read at run time."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_house import MAY_IMPORT, published_files

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel, built without a network from a copy of the sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for path in published_files():
        name = path.relative_to(ROOT)
        if name.parts[0] in MAY_IMPORT or str(name) in ("pyproject.toml", "README.md", "LICENSE"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    done = subprocess.run([*command, "--wheel-dir", str(out), str(copy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


def package_files() -> set[str]:
    names = [path.relative_to(ROOT) for path in published_files()]
    return {name.as_posix() for name in names if name.parts[0] in MAY_IMPORT}


def test_the_packages_contain_data_files() -> None:
    suffixes = {Path(name).suffix for name in package_files()}
    assert {".py", ".html", ".json", ".css", ".yaml"} <= suffixes


def test_every_file_of_the_packages_is_in_the_wheel(wheel: set[str]) -> None:
    assert sorted(package_files() - wheel) == []
