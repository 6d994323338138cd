"""`lesion data`: its output for people and for programs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.data import data
from contract.errors import DatasetError
from contract.labels import CODES
from tests.training.data.dataset_folder import DatasetFolder


def lesion_data(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments], env={"HAM10000_DIR": "", **environment})


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data set that the command painted, and its JSON output."""
    folder = tmp_path_factory.mktemp("sampled") / "pictures"
    result = lesion_data("sample", folder, "--images", 42, "--seed", 5, "--json")
    assert result.exit_code == 0, result.output
    return folder, json.loads(result.stdout)


def test_sample_paints_a_data_set_that_passes_the_check_and_can_be_split(sampled: tuple[Path, dict[str, Any]]) -> None:
    folder, result = sampled
    assert result["pictures"] == 42 == sum(result["per_class"].values())
    assert "OK: every picture was decoded" in lesion_data("check", folder).stdout
    report = json.loads(lesion_data("check", folder, "--json").stdout)
    assert (report["sound"], report["problems"], report["sizes"]) == (True, [], {"600x450": 42})
    split = json.loads(lesion_data("split", folder, "--json").stdout)
    assert split["dataset_sha256"] == result["sha256"]
    assert sum(part["total"]["pictures"] for part in split["parts"].values()) == 42
    assert split["shared_lesions"] == []


def test_sample_refuses_a_nonempty_folder(sampled: tuple[Path, dict[str, Any]]) -> None:
    result = lesion_data("sample", sampled[0], "--images", 42)
    assert result.exit_code == 1
    assert "not an empty folder" in str(result.exception)


def test_split_prints_every_class_and_part(folder: DatasetFolder) -> None:
    output = lesion_data("split", folder.path).stdout
    lines = {line.split()[0]: line.split()[1:] for line in output.splitlines()}
    for code in CODES:
        assert [lines[code][position] for position in (0, 3, 6)] == ["2", "1", "1"]  # of its four lesions
    assert sum(int(lines["total"][position]) for position in (2, 5, 8)) == len(folder.rows)
    assert "No lesion is in more than one part." in output


def test_folds_are_printed_as_a_table_and_as_json(folder: DatasetFolder) -> None:
    output = lesion_data("split", folder.path, "--folds", 4).stdout
    assert output.splitlines()[0].split()[-2:] == ["fold", "4"]
    assert "No lesion is in more than one fold." in output
    result = json.loads(lesion_data("split", folder.path, "--folds", 4, "--json").stdout)
    assert {fold[code]["lesions"] for fold in result["folds"].values() for code in CODES} == {1}  # of its four
    assert sum(fold["total"]["pictures"] for fold in result["folds"].values()) == len(folder.rows)
    assert lesion_data("split", folder.path, "--folds", 1).exit_code == 2
    assert "at least 5 lesions" in str(lesion_data("split", folder.path, "--folds", 5).exception)


def test_another_seed_gives_another_split(folder: DatasetFolder) -> None:
    first, second, other = (
        json.loads(lesion_data("split", folder.path, "--seed", seed, "--json").stdout)["split_sha256"]
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_the_default_folder_comes_from_the_environment(folder: DatasetFolder, tmp_path: Path) -> None:
    assert str(folder.path) in lesion_data("check", HAM10000_DIR=str(folder.path)).stdout
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.chdir(tmp_path)
        result = lesion_data("check")
    assert result.exit_code == 1
    assert str(tmp_path / "data" / "ham10000") in str(result.exception)


def test_check_fails_and_lists_the_problems(folder: DatasetFolder) -> None:
    corrupt = folder.picture(folder.rows[0]["image_id"])
    corrupt.write_bytes(corrupt.read_bytes()[:3000])
    result = lesion_data("check", folder.path)
    assert result.exit_code == 1
    assert isinstance(result.exception, DatasetError)
    assert f"corrupt: {corrupt.stem}: The picture is damaged" in result.stdout
    assert "problem: 1 picture cannot be decoded" in result.stdout
    assert "OK: every" not in result.stdout
    as_json = lesion_data("check", folder.path, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["sound"] is False


def test_cache_decodes_once_and_prints_the_speed(folder: DatasetFolder, tmp_path: Path) -> None:
    arguments = ["cache", folder.path, "--size", 48, "--cache", tmp_path / "cache"]
    first = json.loads(lesion_data(*arguments, "--json").stdout)
    assert first["decoded"] == first["pictures"] == len(folder.rows)
    assert first["bytes"] == len(folder.rows) * 48 * 48 * 3 == Path(first["file"]).stat().st_size - 128
    assert first["pictures_per_s"] == pytest.approx(first["decoded"] / first["seconds"], rel=0.05)
    assert first["pictures_per_s_per_core"] == pytest.approx(first["pictures_per_s"] / first["cores"], rel=0.01)
    assert "They were already decoded." in lesion_data(*arguments).stdout
    assert "pictures/s" in lesion_data("cache", folder.path, "--size", 32, "--cache", tmp_path / "cache").stdout


@pytest.mark.parametrize("arguments", [["sample"], ["sample", "x", "--images", "0"], ["split", "--seed", "-1"]])
def test_misuse_has_its_own_exit_code(arguments: list[str]) -> None:
    assert lesion_data(*arguments).exit_code == 2


def test_help_loads_neither_pandas_nor_numpy() -> None:
    program = (
        "import sys; from cli.data import data; data(['split', '--help'], standalone_mode=False); "
        "sys.exit(bool({'pandas', 'numpy', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--seed" in done.stdout
