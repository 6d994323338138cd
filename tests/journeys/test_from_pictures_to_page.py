"""The complete journey through the command line and the page: pictures, a trained model, the stack, a prediction."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from playwright.sync_api import Page, expect

from contract.bundle import read_bundle
from contract.labels import BY_CODE, DISCLAIMER
from tests.browser import opened_browser
from tests.journeys.local_stack import running_stack
from tests.odd_pictures import odd_pictures

SCREENSHOTS = Path("artifacts/screenshots")


def lesion(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = Path(sys.executable).with_name("lesion")
    return subprocess.run([command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=400)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty working folder, as after the installation."""
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(scope="module")
def trained(folder: Path, pictures_dir: Path) -> dict[str, Any]:
    """The JSON output of a short `lesion train`."""
    options = ["--size", "64", "--images", "150", "--weights", "none", "--train-from", "all"]
    done = lesion(
        "train", str(pictures_dir), *options, "--head-epochs", "0", "--fine-tune-epochs", "1", "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def urls(folder: Path, trained: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The URLs of a stack that serves the model. At the end the stack is stopped, and no process is left."""
    with running_stack(folder) as found:
        yield found


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a real browser."""
    with opened_browser() as browser:
        yield browser.new_page(viewport={"width": 1200, "height": 1000})


def test_training_writes_a_valid_bundle(trained: dict[str, Any], folder: Path) -> None:
    manifest = read_bundle(folder / trained["bundle"])
    assert manifest.input.size == 64
    assert manifest.version == trained["version"]
    assert manifest.metrics["balanced_accuracy"].low <= manifest.metrics["balanced_accuracy"].value


def test_a_user_uploads_a_picture_and_sees_the_result(
    urls: dict[str, str], page: Page, originals: list[bytes], tmp_path: Path, trained: dict[str, Any]
) -> None:
    (tmp_path / "mole.jpg").write_bytes(originals[0])
    page.goto(urls["page"])
    page.get_by_label("Picture of the lesion").set_input_files(tmp_path / "mole.jpg")
    page.get_by_role("button", name="Look at this picture").click()
    expect(page.get_by_text(DISCLAIMER)).to_be_visible()
    for lesion_class in BY_CODE.values():
        expect(page.get_by_text(lesion_class.name).first).to_be_visible()
    assert len(re.findall(r"\d+(?:\.\d+)? ?%", page.locator("ol.classes").inner_text())) == 7
    expect(page.get_by_text(trained["version"])).to_have_count(1)
    for picture in ("img.preview", "img.map"):
        expect(page.locator(picture)).to_be_visible()
        assert page.locator(picture).evaluate("image => image.naturalWidth") > 0
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "result.png", full_page=True)


def test_the_page_explains_that_a_file_is_not_a_picture(urls: dict[str, str], page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_bytes(b"these are my notes")
    page.goto(urls["page"])
    page.get_by_label("Picture of the lesion").set_input_files(tmp_path / "notes.jpg")
    page.get_by_role("button", name="Look at this picture").click()
    expect(page.get_by_text("JPEG, PNG, WebP or HEIC").first).to_be_visible()
    expect(page.get_by_label("Picture of the lesion")).to_be_visible()  # the form is there for another picture


def test_every_odd_picture_gets_its_status_over_http(urls: dict[str, str]) -> None:
    with urllib3.PoolManager(retries=False, timeout=30) as client:
        for name, odd in odd_pictures().items():
            answer = client.request("POST", f"{urls['API']}/v1/predictions", body=odd.encoded)
            assert (name, answer.status, answer.json().get("code")) == (name, odd.status, odd.code)


def test_predict_gets_the_same_result_from_the_stack_an_api_and_a_bundle(
    urls: dict[str, str], folder: Path, originals: list[bytes], trained: dict[str, Any]
) -> None:
    (folder / "mole.jpg").write_bytes(originals[0])
    (folder / "notes.txt").write_bytes(b"not a picture")
    predictions = []
    for source in ([], ["--url", urls["API"]], ["--bundle", trained["bundle"]]):
        done = lesion("predict", "mole.jpg", "--json", *source, cwd=folder)
        assert done.returncode == 0, done.stderr
        predictions.append(json.loads(done.stdout)[0])
    assert predictions[0]["classes"] == predictions[1]["classes"] == predictions[2]["classes"]
    assert predictions[0]["model_version"] == trained["version"]

    refused = lesion("predict", "mole.jpg", "notes.txt", cwd=folder)
    assert refused.returncode == 1
    assert "notes.txt: The file is not a JPEG, PNG, WebP or HEIC picture" in refused.stdout
    assert "mole.jpg: " in refused.stdout


def test_status_shows_what_runs(urls: dict[str, str], folder: Path) -> None:
    status = lesion("local", "status", "--json", cwd=folder)
    assert status.returncode == 0
    parts = json.loads(status.stdout)["parts"]
    assert {part["url"] for part in parts.values()} == set(urls.values())
    assert all(part["answers"] for part in parts.values())
    second = lesion("local", "up", "--page-port", "0", "--api-port", "0", "--aws-port", "0", cwd=folder)
    assert (second.returncode, "already runs" in second.stderr) == (1, True)
