"""The rules that hold the house together: imports run down, doors stay light, and no file speaks of one machine."""

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package, and what of ours its files may import beside itself.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "contract": (),
    "training": ("contract",),
    "operations": ("training", "contract"),
    "functions": ("contract",),
    "webapp": ("contract",),
    "infra": ("contract",),
    "local": ("contract",),
    "cli": ("contract", "training", "operations", "functions", "webapp", "infra", "local"),
}
HEAVY = ("tensorflow", "keras", "boto3", "botocore")  # what contract/ must never need
NEVER_IMPORTS: dict[str, tuple[str, ...]] = {  # of packages that are not ours
    "contract": HEAVY,
    "training": ("boto3", "botocore", "sagemaker", "pulumi", "pulumi_aws"),
    "operations": ("pulumi", "pulumi_aws"),
    "functions": ("tensorflow", "keras", "boto3"),
    "webapp": ("tensorflow", "keras", "boto3", "numpy"),
    "infra": ("tensorflow", "keras", "boto3"),
    "local": ("tensorflow", "keras", "pulumi", "pulumi_aws"),
    "cli": ("tensorflow", "keras", "pulumi", "pulumi_aws"),
}


def sources(package: str) -> list[Path]:
    """All Python files of a top-level package."""
    return sorted((ROOT / package).rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever in it, or loads by a literal name."""
    inside = path.relative_to(ROOT).with_suffix("").parts
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in _named(node, inside)}


def _named(node: ast.AST, inside: tuple[str, ...]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = ".".join([*(inside[:-level] if level else ()), *([module] if module else [])])
            yield from (f"{base}.{alias.name}" for alias in names)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"), args=args
        ):
            yield from (arg.value for arg in args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def forbidden_imports(path: Path) -> set[str]:
    """What of ours a file imports against the rules."""
    package = path.relative_to(ROOT).parts[0]
    ours = {name for name in imported_by(path) if name.split(".")[0] in MAY_IMPORT}
    return {name for name in ours if not any(within(name, allowed) for allowed in (package, *MAY_IMPORT[package]))}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_down(package: str) -> None:
    files = sources(package)
    assert files
    assert {str(path.relative_to(ROOT)): found for path in files if (found := forbidden_imports(path))} == {}


@pytest.mark.parametrize("package", NEVER_IMPORTS)
def test_a_package_stays_away_from_what_belongs_to_others(package: str) -> None:
    never = NEVER_IMPORTS[package]
    found = {str(path): names for path in sources(package)
             if (names := {name for name in imported_by(path) if name.split(".")[0] in never})}  # fmt: skip
    assert found == {}


def test_no_files_import_each_other_in_a_circle() -> None:
    """Also where an import stands inside a function, or is for the type checker alone."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for package in MAY_IMPORT
               for path in sources(package)}  # fmt: skip
    graph = {
        module: {target for name in imported_by(path) if (target := _module_of(name, modules)) not in (None, module)}
        for module, path in modules.items()
    }
    assert len(graph) > 200
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def _module_of(name: str, modules: Container[str]) -> str | None:
    """Find the file of an imported name, which is a module or something in one."""
    return next((found for found in (name, name.rpartition(".")[0]) if found in modules), None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import training.fit", {"training.fit"}),
        ("from training import fit", {"training.fit"}),
        ("from ..labels import CODES", {"contract.labels.CODES"}),
        ("from . import labels", {"contract.deep.labels"}),
        ("def later():\n    import cli", {"cli"}),
        ("if TYPE_CHECKING:\n    from webapp.app import create_app", {"webapp.app.create_app"}),
        ("importlib.import_module('local')", {"local"}),
        ("text = 'import training'", set()),
    ],
)
def test_every_way_to_import_is_seen(line: str, expected: set[str]) -> None:
    inside = ("contract", "deep", "room")
    assert {name for node in ast.walk(ast.parse(line)) for name in _named(node, inside)} == expected


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_package_says_that_it_is_one(package: str) -> None:
    folders = {path.parent for path in sources(package)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def loaded_by(modules: list[str]) -> set[str]:
    """Import modules in a fresh interpreter and tell every top-level module that this loads."""
    script = f"import sys\nimport {', '.join(modules)}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_page_opens_pictures_without_loading_numpy() -> None:
    loaded = loaded_by(["contract.image", "contract.api", "contract.labels", "contract.errors"])
    assert "contract" in loaded
    assert "PIL" in loaded
    assert "numpy" not in loaded


def test_importing_all_of_the_contract_loads_neither_tensorflow_nor_aws() -> None:
    rooms = [f"contract.{path.stem}" for path in sources("contract") if path.stem != "__init__"]
    assert len(rooms) >= 6
    assert loaded_by(rooms).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("dockerfile", "folders"),
    [("Dockerfile.lambda", {"contract", "functions"}), ("Dockerfile", {"contract", "webapp"})],
)
def test_a_container_carries_its_own_folders_and_no_others(dockerfile: str, folders: set[str]) -> None:
    text = (ROOT / dockerfile).read_text()
    copied = {source.split("/")[0] for source in re.findall(r"^(?:COPY|ADD) (?!--from)(\S+)", text, re.MULTILINE)}
    assert copied == folders | {"requirements"}
    sent = set(re.findall(r"^!(\w+)/$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied <= sent


# --- what no file may speak of ---------------------------------------------------------------------------------------

# Joined here, so that this file does not contain what it looks for.
PACKAGE_REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "crates" + ".io",
                      "ana" + "conda.org", "proxy." + "golang", "rubygems" + ".org", "deb." + "debian.org"]  # fmt: skip
HOST = re.compile("|".join(map(re.escape, PACKAGE_REGISTRIES)), re.IGNORECASE)
SOMEONES_FOLDER = re.compile(r"(?<![\w.:/~}-])/(?:" + "|".join(["home", "Users", "root", "work"]) + r")/[\w.-]")
NOT_OURS = {"__pycache__", "build", "data", "artifacts", "node_modules"}


def published_files() -> list[Path]:
    """Every file that git tracks or would; without git, every file outside hidden and generated folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    parts = {path: path.relative_to(ROOT).parts for path in ROOT.rglob("*") if path.is_file()}
    return [path for path, names in parts.items() if not any(n in NOT_OURS or n.startswith(".") for n in names[:-1])]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in published_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # no text
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_the_files_looked_through_are_those_of_the_project() -> None:
    names = {str(path.relative_to(ROOT)) for path in published_files()}
    assert {"pyproject.toml", "contract/image.py", "requirements/classify.txt", "tests/test_house.py"} <= names


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_that_match(HOST) == []


def test_no_file_names_a_folder_of_someones_machine() -> None:
    assert lines_that_match(SOMEONES_FOLDER) == []


@pytest.mark.parametrize("path", ["home/ann/x", "Users/ann/x", "root/.aws", "work/main"])
def test_a_folder_of_someones_machine_is_recognized(path: str) -> None:
    for line in (f"/{path}", f'open("/{path}")', f"DIR=/{path}", f"at /{path}."):
        assert SOMEONES_FOLDER.search(line)
    for line in (path, f"src/{path}", f"https://example.com/{path}", f"~/{path}", f"./{path}"):
        assert not SOMEONES_FOLDER.search(line)


@pytest.mark.parametrize("host", PACKAGE_REGISTRIES)
def test_the_host_of_a_package_registry_is_recognized(host: str) -> None:
    assert HOST.search(f"--index-url https://{host.upper()}/simple")
