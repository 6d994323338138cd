"""`lesion evaluate`: the right pictures for the model, any table that names classes, and else a sentence."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.evaluate import card, evaluate
from contract.bundle import read_bundle
from contract.labels import CODES
from tests.browser import opened_browser
from tests.tiny_bundle import write_tiny_bundle
from tests.training.data.test_explore import Page
from training.data.ham10000 import Dataset, read_dataset
from training.data.split import sample_lesions, split_by_lesion
from training.evaluation.labelled import read_labelled

Lesion = Callable[..., Result]


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
    return CliRunner().invoke(evaluate, list(map(str, arguments)))


def strangers_table(folder: Path, codes: list[str], columns: dict[str, list[str]] | None = None) -> Path:
    """Put noise into nested folders as PNG files, and what they are into a table elsewhere."""
    random = np.random.default_rng(0)
    rows = []
    for number, code in enumerate(codes):
        path = folder / "photos" / code / f"case {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (90 + number, 120, 3), np.uint8)).save(path)
        more = {name: values[number] for name, values in (columns or {}).items()}
        rows.append({"image_id": path.name, "dx": code, **more})
    table = folder / "labels.csv"
    with table.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def held_out(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """The pictures that a model was trained on, evaluated, with a folder of other pictures."""
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


def test_of_the_pictures_that_it_was_trained_on_only_the_held_out_lesions_are_measured(
    held_out: tuple[Result, Path], dataset: Dataset
) -> None:
    done, _ = held_out
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    test = dataset.rows.iloc[split_by_lesion(dataset, 7).test]
    assert (told["pictures"], told["lesions"]) == (len(test), test["lesion_id"].nunique())
    assert told["notes"][0].startswith(f"The {len(test)} held-out pictures of {len(dataset.rows)}")
    assert {code: of["pictures"] for code, of in told["per_class"].items()} == {
        code: count for code in CODES if (count := int((test["dx"] == code).sum()))
    }


def test_pictures_of_a_given_folder_are_told_apart_and_what_cannot_be_decoded_is_counted(
    held_out: tuple[Result, Path],
) -> None:
    done, report = held_out
    assert any(note.startswith("1 of the 4 pictures in ") for note in json.loads(done.stdout)["notes"])
    numbers = json.loads((report / "metrics.json").read_text())
    assert numbers["no_lesion"]["given"]["pictures"] == 3
    assert numbers["no_lesion"]["painted"]["pictures"] == 6 * 24


def test_the_report_is_one_file_that_asks_for_nothing_and_shows_the_mistakes(held_out: tuple[Result, Path]) -> None:
    _, report = held_out
    page = Page((report / "report.html").read_text())
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "href", "xlink:href", "data", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:image/jpeg;base64,", "#")), (tag, attributes)
    mistakes = json.loads((report / "metrics.json").read_text())["mistakes"]
    shown = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert shown == [f"{of['image_id']}: {of['truth']}, taken for {of['answered']}" for of in mistakes]
    assert [of["confidence"] for of in mistakes] == sorted((of["confidence"] for of in mistakes), reverse=True)
    assert any(path.name.endswith("-mistakes.png") for path in (report / "figures").iterdir())


def test_the_page_fits_a_wide_and_a_narrow_window(held_out: tuple[Result, Path]) -> None:
    with opened_browser() as browser:
        for width in (1200, 390):
            shown = browser.new_page(viewport={"width": width, "height": 800})
            asked: list[str] = []
            shown.on("request", lambda request, asked=asked: asked.append(request.url))
            shown.goto((held_out[1] / "report.html").as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
            assert not [url for url in asked if not url.startswith(("file:", "data:"))]


def test_of_any_other_set_all_pictures_are_measured_and_it_is_said(
    bundle: Path, dataset: Dataset, tmp_path: Path
) -> None:
    done = lesion_evaluate(bundle, dataset.folder, tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert f"All {len(dataset.rows)} pictures of {dataset.folder.name}, which is another set" in done.stdout
    assert "balanced accuracy" in done.stdout


def test_a_table_of_pictures_and_classes_alone_is_enough(bundle: Path, tmp_path: Path) -> None:
    table = strangers_table(tmp_path / "set", ["nv", "mel", "nv", "mel", "bcc", "nv"])
    done = lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table)
    assert done.exit_code == 0, done.output
    for sentence in (
        "The table has no lesion_id: each picture counts as a lesion of its own.",
        "The table has no age, sex, localization, dx_type: nothing is sliced by that.",
        "There are no pictures of akiec, bkl, df, vasc: averages are over the other classes.",
        "6 pictures of 6 lesions",
    ):
        assert sentence in done.stdout
    numbers = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert numbers["slices"] == {}
    assert set(numbers["per_class"]) == {"bcc", "mel", "nv"}


def test_what_the_table_says_beyond_that_is_used(bundle: Path, tmp_path: Path) -> None:
    columns = {"lesion_id": ["a"] * 20 + ["b"] * 4, "sex": ["female"] * 22 + ["male"] * 2}
    table = strangers_table(tmp_path / "set", ["nv"] * 20 + ["mel"] * 4, columns)
    done = lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["lesions"] == 2
    slices = json.loads((tmp_path / "report" / "metrics.json").read_text())["slices"]
    assert {which: of["pictures"] for which, of in slices["sex"].items()} == {"female": 22}


def test_a_sample_is_found_again_in_the_pictures_that_it_was_taken_from(dataset: Dataset, tmp_path: Path) -> None:
    taken = sample_lesions(dataset, 60, seed=7)
    manifest = read_bundle(bundle_trained_on(taken, tmp_path / "models"))
    training = manifest.training.model_copy(update={"config": {"images": 60}})
    labelled = read_labelled(dataset.folder, None, manifest.model_copy(update={"training": training}))
    assert labelled.dataset.sha256 == taken.sha256
    assert np.array_equal(labelled.positions, split_by_lesion(taken, 7).test)
    assert read_labelled(dataset.folder, None, manifest).dataset.sha256 == dataset.sha256  # not known to be a sample


def refused(done: Result, *words: str) -> None:
    assert done.exit_code == 1
    sentence = str(done.exception)
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".")


def test_a_split_that_comes_out_otherwise_today_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    bundle = bundle_trained_on(dataset, tmp_path / "models", split_sha256="2" * 64)
    refused(lesion_evaluate(bundle, dataset.folder, tmp_path / "report"), "splits them otherwise")


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
def test_a_set_that_cannot_be_used_is_told_in_a_sentence_and_nothing_is_left(
    bundle: Path, tmp_path: Path, spoil: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    table = strangers_table(tmp_path / "set", ["nv", "mel"])
    spoil(table)
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table), *words)
    assert not list(tmp_path.glob("*report*"))


def test_without_a_table_its_option_is_named(bundle: Path, tmp_path: Path) -> None:
    strangers_table(tmp_path / "set", ["nv"])
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report"), "HAM10000_metadata.csv", "--metadata")


def test_a_folder_of_others_without_pictures_is_refused(bundle: Path, tmp_path: Path) -> None:
    table = strangers_table(tmp_path / "set", ["nv", "mel"])
    (tmp_path / "others").mkdir()
    options = ("--metadata", table, "--unfamiliar", tmp_path / "others")
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", *options), "There are no pictures in")


def test_a_report_that_is_there_is_not_overwritten(bundle: Path, tmp_path: Path) -> None:
    table = strangers_table(tmp_path / "set", ["nv", "mel"])
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine").touch()
    refused(lesion_evaluate(bundle, tmp_path / "set", tmp_path / "report", "--metadata", table), "not an empty folder")
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["mine"]


def test_a_broken_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"damaged")
    refused(lesion_evaluate(bundle, tmp_path, tmp_path / "report"), "model.onnx is not the file")


def test_the_card_is_printed_from_the_manifest(bundle: Path) -> None:
    done = CliRunner().invoke(card, ["--bundle", str(bundle)])
    assert done.exit_code == 0, done.output
    for said in (
        f"# Model {bundle.name}",
        "never a diagnosis",
        "CC BY-NC 4.0",
        "Sex: female",
        "darker skin",
        "log of the classes' frequencies",
    ):
        assert said in done.stdout
