"""The golden pictures of a bundle get the same probabilities from the function as when the model was made."""

from pathlib import Path

import pytest

from contract.bundle import GOLDEN
from contract.errors import BundleError
from contract.image import decode_image
from contract.labels import CODES
from functions.classify.answer import answer_picture
from functions.classify.classifier import Classifier
from tests.tiny_run import TinyRun
from training.artifact.golden import TOLERANCE, GoldenPicture, difference, read_golden


def test_a_bundle_has_a_small_painted_picture_of_each_class(tiny_run: TinyRun) -> None:
    pictures = read_golden(tiny_run.trained.folder)
    assert [picture.name for picture in pictures] == [f"{code}.jpg" for code in CODES]
    for picture in pictures:
        assert b"Synthetic: not a photograph." in picture.encoded
        assert len(picture.encoded) < 100_000
        assert decode_image(picture.encoded, 64).width == 600
        assert f"golden/{picture.name}" in tiny_run.trained.manifest.files
    assert GOLDEN in tiny_run.trained.manifest.files


def test_the_function_gives_the_expected_probabilities(tiny_run: TinyRun) -> None:
    classifier = Classifier(tiny_run.trained.folder, tiny_run.trained.manifest, threads=1)
    for picture in read_golden(tiny_run.trained.folder):
        prediction = answer_picture(picture.encoded, classifier, explain=False).prediction
        probabilities = {item.code: item.probability for item in prediction.classes}
        assert difference(picture, probabilities) < 1e-4


def test_the_largest_difference_of_a_probability_counts() -> None:
    picture = GoldenPicture("mel.jpg", b"", dict.fromkeys(CODES, 1 / 7))
    assert difference(picture, dict.fromkeys(CODES, 1 / 7 + 0.01)) == pytest.approx(0.01)
    assert difference(picture, {"mel": 1.0}) > TOLERANCE


def test_an_older_bundle_has_no_golden_pictures(tmp_path: Path) -> None:
    assert read_golden(tmp_path) == []


@pytest.mark.parametrize("text", ["", "[]", '{"mel.jpg": {"mel": 1}}', '{"mel.jpg": 3}'])
def test_a_damaged_file_of_probabilities_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "mel.jpg").write_bytes(b"jpeg")
    (tmp_path / GOLDEN).write_text(text)
    with pytest.raises(BundleError, match=r"golden/answers\.json cannot be read"):
        read_golden(tmp_path)
