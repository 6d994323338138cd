"""`lesion evaluate` and `lesion card`: which pictures are evaluated, and one sentence for each mistake of the user."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.evaluate import card, evaluate
from contract.bundle import Robustness, read_bundle
from contract.labels import CODES
from tests.browser import opened_browser, recorded_requests
from tests.low_risk_shares import low_risk_shares
from tests.tiny_bundle import write_tiny_bundle
from tests.training.data.test_explore import Page
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import sample_lesions, split_by_lesion
from training.evaluation.pictures.evaluation_set import read_evaluation_set
from training.evaluation.robustness.goals import misses_goal, worst_changes
from training.evaluation.robustness.measure import SMALLEST
from training.evaluation.robustness.names import NAMES


@pytest.fixture(scope="module")
def dataset(synthetic_dir: Path) -> Dataset:
    return read_dataset(synthetic_dir)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "models")


def bundle_trained_on(dataset: Dataset, folder: Path, **changes: Any) -> Path:
    data = {
        "name": "synthetic",
        "sha256": dataset.sha256,
        "images": len(dataset.rows),
        "lesions": dataset.lesions,
        "per_class": dataset.per_class,
        "split_seed": 7,
        "split_sha256": split_by_lesion(dataset, 7).sha256,
    }
    return write_tiny_bundle(folder, data={**data, **changes})


def lesion_evaluate(bundle: Path, folder: Path, out: Path, *options: object) -> Result:
    arguments = ["--bundle", bundle, "--data", folder, "--out", out, "--cache", out.parent / "cache", *options]
    if "--robustness" not in options:  # it takes seconds
        arguments.append("--no-robustness")
    return CliRunner().invoke(evaluate, list(map(str, arguments)))


def write_labelled_noise(folder: Path, codes: list[str], columns: dict[str, list[str]] | None = None) -> Path:
    """Write PNG files of noise into nested folders, and a table of their classes."""
    random = np.random.default_rng(0)
    rows = []
    for number, code in enumerate(codes):
        path = folder / "photos" / code / f"case {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (90 + number, 120, 3), np.uint8)).save(path)
        extra = {name: values[number] for name, values in (columns or {}).items()}
        rows.append({"image_id": path.name, "dx": code, **extra})
    table = folder / "labels.csv"
    with table.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def held_out(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """Evaluate a model on the pictures that it was trained on, with a folder of pictures without a lesion."""
    folder = tmp_path_factory.mktemp("held-out")
    others = folder / "others"
    others.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 0, 0)).save(others / f"{number}.webp")
    (others / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    bundle = bundle_trained_on(dataset, folder / "models")
    return lesion_evaluate(
        bundle, dataset.folder, folder / "report", "--unfamiliar", others, "--json"
    ), folder / "report"


def test_of_the_training_set_only_the_held_out_lesions_are_evaluated(
    held_out: tuple[Result, Path], dataset: Dataset
) -> None:
    done, _ = held_out
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    test = dataset.rows.iloc[split_by_lesion(dataset, 7).test]
    assert (result["pictures"], result["lesions"]) == (len(test), test["lesion_id"].nunique())
    assert result["notes"][0].startswith(f"The {len(test)} held-out pictures of {len(dataset.rows)}")
    assert {code: group["pictures"] for code, group in result["per_class"].items()} == {
        code: count for code in CODES if (count := int((test["dx"] == code).sum()))
    }


def test_pictures_of_a_given_folder_are_evaluated_and_damaged_ones_counted(
    held_out: tuple[Result, Path],
) -> None:
    done, report = held_out
    assert any(note.startswith("1 of the 4 pictures in ") for note in json.loads(done.stdout)["notes"])
    numbers = json.loads((report / "metrics.json").read_text())
    assert numbers["no_lesion"]["given"]["pictures"] == 3
    assert numbers["no_lesion"]["painted"]["pictures"] == 6 * 24


def test_the_report_is_self_contained_and_shows_the_mistakes(held_out: tuple[Result, Path]) -> None:
    _, report = held_out
    page = Page((report / "report.html").read_text())
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "href", "xlink:href", "data", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:image/jpeg;base64,", "#")), (tag, attributes)
    mistakes = json.loads((report / "metrics.json").read_text())["mistakes"]
    confidences = [mistake["confidence"] for mistake in mistakes]
    shown = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert shown == [
        f"{mistake['image_id']}: {mistake['truth']}, predicted as {mistake['answered']}" for mistake in mistakes
    ]
    assert confidences == sorted(confidences, reverse=True)
    assert any(path.name.endswith("-mistakes.png") for path in (report / "figures").iterdir())


def test_the_page_fits_a_wide_and_a_narrow_window(held_out: tuple[Result, Path]) -> None:
    with opened_browser() as browser:
        for width in (1200, 390):
            shown = browser.new_page(viewport={"width": width, "height": 800})
            requests = recorded_requests(shown)
            shown.goto((held_out[1] / "report.html").as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
            assert requests
            assert all(url.startswith(("file:", "data:")) for url in requests)


def test_of_another_set_all_pictures_are_evaluated_with_a_note(bundle: Path, dataset: Dataset, tmp_path: Path) -> None:
    done = lesion_evaluate(bundle, dataset.folder, tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert f"All {len(dataset.rows)} pictures of {dataset.folder.name}, which is another set" in done.stdout
    assert "balanced accuracy" in done.stdout


def test_a_table_with_only_pictures_and_classes_is_enough(bundle: Path, tmp_path: Path) -> None:
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel", "nv", "mel", "bcc", "nv"])
    done = lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table)
    assert done.exit_code == 0, done.output
    for sentence in (
        "The table has no lesion_id: each picture counts as a separate lesion.",
        "The table has no age, sex, localization, dx_type: there are no groups by that.",
        "There are no pictures of akiec, bkl, df, vasc: averages are over the other classes.",
        "6 pictures of 6 lesions",
    ):
        assert sentence in done.stdout
    numbers = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert numbers["slices"] == {}
    assert set(numbers["per_class"]) == {"bcc", "mel", "nv"}


def test_optional_columns_of_the_table_are_used(bundle: Path, tmp_path: Path) -> None:
    columns = {"lesion_id": ["a"] * 20 + ["b"] * 4, "sex": ["female"] * 22 + ["male"] * 2}
    table = write_labelled_noise(tmp_path / "set", ["nv"] * 20 + ["mel"] * 4, columns)
    done = lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["lesions"] == 2
    slices = json.loads((tmp_path / "report" / "metrics.json").read_text())["slices"]
    assert {name: group["pictures"] for name, group in slices["sex"].items()} == {"female": 22}


def test_a_model_trained_on_a_sample_is_evaluated_on_its_held_out_part(dataset: Dataset, tmp_path: Path) -> None:
    sample = sample_lesions(dataset, 60, seed=7)
    manifest = read_bundle(bundle_trained_on(sample, tmp_path / "models"))
    training = manifest.training.model_copy(update={"config": {"images": 60}})
    evaluation_set = read_evaluation_set(dataset.folder, None, manifest.model_copy(update={"training": training}))
    assert evaluation_set.dataset.sha256 == sample.sha256
    assert np.array_equal(evaluation_set.positions, split_by_lesion(sample, 7).test)
    whole_set = read_evaluation_set(dataset.folder, None, manifest)  # this manifest names no number of images
    assert whole_set.dataset.sha256 == dataset.sha256


@pytest.fixture(scope="module")
def changed(synthetic_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """Evaluate a model that answers see_a_doctor to everything, also on changed pictures."""
    folder = tmp_path_factory.mktemp("changed")
    bundle = write_tiny_bundle(folder / "models", malignant_threshold=0.0)
    return lesion_evaluate(bundle, synthetic_dir, folder / "report", "--robustness", 24), folder / "report"


def test_an_evaluation_changes_malignant_pictures_and_reports_each_change(changed: tuple[Result, Path]) -> None:
    done, report = changed
    assert done.exit_code == 0, done.output
    robustness = Robustness.model_validate(json.loads((report / "metrics.json").read_text())["robustness"])
    assert SMALLEST <= robustness.pictures <= 24
    assert list(robustness.changes) == list(NAMES)
    assert all(effect.low_risk.value == 0 for effect in robustness.changes.values())
    missed = len(worst_changes(robustness.changes))
    assert f"{robustness.pictures} malignant pictures with the outcome see_a_doctor" in done.stdout
    assert f"changed in {len(NAMES)} ways: {missed} of these miss their goal" in done.stdout
    text = (report / "report.html").read_text()
    for name, named in NAMES.items():
        marked = " *" if misses_goal(robustness.changes[name]) else ""
        assert f'<th scope="row">{named.words}{marked}</th>' in text
    assert any(path.name.endswith("-robustness.png") for path in (report / "figures").iterdir())


def test_too_few_malignant_pictures_are_named_in_the_notes(bundle: Path, tmp_path: Path) -> None:
    options = ("--metadata", write_labelled_noise(tmp_path / "set", ["nv", "mel"] * 3), "--robustness", 20, "--json")
    done = lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", *options)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["robustness"] is None
    assert "The robustness was not measured: 3 malignant pictures, and at least 20 are needed." in result["notes"]


def test_without_robustness_no_picture_is_changed(held_out: tuple[Result, Path]) -> None:
    done, report = held_out
    assert json.loads(done.stdout)["robustness"] is None
    assert not any("robustness" in note for note in json.loads(done.stdout)["notes"])
    assert 'id="robustness-title"' not in (report / "report.html").read_text()


def test_the_card_shows_every_change_or_that_none_was_measured(bundle: Path, tmp_path: Path) -> None:
    robustness = low_risk_shares({"dark_circle_1.0": 0.358}).model_dump(mode="json")
    measured = write_tiny_bundle(tmp_path / "measured", robustness=robustness)
    shown = CliRunner().invoke(card, ["--bundle", str(measured)]).stdout
    assert "| dark circle, diameter 1.0 | 35.8% (35.8% to 36.8%) | 0.0% | 64.2% |" in shown
    assert all(f"| {named.words} |" in shown for named in NAMES.values())
    assert "Not measured for this model." in CliRunner().invoke(card, ["--bundle", str(bundle)]).stdout


def refused(done: Result, *words: str) -> None:
    assert done.exit_code == 1
    sentence = str(done.exception)
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".")


def test_a_split_that_cannot_be_reproduced_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    bundle = bundle_trained_on(dataset, tmp_path / "models", split_sha256="2" * 64)
    refused(lesion_evaluate(bundle, dataset.folder, tmp_path / "report"), "splits them differently")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table.write_text("image_id,diagnosis\na,nv\n"), ("labels.csv has no column dx",)),
        (lambda table: table.write_text("image_id,dx\ncase 0.png,scc\n"), ('"scc"', "none of the seven classes")),
        (lambda table: table.write_text("image_id,dx\nabsent,nv\n"), ("that labels.csv names are absent (absent)",)),
        (lambda table: table.write_text("image_id,dx\n"), ("a header and no rows",)),
        (lambda table: table.unlink(), ("There is no labels.csv",)),
        (lambda table: next(table.parent.rglob("*.png")).write_bytes(b"\x89PNG\r\n\x1a\n"), ("cannot be used",)),
        (lambda table: [path.unlink() for path in table.parent.rglob("*.png")], ("There are no pictures in",)),
    ],
)
def test_a_set_that_cannot_be_used_gives_one_sentence_and_leaves_no_report(
    bundle: Path, tmp_path: Path, spoil: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel"])
    spoil(table)
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table), *words)
    assert not list(tmp_path.glob("*report*"))


def test_without_a_table_the_sentence_names_the_option(bundle: Path, tmp_path: Path) -> None:
    write_labelled_noise(tmp_path / "set", ["nv"])
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report"), "HAM10000_metadata.csv", "--metadata")


def test_a_folder_without_pictures_is_refused(bundle: Path, tmp_path: Path) -> None:
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel"])
    (tmp_path / "others").mkdir()
    options = ("--metadata", table, "--unfamiliar", tmp_path / "others")
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", *options), "There are no pictures in")


def test_an_existing_report_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel"])
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine").touch()
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table), "not an empty folder")
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["mine"]


def test_a_damaged_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"damaged")
    refused(lesion_evaluate(bundle, tmp_path, tmp_path / "report"), "model.onnx is not the file")


def test_the_card_is_made_from_the_manifest(bundle: Path) -> None:
    done = CliRunner().invoke(card, ["--bundle", str(bundle)])
    assert done.exit_code == 0, done.output
    for text in (
        f"# Model {bundle.name}",
        "never a diagnosis",
        "CC BY-NC 4.0",
        "Sex: female",
        "darker skin",
        "times the log class frequencies is added to the logits",
    ):
        assert text in " ".join(done.stdout.split())


def test_the_report_shows_the_prior_correction(bundle: Path, tmp_path: Path) -> None:
    training = {**read_bundle(bundle).training.model_dump(mode="json"), "prior_correction": 0.3}
    corrected = write_tiny_bundle(tmp_path / "corrected", training=training)
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel", "nv", "mel"])
    done = lesion_evaluate(corrected, tmp_path / "set", tmp_path / "report", "--metadata", table)
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report" / "report.html").read_text()
    assert "0.3 times the log class frequencies is added to the logits" in page


def loaded_by(*arguments: object) -> tuple[str, set[str]]:
    """Run `lesion` in a new process; return its output and the libraries that it loaded."""
    script = (
        "import atexit, sys; from cli.main import main; "
        "atexit.register(lambda: print('\\nloaded', *{name.split('.')[0] for name in sys.modules})); main()"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    output, _, loaded = done.stdout.rpartition("\nloaded ")
    return output + done.stderr, set(loaded.split())


KERAS = {"keras", "tensorflow", "jax"}
DATA_LIBRARIES = {"pandas", "sklearn", "scipy", "matplotlib", "onnxruntime"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data", "/nowhere"),
        ("--metadata", "/nowhere/labels.csv"),
        ("--unfamiliar", "/nowhere"),
        ("--out", "models"),
        ("--bundle", "/nowhere"),
    ],
)
def test_a_wrong_path_is_refused_before_any_slow_import(
    bundle: Path, synthetic_dir: Path, tmp_path: Path, arguments: tuple[str, str]
) -> None:
    valid = {"--bundle": bundle, "--data": synthetic_dir, "--out": tmp_path / "report"}
    options = [part for option in (valid | dict([arguments])).items() for part in option]
    output, loaded = loaded_by("evaluate", *options)
    assert arguments[1].split("/")[-1] in output
    assert "click" in loaded
    assert loaded.isdisjoint(KERAS | DATA_LIBRARIES)


def test_a_card_is_printed_without_any_slow_import(bundle: Path) -> None:
    output, loaded = loaded_by("card", "--bundle", bundle)
    assert output.startswith(f"# Model {bundle.name}")
    assert loaded.isdisjoint(KERAS | DATA_LIBRARIES)


def test_an_evaluation_needs_no_keras(bundle: Path, tmp_path: Path) -> None:
    table = write_labelled_noise(tmp_path / "set", ["nv", "mel"])
    options = ("--data", tmp_path / "set", "--metadata", table, "--out", tmp_path / "report", "--cache", tmp_path)
    output, loaded = loaded_by("evaluate", "--bundle", bundle, *options)
    assert "The report is in" in output
    assert {"onnxruntime", "matplotlib"} <= loaded
    assert loaded.isdisjoint(KERAS)


def test_comparing_two_models_needs_no_keras() -> None:
    script = "import sys, operations.comparison.compare, training.artifact.inference; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in done.stdout.split()}.isdisjoint(KERAS | {"sklearn", "matplotlib"})
