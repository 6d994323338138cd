"""README.md and the pages of docs/ name commands, targets, folders and pages that exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.main import cli
from contract.labels import BY_CODE, MALIGNANT_CODES
from tests.test_house import published_files

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "models" / "README.md"]
MAX_WORDS = 1000
NOT_IN_THE_REPOSITORY = {
    ".local/jobs/",  # made by the local stack
    "answers/",  # in the data bucket
    "images/",  # in HAM10000
    "/openapi.json",  # of the API
    "input/config/hyperparameters.json",  # made by SageMaker, as the next two
    "input/config/resourceconfig.json",
    "resourceconfig.json",
}


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= MAX_WORDS, "move details to a page of docs/"


def commands_in(text: str) -> Iterator[list[str]]:
    """Every `lesion ...` in backticks or code blocks, as words before the first option or argument."""
    for words in re.findall(r"(?:`|^ *(?:\$ )?|/)lesion((?: [a-z][a-z-]*)+)", text, re.MULTILINE):
        yield words.split()


def command_of(words: list[str]) -> click.Command | None:
    """Find a command; the words after it are its arguments."""
    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group):
            break
        if word not in command.commands:
            return None
        command = command.commands[word]
    return command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    assert [words for words in commands_in(page.read_text()) if command_of(words) is None] == []


def test_the_readme_names_several_commands() -> None:
    named = {words[0] for words in commands_in(README)}
    assert {"predict", "train", "retrain", "models", "local", "data"} <= named


def test_an_unknown_command_is_found() -> None:
    assert list(commands_in("Run `lesion data chek` or\n$ lesion predict x.jpg")) == [
        ["data", "chek"],
        ["predict", "x"],
    ]
    assert command_of(["data", "chek"]) is None
    assert command_of(["predict", "x"]) is cli.commands["predict"]


def test_the_numbers_in_the_readme_are_those_of_the_reference_model() -> None:
    bundle = ROOT / "models" / "reference"
    data, metrics = (json.loads((bundle / "manifest.json").read_text())[key] for key in ("data", "metrics"))
    accuracy = metrics["balanced_accuracy"]
    golden = json.loads((bundle / "golden" / "answers.json").read_text())
    lines = [f"trained on {data['images']:,} pictures of {data['lesions']:,} lesions"]
    lines += [f"{accuracy['value']:.3f}  (95% {accuracy['low']:.3f} to {accuracy['high']:.3f}, held-out lesions)"]
    for picture, shown in (("akiec.jpg", 1), ("mel.jpg", 3)):
        answers = sorted(((share, code) for code, share in golden[picture].items()), reverse=True)
        malignant = sum(share for share, code in answers if code in MALIGNANT_CODES)
        lines += [f"{picture}: see a doctor, malignant {malignant:.1%}"]
        lines += [f"{share:6.1%}  {code:<5}  {BY_CODE[code].name}" for share, code in answers[:shown]]
    assert [line for line in lines if line not in README] == []
    words = (f"balanced accuracy of {accuracy['value']:.3f}", f"macro F1 of {metrics['macro_f1']['value']:.3f}",
             f"finds {metrics['melanoma_sensitivity']['value']:.0%} of the melanomas",
             f"{1 - metrics['any_malignant_specificity']['value']:.0%} false alarms")  # fmt: skip
    assert [text for text in words if text not in " ".join(README.split())] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test", "docs"} <= targets
    for target in targets:
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0, target


def test_the_readme_lists_every_folder() -> None:
    listed = {name.split("/")[0] for name in re.findall(r"^\| `([\w/]+)/` \|", README, re.MULTILINE)}
    folders = {path.relative_to(ROOT).parts[0] for path in published_files() if path.parent != ROOT}
    assert listed == {folder for folder in folders if not folder.startswith(".")} - {"requirements"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1\.md\) \|", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted({page.stem for page in DECISIONS.glob("*.md")} - {"README"})


def text_of(page: Path) -> str:
    """Read a page. The old names in the changelog's table of moves are left out."""
    text = page.read_text()
    return re.sub(r"^\| [^|]+ \|", "|", text, flags=re.MULTILINE) if page.name == "CHANGELOG.md" else text


def missing_paths(text: str) -> list[str]:
    """List the paths in backticks that do not exist. A path may leave out the folders before it, as in `train.py`."""
    files = {path.relative_to(ROOT) for path in published_files()}
    existing = {str(path) for file in files for path in (file, *file.parents)}
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    folders_and_files = rf"`((?:{'|'.join(tops)})/[\w./-]*|[\w./-]+/|[\w./-]+\.(?:py|json|ya?ml|toml|md))`"
    named = set(re.findall(folders_and_files, text)) - NOT_IN_THE_REPOSITORY

    def exists(name: str) -> bool:
        path = name.rstrip("/")
        return path in existing or (path.split("/")[0] not in tops and any(e.endswith(f"/{path}") for e in existing))

    return sorted(name for name in named if not exists(name))


def missing_modules(text: str) -> list[str]:
    """List the modules and their attributes, in backticks or after `python -m`, that do not exist."""
    tops = "|".join(sorted({path.relative_to(ROOT).parts[0] for path in published_files() if path.suffix == ".py"}))
    named = set(re.findall(rf"(?:`|python -m )((?:{tops})(?:\.\w+)+)\b(?![/-])", text))

    def exists(name: str) -> bool:
        path = ROOT.joinpath(*name.split("."))
        source = path.parent.with_suffix(".py")
        if source.is_file():
            return re.search(rf"^(?:class |def )?{path.name}\b", source.read_text(), re.MULTILINE) is not None
        return path.is_dir() or path.with_suffix(".py").is_file()

    return sorted(name for name in named if not exists(name))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_and_module_that_a_page_names_exists(page: Path) -> None:
    assert missing_paths(text_of(page)) + missing_modules(text_of(page)) == []


def test_a_path_that_does_not_exist_is_found() -> None:
    text = "`training/train.py`, `train.py`, `training/`, `training/none.py`, `none.py`, `image/png`, `.local/jobs/`"
    assert missing_paths(text) == ["none.py", "training/none.py"]


def test_a_module_that_does_not_exist_is_found() -> None:
    text = "`training.train`, `contract.batch.BatchRun`, `contract.batch.Nothing`, python -m benchmarks.nothing --x"
    assert missing_modules(text) == ["benchmarks.nothing", "contract.batch.Nothing"]
