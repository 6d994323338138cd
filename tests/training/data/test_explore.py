"""The report: one self-contained file, with the numbers of the data, readable in a narrow window."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.data import data
from contract.errors import DatasetError
from contract.exposure import measure_brightness
from contract.field_of_view import Box
from contract.image import DecodedImage
from contract.labels import CODES
from tests.browser import opened_browser, recorded_messages, recorded_requests
from tests.training.data.dataset_folder import DatasetFolder
from training.data.explore.pictures import EXAMPLES, STATISTICS, choose_examples, measure, sample_classes
from training.data.explore.report import explore
from training.data.ham10000 import Dataset, read_dataset


class Page(HTMLParser):
    """The tags and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


@pytest.fixture(scope="module")
def explored(synthetic_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    out = tmp_path_factory.mktemp("explored") / "deep" / "report"
    done = lesion_explore(synthetic_dir, out, "--pictures", 40, "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["page"] == str(out / "report.html")
    assert result["figures"] == [str(path) for path in sorted((out / "figures").iterdir())]
    return read_dataset(synthetic_dir), out


def lesion_explore(folder: Path, out: Path, *options: object) -> Result:
    return CliRunner().invoke(data, ["explore", str(folder), "--out", str(out), *map(str, options)])


@pytest.fixture(scope="module")
def page(explored: tuple[Dataset, Path]) -> Page:
    return Page((explored[1] / "report.html").read_text())


def test_the_page_requests_no_other_file(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "href", "xlink:href", "data", "srcset"):
            assert (attributes.get(name) or "#").startswith(("data:image/jpeg;base64,", "#")), (tag, attributes)
    assert "url(http" not in str(page.tags)


def test_every_id_is_unique_and_every_reference_has_a_target(page: Page) -> None:
    names = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert [name for name, count in names.items() if count > 1] == []
    referred = {
        found for _, attributes in page.tags for value in attributes.values()
        for found in re.findall(r"^#(.+)|url\(#([^)]+)\)", value or "")
    }  # fmt: skip
    assert {one or other for one, other in referred} <= names.keys()


def test_every_picture_has_a_text_alternative_and_every_figure_its_n(page: Page) -> None:
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(figures) == 13
    for attributes in figures:
        assert attributes["role"] == "img"
        assert re.search(r"n = \d", attributes["aria-label"] or "")
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len({attributes["alt"] for attributes in pictures}) == len(pictures) > len(CODES)
    assert ("html", {"lang": "en"}) in page.tags


def test_figures_use_the_colours_of_the_page_for_dark_mode(explored: tuple[Dataset, Path]) -> None:
    text = (explored[1] / "report.html").read_text()
    assert "prefers-color-scheme: dark" in text
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--ink)" in drawn
    assert not re.findall(r"#000000|#1c2127|#69727d|#d5dae0|#005a8f", drawn)


def test_the_numbers_are_those_of_the_data(explored: tuple[Dataset, Path], page: Page) -> None:
    dataset, _ = explored
    words = page.words
    for code in CODES:
        at = words.index(code)
        numbers = [word for word in words[at : at + 12] if re.fullmatch(r"[\d,]+", word)]
        of_class = dataset.rows[dataset.rows["dx"] == code]
        assert numbers[:2] == [str(len(of_class)), str(of_class["lesion_id"].nunique())]
    for row in dataset.rows.head(8).itertuples():
        assert row.image_id in words
    assert any(dataset.sha256[:16] in word for word in words)


def test_each_figure_is_also_a_png_for_print(explored: tuple[Dataset, Path]) -> None:
    figures = sorted((explored[1] / "figures").iterdir())
    assert [path.name[:2] for path in figures] == [f"{number:02}" for number in range(1, 14)]
    for path in figures:
        with Image.open(path) as figure:
            assert figure.width >= 900
            assert figure.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
            assert len(figure.convert("RGB").reduce(8).getcolors() or range(257)) > 10


def test_a_browser_shows_the_page_in_a_wide_and_a_narrow_window(explored: tuple[Dataset, Path]) -> None:
    with opened_browser() as browser:
        for width in (1200, 390):
            shown = browser.new_page(viewport={"width": width, "height": 800})
            messages, requests = recorded_messages(shown), recorded_requests(shown)
            shown.goto((explored[1] / "report.html").as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
            sizes = shown.evaluate(
                "[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
            )
            assert min(sizes) > 6
            assert messages == []
            assert requests
            assert not [url for url in requests if not url.startswith(("file:", "data:"))]


def test_html_in_the_table_is_escaped_and_completely_unknown_columns_work(
    folder: DatasetFolder, tmp_path: Path
) -> None:
    strange = {"localization": "<script>alert(1)</script>", "age": "", "sex": "", "dx_type": ""}
    folder.rows = [{**row, **strange} for row in folder.rows]
    text = explore(folder.path, tmp_path / "report", pictures=7).read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert f"left unknown, not imputed: dx_type of {len(folder.rows)}, age of" in text


def test_equal_pictures_give_an_equal_page(explored: tuple[Dataset, Path], tmp_path: Path) -> None:
    second = explore(explored[0].folder, tmp_path / "second", pictures=40)
    assert second.read_text() == (explored[1] / "report.html").read_text()


def test_a_nonempty_folder_is_refused_and_a_failure_leaves_nothing(folder: DatasetFolder, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not an empty folder"):
        explore(folder.path, folder.path)
    for row in folder.rows:
        folder.picture(row["image_id"]).write_bytes(b"")
    with pytest.raises(DatasetError, match="cannot be used"):
        explore(folder.path, tmp_path / "report")
    assert not list(tmp_path.glob("*report*"))
    assert not list(tmp_path.glob(".partial-*"))


def test_a_sample_has_all_pictures_of_rare_classes_and_as_many_of_the_others(small_dataset: Dataset) -> None:
    smallest = min(small_dataset.per_class.values())
    sample = sample_classes(small_dataset, 7 * smallest, seed=1)
    assert set(sample.per_class.values()) == {smallest}
    assert len(sample_classes(small_dataset, 10**6, seed=1).rows) == len(small_dataset.rows)
    assert sample_classes(small_dataset, 30, seed=1).sha256 == sample_classes(small_dataset, 30, seed=1).sha256


def test_examples_are_of_different_lesions_of_their_class(small_dataset: Dataset) -> None:
    examples = choose_examples(small_dataset, seed=1)
    for code, squares in examples.items():
        lesions = small_dataset.rows.loc[small_dataset.rows["dx"] == code, "lesion_id"].nunique()
        assert len(squares) == min(EXAMPLES, lesions)


def test_brightness_colour_and_sharpness_have_known_values_for_simple_pictures() -> None:
    def measured(pixels: np.ndarray) -> dict[str, float]:
        return measure(DecodedImage(pixels, 32, 32, Box(0, 0, 32, 32), measure_brightness(pixels)))

    flat = measured(np.full((32, 32, 3), (200, 100, 100), np.uint8))
    assert set(flat) == set(STATISTICS)
    assert flat["brightness"] == pytest.approx(0.299 * 200 + 0.701 * 100, rel=1e-5)
    assert flat["saturation"] == pytest.approx(50)
    assert flat["redness"] == pytest.approx(50)
    assert flat["sharpness"] == pytest.approx(0, abs=1e-6)
    assert measured(np.zeros((32, 32, 3), np.uint8))["saturation"] == 0
    chequered = np.indices((32, 32)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    assert measured(chequered.astype(np.uint8))["sharpness"] > 10_000


def test_the_command_refuses_a_nonempty_folder_and_a_too_small_sample(folder: DatasetFolder) -> None:
    assert lesion_explore(folder.path, folder.path).exit_code == 1
    assert lesion_explore(folder.path, folder.path / "out", "--pictures", 6).exit_code == 2
