"""The robustness of models whose answers are known, over the path that serves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from contract.api import OperatingPoint
from contract.bundle import ANY_MALIGNANT, MODEL, REFERENCE, Robustness, read_bundle
from contract.image import decode_image
from contract.labels import CODES, MALIGNANT_CODES
from contract.outcome import DecisionRules
from contract.reference import Reference
from functions.classify.answer import answer_picture
from functions.classify.classifier import Classifier
from tests.tiny_bundle import write_tiny_bundle
from tests.training.evaluation.robustness.pictures import (
    EMBEDDING,
    SIZE,
    paint_lesion,
    write_blue_model,
    write_left_model,
    write_lesions,
)
from training.evaluation.calibration.calibrate import Calibration
from training.evaluation.robustness.files import save_png
from training.evaluation.robustness.measure import (
    SMALLEST,
    TooFewPicturesError,
    change_picture,
    measure_class_changes,
    measure_robustness,
    sample_by_class,
)
from training.evaluation.robustness.names import NAMES, TURNS
from training.evaluation.robustness.serving import ServedModel, open_as_served
from training.progress import ignore_progress

Reports = list[tuple[str, int, int]]  # of progress


def rules() -> DecisionRules:
    malignant = OperatingPoint(threshold=0.5, sensitivity=1.0, specificity=1.0, classes=list(MALIGNANT_CODES))
    return Calibration(
        temperature=1.0,
        operating_points={ANY_MALIGNANT: malignant},
        neighbours=1,
        unfamiliar_threshold=2.0,
        false_alarm_rate=0.01,
    )


def served(file: Path) -> ServedModel:
    reference = Reference(np.full((1, EMBEDDING), EMBEDDING**-0.5, np.float32), np.eye(EMBEDDING, dtype=np.float32))
    return ServedModel(file, SIZE, reference, rules())


def measured(model: ServedModel, rows: pd.DataFrame, at_most: int = SMALLEST) -> Robustness:
    return measure_robustness(model, rows, at_most=at_most, seed=0, on_progress=ignore_progress)


@pytest.fixture(scope="module")
def lesions(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return write_lesions(tmp_path_factory.mktemp("lesions"), ["mel", "bcc"] * 10 + ["nv"] * 10)


@pytest.fixture(scope="module")
def blue(lesions: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> tuple[Robustness, Reports]:
    """Measure the model that answers by the blue of a picture; also return the reports of progress."""
    model = served(write_blue_model(tmp_path_factory.mktemp("model")))
    progress: Reports = []
    robustness = measure_robustness(
        model, lesions, at_most=20, seed=0, on_progress=lambda *report: progress.append(report)
    )
    return robustness, progress


def test_a_change_to_which_the_model_is_sensitive_makes_the_answers_low_risk(
    blue: tuple[Robustness, Reports],
) -> None:
    effects = blue[0].changes
    assert list(effects) == list(NAMES)
    assert effects["warm_lamp"].low_risk.value == 1
    assert effects["warm_lamp"].low_risk.low < 1  # ten lesions are few
    assert effects["warm_lamp"].probability_change.value > 0.9
    for name in ("cool_lamp", "turned_90", "turned_180", "turned_270", "mirrored", "jpeg_92", "jpeg_50", "png", "webp",
                 "megapixels_12", "megapixels_24", "gamma_0.7"):  # fmt: skip
        assert effects[name].unchanged.value == 1, name
    assert effects["light_0.4"].unchanged.value == 1  # the decoder brightens it
    for effect in effects.values():
        total = effect.low_risk.value + effect.noticed.value + effect.unchanged.value
        assert total == pytest.approx(1)


def test_only_malignant_pictures_are_changed_and_all_classes_are_turned(
    blue: tuple[Robustness, Reports],
) -> None:
    robustness, progress = blue
    assert (robustness.pictures, robustness.lesions) == (20, 10)
    assert robustness.all_pictures == 20  # a sample of the thirty
    assert {name for name, effect in robustness.changes.items() if effect.class_changes is not None} == set(TURNS)
    assert all(
        effect.class_changes is None or effect.class_changes.value == 0 for effect in robustness.changes.values()
    )
    for step in ("answering malignant pictures", "changing malignant pictures", "turning pictures"):
        assert [report[1:] for report in progress if report[0] == step] == [(done, 20) for done in range(1, 21)]


def test_the_leading_class_of_a_model_that_compares_two_sides_changes_when_it_is_turned(
    lesions: pd.DataFrame, tmp_path: Path
) -> None:
    shares = measure_class_changes(served(write_left_model(tmp_path)), lesions, 0, lambda done, total: None)
    assert shares["turned_180"].value == 1
    assert shares["mirrored"].value == 1
    assert 0.2 < shares["turned_90"].value < 0.8  # the upper half is darker or lighter than the lower one


def test_the_answers_are_those_of_the_function(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path, malignant_threshold=0.35, unfamiliar_threshold=0.6)
    manifest = read_bundle(bundle)
    model = ServedModel(bundle / MODEL, manifest.input.size, Reference.read(bundle / REFERENCE), manifest)
    names = [name for name in NAMES if not name.startswith("megapixels")]
    files = list(change_picture(save_png(paint_lesion(3)), "x", names, seed=0))
    answers = model.answer([open_as_served(file, manifest.input.size) for file in files])
    classifier = Classifier(bundle, manifest, threads=1)
    for number, (name, file) in enumerate(zip(names, files, strict=True)):
        prediction = answer_picture(file, classifier, explain=False).prediction
        assert answers.low_risk[number] == (prediction.outcome == "low_risk"), name
        assert answers.see_a_doctor[number] == (prediction.outcome == "see_a_doctor"), name
        assert answers.noticed[number] == (prediction.outcome in ("unfamiliar", "inconclusive")), name
        assert answers.malignant[number] == pytest.approx(prediction.malignant_probability, abs=1e-5), name
        assert CODES[answers.leading[number]] == prediction.classes[0].code, name


def test_a_picture_with_a_finding_is_noticed_and_never_low_risk(tmp_path: Path) -> None:
    black = save_png(paint_lesion(0).point(lambda value: value // 12))
    answers = served(write_blue_model(tmp_path)).answer([open_as_served(black, SIZE)])
    assert answers.noticed.tolist() == [True]
    assert answers.low_risk.tolist() == [False]


@pytest.mark.parametrize(
    ("codes", "blue", "reason"),
    [
        (["mel"] * 19 + ["nv"] * 9, True, "19 malignant pictures, and at least 20 are needed"),
        (["mel"] * 20, False, "0 malignant pictures have the outcome see_a_doctor, and at least 20 are needed"),
    ],
)
def test_too_few_pictures_are_refused_with_a_sentence(
    codes: list[str], blue: bool, reason: str, tmp_path: Path
) -> None:
    rows = write_lesions(tmp_path / "pictures", codes)
    if not blue:
        for path in rows["path"]:
            red, green, _ = Image.open(path).split()
            Image.merge("RGB", (red, green, Image.new("L", red.size))).save(path, quality=95)
    model = served(write_blue_model(tmp_path))
    with pytest.raises(TooFewPicturesError, match=rf"^The robustness was not measured: {reason}\.$"):
        measured(model, rows)


def numbered_rows(codes: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"dx": codes, "class_index": [CODES.index(code) for code in codes]})


def test_a_sample_has_the_classes_in_the_same_proportions() -> None:
    rows = numbered_rows(["mel", "nv", "nv", "bcc", "nv"] * 100)
    sample = sample_by_class(rows, 50, seed=0)
    assert sample["dx"].value_counts().to_dict() == {"nv": 30, "mel": 10, "bcc": 10}
    assert sample.index.is_monotonic_increasing
    assert sample.index.tolist() == sample_by_class(rows, 50, seed=0).index.tolist()
    assert sample.index.tolist() != sample_by_class(rows, 50, seed=1).index.tolist()


@pytest.mark.parametrize("at_most", [10, 11])
def test_a_small_table_is_not_sampled(at_most: int) -> None:
    rows = numbered_rows(["nv"] * 10)
    assert len(sample_by_class(rows, at_most, seed=0)) == 10


def test_the_changes_start_from_the_upright_picture(tmp_path: Path) -> None:
    """A file that is turned by its EXIF gives the same changed pictures."""
    picture = paint_lesion(5)
    lying = tmp_path / "lying.png"
    turned = picture.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(lying, exif=exif)
    names = ["dark_circle_1.0", "turned_90", "ink"]
    files = zip(
        change_picture(save_png(picture), "x", names, 0), change_picture(lying.read_bytes(), "x", names, 0), strict=True
    )
    for upright, other in files:
        first, second = (decode_image(file, 64).pixels.astype(int) for file in (upright, other))
        assert np.array_equal(first, second)
