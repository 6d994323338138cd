"""The synthetic set: readable as the published one, the same each time, and with something in it to learn."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contract.errors import DatasetError
from contract.image import decode_image
from contract.labels import CODES
from contract.quality import assess
from training.data.ham10000 import Dataset, read_dataset
from training.data.layout import METADATA
from training.data.split import split_by_lesion
from training.data.synthesize import write_sample

FEWEST = 42  # pictures of the smallest set that holds every class


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_sample(tmp_path_factory.mktemp("painted") / "set", images=126, seed=1)


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, int, int]]:
    """What was reported while `smallest` was painted."""
    return []


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory, reports: list[tuple[str, int, int]]) -> Path:
    folder = tmp_path_factory.mktemp("smallest") / "empty"
    folder.mkdir()
    return write_sample(folder, FEWEST, 3, lambda *report: reports.append(report)).folder


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_set_is_as_large_as_asked_for_and_can_be_split(painted: Dataset) -> None:
    assert len(painted.rows) == 126
    assert painted.name == "synthetic"
    assert painted.lesions < 126  # some lesions were photographed more than once
    assert painted.per_class["nv"] > 2 * painted.per_class["df"] > 0
    split = split_by_lesion(painted)
    assert set(painted.rows["dx"].iloc[split.test]) == set(CODES)


def test_it_lies_on_the_disk_as_ham10000_was_published(painted: Dataset) -> None:
    again = read_dataset(painted.folder)
    assert again.rows.equals(painted.rows)
    assert {path.name for path in painted.folder.iterdir()} == {METADATA, "images"}
    with Image.open(again.rows["path"].iloc[0]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (600, 450))
        assert picture.info["comment"] == b"Synthetic: not a photograph."
    assert again.rows["age"].dropna().between(5, 85).all()
    assert set(again.rows["dx_type"]) <= {"histo", "follow_up", "consensus", "confocal"}
    assert set(again.rows["sex"]) <= {"female", "male", "unknown"}


def test_the_pictures_are_good_enough_to_be_judged(painted: Dataset) -> None:
    found = [
        finding.code
        for path in painted.rows["path"]
        for finding in assess(decode_image(Path(path).read_bytes(), 224).pixels, width=600, height=450)
    ]
    assert found == []


def test_colours_alone_tell_the_classes_apart_far_better_than_chance(painted: Dataset) -> None:
    features = np.array([colour_histogram(path) for path in painted.rows["path"]])
    classes, lesions = painted.rows["class_index"].to_numpy(), painted.rows["lesion_id"].to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    answers = cross_val_predict(model, features, classes, groups=lesions, cv=folds)  # each from lesions not seen
    assert balanced_accuracy_score(classes, answers) > 2.5 / len(CODES)


def colour_histogram(path: str) -> np.ndarray:
    """Of the picture's middle, where the lesion is."""
    middle = decode_image(Path(path).read_bytes(), 96).pixels[16:80, 16:80]
    return np.concatenate([np.histogram(middle[..., channel], 12, (0, 256))[0] for channel in range(3)])


def test_pictures_of_one_lesion_differ(painted: Dataset) -> None:
    lesions = painted.rows.groupby("lesion_id")["path"]
    several = next(paths.tolist() for _, paths in lesions if len(paths) > 1)
    one, other = (decode_image(Path(path).read_bytes(), 96).pixels.astype(int) for path in several[:2])
    assert np.abs(one - other).mean() > 3


def test_the_same_seed_paints_the_same_files(smallest: Path, tmp_path: Path) -> None:
    assert hashes(write_sample(tmp_path / "again", FEWEST, 3).folder) == hashes(smallest)


def test_another_seed_paints_other_pictures(smallest: Path, painted: Dataset) -> None:
    assert not set(hashes(painted.folder).values()) & set(hashes(smallest).values())


def test_every_picture_is_reported(smallest: Path, reports: list[tuple[str, int, int]]) -> None:
    assert reports == [("painting pictures", done, FEWEST) for done in range(1, FEWEST + 1)]


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(smallest: Path) -> None:
    assert [path.name for path in smallest.parent.iterdir()] == [smallest.name]
    assert len(read_dataset(smallest).rows) == FEWEST


def test_an_interrupted_set_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "set", images=FEWEST, on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(DatasetError, match="already exists and is not an empty folder"):
        write_sample(tmp_path, images=FEWEST)
    with pytest.raises(DatasetError, match="already exists and is not an empty folder"):
        write_sample(tmp_path / "thesis.txt", images=FEWEST)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_set_too_small_for_seven_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"41 pictures are too few .* at least {FEWEST}"):
        write_sample(tmp_path / "new" / "set", images=FEWEST - 1)
    assert list(tmp_path.iterdir()) == []
