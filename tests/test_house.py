"""Rules for the whole project: which package imports which, and what no file may contain."""

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package, and the other packages of this project that it may import.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "contract": (),
    "training": ("contract",),
    "operations": ("training", "contract"),
    "functions": ("contract",),
    "webapp": ("contract",),
    "infra": ("contract",),
    "local": ("contract",),
    "cli": (
        "contract",
        "training",
        "operations",
        "local",
        "infra.config",
        "infra.costs",
        "infra.stack_file",
        "webapp.errors",
        "webapp.signing",
    ),
}
HEAVY = ("tensorflow", "keras", "boto3", "botocore")  # contract/ must not need these
NEVER_IMPORTS: dict[str, tuple[str, ...]] = {  # third-party packages that a package must not import
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
    """List the Python files of a top-level package."""
    return sorted((ROOT / package).rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    """List the modules that a file imports anywhere in it, also by `import_module` with a literal name."""
    module = path.relative_to(ROOT).with_suffix("").parts
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in _imported_by_node(node, module)}


def _imported_by_node(node: ast.AST, importer: tuple[str, ...]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = ".".join([*(importer[:-level] if level else ()), *([module] if module else [])])
            yield from (f"{base}.{alias.name}" for alias in names)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"), args=args
        ):
            yield from (arg.value for arg in args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def forbidden_imports(path: Path) -> set[str]:
    """List the imports of a file that MAY_IMPORT does not allow."""
    package = path.relative_to(ROOT).parts[0]
    in_project = {name for name in imported_by(path) if name.split(".")[0] in MAY_IMPORT}
    return {
        name for name in in_project if not any(within(name, allowed) for allowed in (package, *MAY_IMPORT[package]))
    }


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_the_packages_below_it(package: str) -> None:
    files = sources(package)
    assert files
    assert {str(path.relative_to(ROOT)): found for path in files if (found := forbidden_imports(path))} == {}


@pytest.mark.parametrize("package", NEVER_IMPORTS)
def test_a_package_does_not_import_the_libraries_of_other_packages(package: str) -> None:
    never = NEVER_IMPORTS[package]
    found = {str(path): names for path in sources(package)
             if (names := {name for name in imported_by(path) if name.split(".")[0] in never})}  # fmt: skip
    assert found == {}


def test_there_is_no_import_cycle() -> None:
    """Imports inside functions and under TYPE_CHECKING count too."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for package in MAY_IMPORT
               for path in sources(package)}  # fmt: skip
    graph = {
        module: {target for name in imported_by(path) if (target := _module_of(name, modules)) not in (None, module)}
        for module, path in modules.items()
    }
    assert len(graph) > 200
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle


def _module_of(name: str, modules: Container[str]) -> str | None:
    """Return the module that an imported name is, or is defined in."""
    return next((found for found in (name, name.rpartition(".")[0]) if found in modules), None)


def test_onnx_runtime_is_imported_only_where_its_telemetry_is_turned_off() -> None:
    """`contract.onnx_runtime` imports it by a name that is not a literal, so there is no exception."""
    files = [path for path in published_files() if path.suffix == ".py"]
    assert ROOT / "contract/onnx_runtime.py" in files
    found = [str(path) for path in files if any(within(name, "onnxruntime") for name in imported_by(path))]
    assert found == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import training.fit", {"training.fit"}),
        ("from training import fit", {"training.fit"}),
        ("from ..labels import CODES", {"contract.labels.CODES"}),
        ("from . import labels", {"contract.deep.labels"}),
        ("def later():\n    import cli", {"cli"}),
        ("if TYPE_CHECKING:\n    from webapp.app import create_app", {"webapp.app.create_app"}),
        ("importlib.import_module('infra.config')", {"infra.config"}),
        ("text = 'import training'", set()),
    ],
)
def test_every_form_of_import_is_found(line: str, expected: set[str]) -> None:
    importer = ("contract", "deep", "module")
    found = {name for node in ast.walk(ast.parse(line)) for name in _imported_by_node(node, importer)}
    assert found == expected


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_folder_of_a_package_has_an_init_file(package: str) -> None:
    folders = {path.parent for path in sources(package)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def loaded_by(modules: list[str]) -> set[str]:
    """Import modules in a new interpreter; return the top-level modules that are loaded then."""
    script = f"import sys\nimport {', '.join(modules)}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_page_decodes_pictures_without_numpy() -> None:
    loaded = loaded_by(["contract.image", "contract.api", "contract.labels", "contract.errors"])
    assert "contract" in loaded
    assert "PIL" in loaded
    assert "numpy" not in loaded


def test_the_contract_loads_neither_tensorflow_nor_boto3() -> None:
    paths = [path.relative_to(ROOT).with_suffix("") for path in sources("contract") if path.stem != "__init__"]
    modules = [".".join(path.parts) for path in paths]
    assert len(modules) >= 6
    assert loaded_by(modules).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("dockerfile", "folders"),
    [("Dockerfile.lambda", {"contract", "functions"}), ("Dockerfile", {"contract", "webapp"})],
)
def test_a_container_image_has_only_its_own_folders(dockerfile: str, folders: set[str]) -> None:
    text = (ROOT / dockerfile).read_text()
    copied = {source.split("/")[0] for source in re.findall(r"^(?:COPY|ADD) (?!--from)(\S+)", text, re.MULTILINE)}
    assert copied == folders | {"requirements"}
    sent = set(re.findall(r"^!(\w+)/$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied <= sent


# --- what no file may contain ----------------------------------------------------------------------------------------

# In two parts, so that this file does not contain the names that it looks for.
PACKAGE_REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "crates" + ".io",
                      "ana" + "conda.org", "proxy." + "golang", "rubygems" + ".org", "deb." + "debian.org"]  # fmt: skip
HOST = re.compile("|".join(map(re.escape, PACKAGE_REGISTRIES)), re.IGNORECASE)
USER_FOLDER = re.compile(r"(?<![\w.:/~}-])/(?:" + "|".join(["home", "Users", "root", "work"]) + r")/[\w.-]")
GENERATED_FOLDERS = {"__pycache__", "build", "data", "artifacts", "node_modules"}


def published_files() -> list[Path]:
    """List the files that git tracks or would track; without git, all files outside hidden and generated folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    parts = {path: path.relative_to(ROOT).parts for path in ROOT.rglob("*") if path.is_file()}
    return [
        path
        for path, names in parts.items()
        if not any(n in GENERATED_FOLDERS or n.startswith(".") for n in names[:-1])
    ]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in published_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # not a text file
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_the_searched_files_are_those_of_the_project() -> None:
    names = {str(path.relative_to(ROOT)) for path in published_files()}
    assert {"pyproject.toml", "contract/image.py", "requirements/classify.txt", "tests/test_house.py"} <= names


def test_no_file_contains_the_host_of_a_package_registry() -> None:
    assert lines_that_match(HOST) == []


def test_no_file_contains_a_path_of_one_machine() -> None:
    assert lines_that_match(USER_FOLDER) == []


@pytest.mark.parametrize("path", ["home/ann/x", "Users/ann/x", "root/.aws", "work/main"])
def test_a_path_of_one_machine_is_found(path: str) -> None:
    for line in (f"/{path}", f'open("/{path}")', f"DIR=/{path}", f"at /{path}."):
        assert USER_FOLDER.search(line)
    for line in (path, f"src/{path}", f"https://example.com/{path}", f"~/{path}", f"./{path}"):
        assert not USER_FOLDER.search(line)


@pytest.mark.parametrize("host", PACKAGE_REGISTRIES)
def test_the_host_of_a_package_registry_is_found(host: str) -> None:
    assert HOST.search(f"--index-url https://{host.upper()}/simple")
