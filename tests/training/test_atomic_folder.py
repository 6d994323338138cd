"""A folder that is written completely or not at all."""

import stat
from pathlib import Path

import pytest

from contract.errors import DatasetError
from training.atomic_folder import atomic_folder, move_into_place, refuse_nonempty, temporary_folder


def make_folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    return path


def fail_inside(target: Path, error: BaseException, *, replace: bool = False) -> None:
    with atomic_folder(target, replace=replace) as folder:
        (folder / "file").write_text("half")
        raise error


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_appears_when_its_block_ends_and_nothing_else_is_left(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "above" / "target"
    if exists:
        target.mkdir(parents=True)
    with atomic_folder(target) as folder:
        (folder / "file").write_text("new")
        assert not (target / "file").exists()
    assert (target / "file").read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_the_permissions_are_those_of_an_ordinary_folder(tmp_path: Path) -> None:
    (tmp_path / "ordinary").mkdir()
    with atomic_folder(tmp_path / "target"):
        pass
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "target")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("error", [ValueError("no"), OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("replace", [False, True])
def test_an_error_or_an_interrupt_leaves_nothing(tmp_path: Path, error: BaseException, replace: bool) -> None:
    with pytest.raises(type(error)):
        fail_inside(tmp_path / "target", error, replace=replace)
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_folder_that_was_to_be_replaced(tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", "old")
    with pytest.raises(ValueError, match="no"):
        fail_inside(target, ValueError("no"), replace=True)
    assert (target / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_nonempty_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", "old")
    with pytest.raises(DatasetError, match="not an empty folder"):
        fail_inside(target, ValueError("this block must not run"))
    assert (target / "file").read_text() == "old"


def test_a_folder_that_another_process_finished_in_the_meantime_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"

    def overtaken() -> None:
        with atomic_folder(target) as folder:
            (folder / "file").write_text("mine")
            make_folder(target, "theirs")

    with pytest.raises(DatasetError, match="not an empty folder"):
        overtaken()
    assert (target / "file").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_completely(tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", "old")
    (target / "only-old").touch()
    with atomic_folder(target, replace=True) as folder:
        (folder / "file").write_text("new")
        assert (target / "file").read_text() == "old"
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_replace_also_works_if_the_folder_does_not_exist(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "target", replace=True) as folder:
        (folder / "file").write_text("new")
    assert (tmp_path / "target" / "file").read_text() == "new"


def test_the_old_folder_returns_when_the_new_one_cannot_take_its_name(tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", "old")
    with temporary_folder(tmp_path) as folder:
        folder.rmdir()
        with pytest.raises(FileNotFoundError):
            move_into_place(folder, target, replace=True)
    assert (target / "file").read_text() == "old"


def test_a_name_can_be_chosen_after_the_files_are_written(tmp_path: Path) -> None:
    models = tmp_path / "models"
    with temporary_folder(models) as folder:
        (folder / "file").write_text("new")
        version = f"version-{len((folder / 'file').read_text())}"
        move_into_place(folder, models / version)
    assert [path.name for path in models.iterdir()] == ["version-3"]


def test_a_folder_without_a_name_is_removed(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        (folder / "file").write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_a_move_to_a_nonempty_folder_is_refused(tmp_path: Path) -> None:
    target = make_folder(tmp_path / "target", "old")
    with temporary_folder(tmp_path) as folder, pytest.raises(DatasetError, match="not an empty folder"):
        move_into_place(folder, target)
    assert (target / "file").read_text() == "old"


def test_a_file_is_refused_and_an_absent_or_empty_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="not an empty folder"):
        refuse_nonempty(tmp_path / "file")
    refuse_nonempty(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    refuse_nonempty(tmp_path / "empty")
