"""The README keeps its word: what it says of variables and commands is what the code reads and offers."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from functions.classify.settings import Settings as FunctionSettings
from webapp.settings import VARIABLES as PAGE_VARIABLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


class Recording(Mapping[str, str]):
    """An environment that notes which variables are asked for."""

    def __init__(self, **values: str) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def documented(container: str) -> set[str]:
    """Read the variables of one container from the table."""
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", README, re.MULTILINE)
    return {name for name, containers in rows if container in containers}


def test_each_container_reads_the_variables_that_the_table_names() -> None:
    environment = Recording()
    FunctionSettings.from_env(environment)
    library = {"LOG_LEVEL", "POWERTOOLS_TRACE_DISABLED"}  # read by Powertools, not by our settings
    assert documented("function") - library == environment.asked
    assert documented("page") == set(PAGE_VARIABLES)


def test_every_command_that_the_readme_names_exists() -> None:
    commands = {tuple(words.split()) for words in re.findall(r"`lesion ((?:data|local) \w+|[\w-]+)", README)}
    assert commands
    lesion = str(Path(sys.executable).with_name("lesion"))
    for words in commands:
        done = subprocess.run([lesion, *words, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, f"lesion {' '.join(words)}: {done.stderr}"


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0, target


def test_every_link_inside_the_project_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
