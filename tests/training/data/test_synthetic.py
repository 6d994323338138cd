"""The synthetic data set: readable like the published one, reproducible, and with classes that a model can learn."""

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
from training.data.synthetic.dataset import write_synthetic_dataset

MIN_IMAGES = 42  # pictures of the smallest data set with every class


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_synthetic_dataset(tmp_path_factory.mktemp("painted") / "set", images=126, seed=1)


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, int, int]]:
    """The progress reports of `smallest`."""
    return []


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory, reports: list[tuple[str, int, int]]) -> Path:
    folder = tmp_path_factory.mktemp("smallest") / "empty"
    folder.mkdir()
    return write_synthetic_dataset(folder, MIN_IMAGES, 3, lambda *report: reports.append(report)).folder


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_data_set_has_the_requested_size_and_can_be_split(painted: Dataset) -> None:
    assert len(painted.rows) == 126
    assert painted.name == "synthetic"
    assert painted.lesions < 126  # some lesions have several pictures
    assert painted.per_class["nv"] > 2 * painted.per_class["df"] > 0
    split = split_by_lesion(painted)
    assert set(painted.rows["dx"].iloc[split.test]) == set(CODES)


def test_the_data_set_has_the_published_layout(painted: Dataset) -> None:
    dataset = read_dataset(painted.folder)
    assert dataset.rows.equals(painted.rows)
    assert {path.name for path in painted.folder.iterdir()} == {METADATA, "images"}
    with Image.open(dataset.rows["path"].iloc[0]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (600, 450))
        assert picture.info["comment"] == b"Synthetic: not a photograph."
    assert dataset.rows["age"].dropna().between(5, 85).all()
    assert set(dataset.rows["dx_type"]) <= {"histo", "follow_up", "consensus", "confocal"}
    assert set(dataset.rows["sex"]) <= {"female", "male", "unknown"}


def test_the_pictures_pass_the_quality_check(painted: Dataset) -> None:
    found = [
        finding.code for path in painted.rows["path"] for finding in assess(decode_image(Path(path).read_bytes(), 224))
    ]
    assert found == []


def test_colour_histograms_classify_far_better_than_chance(painted: Dataset) -> None:
    features = np.array([colour_histogram(path) for path in painted.rows["path"]])
    classes, lesions = painted.rows["class_index"].to_numpy(), painted.rows["lesion_id"].to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    answers = cross_val_predict(model, features, classes, groups=lesions, cv=folds)  # of unseen lesions
    assert balanced_accuracy_score(classes, answers) > 2.5 / len(CODES)


def colour_histogram(path: str) -> np.ndarray:
    """Of the centre of the picture, where the lesion is."""
    middle = decode_image(Path(path).read_bytes(), 96).pixels[16:80, 16:80]
    return np.concatenate([np.histogram(middle[..., channel], 12, (0, 256))[0] for channel in range(3)])


def test_pictures_of_one_lesion_differ(painted: Dataset) -> None:
    lesions = painted.rows.groupby("lesion_id")["path"]
    several = next(paths.tolist() for _, paths in lesions if len(paths) > 1)
    one, other = (decode_image(Path(path).read_bytes(), 96).pixels.astype(int) for path in several[:2])
    assert np.abs(one - other).mean() > 3


def test_the_same_seed_paints_the_same_files(smallest: Path, tmp_path: Path) -> None:
    assert hashes(write_synthetic_dataset(tmp_path / "second", MIN_IMAGES, 3).folder) == hashes(smallest)


def test_another_seed_paints_other_pictures(smallest: Path, painted: Dataset) -> None:
    assert not set(hashes(painted.folder).values()) & set(hashes(smallest).values())


def test_every_picture_is_reported(smallest: Path, reports: list[tuple[str, int, int]]) -> None:
    assert reports == [("painting pictures", done, MIN_IMAGES) for done in range(1, MIN_IMAGES + 1)]


def test_an_empty_folder_is_filled_and_nothing_is_left_next_to_it(smallest: Path) -> None:
    assert [path.name for path in smallest.parent.iterdir()] == [smallest.name]
    assert len(read_dataset(smallest).rows) == MIN_IMAGES


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic_dataset(tmp_path / "set", images=MIN_IMAGES, on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_nonempty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("keep this file")
    with pytest.raises(DatasetError, match="already exists and is not an empty folder"):
        write_synthetic_dataset(tmp_path, images=MIN_IMAGES)
    with pytest.raises(DatasetError, match="already exists and is not an empty folder"):
        write_synthetic_dataset(tmp_path / "thesis.txt", images=MIN_IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_data_set_too_small_for_seven_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"41 pictures are too few .* at least {MIN_IMAGES}"):
        write_synthetic_dataset(tmp_path / "new" / "set", images=MIN_IMAGES - 1)
    assert list(tmp_path.iterdir()) == []
