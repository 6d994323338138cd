"""What a person sees: the form, the result, what serves, and every refusal."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from PIL import Image

from contract.api import MAX_BODY_BYTES, Picture, Problem, QualityFinding
from contract.errors import (
    ModelUnavailableError,
    PayloadTooLargeError,
    TooManyPixelsError,
    TooManyRequestsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.labels import CLASSES, DISCLAIMER
from webapp import wording
from webapp.classify_client import ClassifyClient
from webapp.form_token import FormTokens
from webapp.pages import create_pages
from webapp.pictures import PictureDesk
from webapp.wording import OUTCOMES


class Tags(HTMLParser):
    """Every tag of a page with its attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def images(html: str) -> dict[str, Image.Image]:
    """Decode every picture of a page, by its class."""
    shown = {}
    for tag in Tags(html).all("img"):
        match = re.fullmatch(r"data:image/(?:jpeg|png);base64,(.+)", tag["src"] or "")
        if match is None:
            continue
        picture = Image.open(io.BytesIO(base64.b64decode(match[1], validate=True)))
        picture.load()
        assert picture.size == (int(tag["width"] or 0), int(tag["height"] or 0))
        assert tag["alt"]
        shown[tag["class"]] = picture
    return shown


def test_the_form_needs_no_script(page) -> None:
    answer = page.get("/")
    assert answer.status_code == 200
    tags = Tags(answer.text)
    (form,) = tags.all("form")
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/", "multipart/form-data")
    (chooser,) = [tag for tag in tags.all("input") if tag["type"] == "file"]
    assert chooser["name"] == "image"
    assert chooser["accept"] == "image/jpeg,image/png,image/webp"
    assert "capture" not in chooser, "a phone is to offer its library too"
    assert chooser["id"] in [label["for"] for label in tags.all("label")]
    assert DISCLAIMER in answer.text
    assert "CC BY-NC 4.0" in answer.text
    assert "HAM10000" in answer.text


@pytest.mark.parametrize("outcome", list(OUTCOMES))
def test_each_outcome_is_said_in_its_own_words(send, prediction, answer_with, picture, outcome: str) -> None:
    answer_with(prediction(outcome))
    answer = send(picture())
    assert answer.status_code == 200
    title = re.search(r'<h1 id="outcome-title">(.*?)</h1>', answer.text)
    assert title
    assert title[1] == OUTCOMES[outcome].title
    assert DISCLAIMER in answer.text
    assert ("should not be relied on" in answer.text) == (outcome in ("inconclusive", "unfamiliar"))


def test_seven_probabilities_are_shown_likeliest_first_with_bars_as_long(send, picture) -> None:
    text = send(picture()).text
    rows = re.findall(
        r'class="class-name">([^<]+?)\s*<.*?class-percent">([^<]+)<.*?bar-fill" width="([\d.]+)"', text, re.S
    )
    assert [name.replace("&#39;", "'") for name, _, _ in rows] == [
        "Melanoma", "Melanocytic nevus", "Benign keratosis", "Basal cell carcinoma",
        "Actinic keratosis or Bowen's disease", "Dermatofibroma", "Vascular lesion",
    ]  # fmt: skip
    assert [percent for _, percent, _ in rows] == ["62%", "21%", "10%", "4%", "2%", "1%", "under 1%"]
    assert [width for *_, width in rows] == ["62.00", "21.00", "10.00", "4.00", "1.50", "1.00", "0.50"]
    assert text.count("cancer or precancer</span>") == 3


def test_the_result_names_its_model_its_time_and_the_picture(send, picture) -> None:
    text = send(picture()).text
    for said in ("20250102T030405Z-0123abcd", "prediction-1", "600 x 450 pixels", "24 ms", "68%"):
        assert said in text


def test_every_picture_of_the_result_decodes_at_the_same_size(send, real_picture) -> None:
    shown = images(send(real_picture).text)
    assert set(shown) == {"preview", "map"}
    assert shown["preview"].size == shown["map"].size
    assert shown["map"].convert("RGBA").getextrema()[3][1] > 0


def test_the_map_can_be_switched_off_without_a_script(send, picture) -> None:
    tags = Tags(send(picture()).text)
    (switch,) = [tag for tag in tags.all("input") if tag["type"] == "checkbox"]
    assert "checked" in switch
    assert switch["id"] in [label["for"] for label in tags.all("label")]


def test_without_an_explanation_there_is_no_map(send, prediction, answer_with, picture) -> None:
    answer_with(prediction(explain=False))
    text = send(picture()).text
    assert set(images(text)) == {"preview"}
    assert "checkbox" not in text


def test_what_is_wrong_with_the_picture_is_said(send, prediction, answer_with, picture) -> None:
    blurred = Picture(
        width=600, height=450, quality=[QualityFinding(code="blurred", message="Hold still.", value=2, threshold=4)]
    )
    answer_with(prediction("inconclusive", image=blurred))
    assert "<li>Hold still.</li>" in send(picture()).text


def test_where_and_with_what_a_picture_was_taken_is_not_echoed(send, picture) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    text = send(picture(exif=exif)).text
    preview = images(text)["preview"]
    assert dict(preview.getexif()) == {}
    encoded = io.BytesIO()
    preview.save(encoded, "JPEG")
    assert b"SecretCamera" not in encoded.getvalue()
    for data in re.findall(r"base64,([^\"]+)", text):
        assert b"SecretCamera" not in base64.b64decode(data)


def test_a_large_picture_is_shrunk_before_it_is_sent(api, send, picture) -> None:
    large = picture(2600, 1900, kind="JPEG", noise=True)
    assert len(large) > MAX_BODY_BYTES
    assert send(large).status_code == 200
    assert len(api.asked[0].body) <= MAX_BODY_BYTES
    assert max(Image.open(io.BytesIO(api.asked[0].body)).size) == 2048


@pytest.mark.parametrize(
    ("encoded", "status", "said"),
    [
        (b"", 400, "choose a picture first"),
        (b"GIF89a and so on", 415, "not a JPEG, PNG or WebP"),
        (b"\xff\xd8\xff and so on", 422, "damaged or incomplete"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_on_the_form(api, send, encoded: bytes, status: int, said: str) -> None:
    answer = send(encoded)
    assert answer.status_code == status
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert 'enctype="multipart/form-data"' in answer.text
    assert api.asked == [], "what the page can refuse by itself costs no prediction"


def test_a_picture_that_is_too_small_is_refused_on_the_form(send, picture) -> None:
    answer = send(picture(16, 16))
    assert answer.status_code == 422
    assert "at least 32" in answer.text


def test_a_form_without_the_field_is_refused(page) -> None:
    token = re.search(r'name="token" value="([^"]+)"', page.get("/").text)[1]
    assert page.post("/", data={"token": token}).status_code == 400
    assert page.post("/", data={"token": token, "image": "text"}).status_code == 400


def test_a_body_over_the_limit_is_refused_on_the_form(api, send) -> None:
    answer = send(b"\xff\xd8\xff" + bytes(20_000_000))
    assert answer.status_code == 413
    assert "At most 20 MB" in answer.text
    assert 'enctype="multipart/form-data"' in answer.text
    assert api.asked == []


def test_a_form_of_another_site_is_refused(api, page, send, picture) -> None:
    assert send(picture(), headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    answer = page.post("/", data={"image": (io.BytesIO(picture()), "a.jpg")})
    assert answer.status_code == 403
    assert "choose the picture again" in answer.text
    assert api.asked == []


@pytest.mark.parametrize(
    "error",
    [
        PayloadTooLargeError("The API says: too large."),
        UnsupportedPictureError("The API says: no such format."),
        UnreadableImageError("The API says: torn."),
        TooManyPixelsError("The API says: too many pixels."),
    ],
)
def test_what_the_api_refuses_is_said_on_the_form(send, answer_with, picture, error: Exception) -> None:
    answer_with(error)
    answer = send(picture())
    assert answer.status_code == error.status
    assert str(error) in answer.text
    assert error.title in answer.text
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("error", "given", "answered"),
    [
        (TooManyRequestsError("Too many."), "7", "7"),
        (ModelUnavailableError("No model."), "30", "30"),
        (ModelUnavailableError("No model."), "soon", "5"),
    ],
)
def test_a_busy_api_says_when_to_come_back(send, answer_with, picture, error, given: str, answered: str) -> None:
    answer_with(error, headers={"Retry-After": given})
    answer = send(picture())
    assert answer.status_code == error.status
    assert answer.headers["Retry-After"] == answered
    assert f"try again in {answered} seconds" in answer.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_what_the_page_itself_did_wrong_is_not_put_to_the_person(send, answer_with, picture, status: int) -> None:
    problem = Problem(type="t", title="Internal", status=status, detail="arn:aws:secret", code="c", request_id="r")
    answer_with(problem, status=status)
    answer = send(picture())
    assert answer.status_code == 502
    assert "arn:aws" not in answer.text
    assert "cannot answer at the moment" in answer.text


def test_an_api_that_is_down_or_talks_nonsense_is_an_apology(api, send, answer_with, picture) -> None:
    answer_with(b"<html>")
    assert send(picture()).status_code == 502
    api.stop()
    answer = send(picture())
    assert answer.status_code == 502
    assert "cannot answer at the moment" in answer.text
    assert "Traceback" not in answer.text


def test_an_api_that_takes_too_long_is_a_timeout(api, send, answer, picture) -> None:
    api.answers = [answer(delay_s=3)]
    assert send(picture()).status_code == 504


def test_a_page_whose_decoder_is_taken_says_when_to_come_back(api, picture) -> None:
    tokens, desk = FormTokens("k" * 32), PictureDesk(longest_queue_s=0.01)
    app = Flask("webapp.app")
    app.jinja_env.globals["wording"] = wording
    app.register_blueprint(create_pages(ClassifyClient(api.url, "none", timeout_s=1), tokens, desk, 1_000_000))
    form = {"token": tokens.make(), "image": (io.BytesIO(picture()), "a.jpg")}
    desk.begin_preview(picture(2600, 1900, kind="PNG", noise=True))
    answer = app.test_client().post("/", data=form)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert api.asked == []


def test_hostile_text_is_shown_as_text(send, prediction, answer_with, picture) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    answer_with(UnreadableImageError(hostile))
    refused = send(picture(), filename=f"{hostile}.jpg")
    finding = QualityFinding(code=hostile, message=hostile, value=2, threshold=4)
    answer_with(
        prediction(
            "inconclusive",
            prediction_id=hostile,
            model_version=hostile,
            disclaimer=hostile,
            image=Picture(width=1, height=1, quality=[finding]),
            classes=[{"code": hostile, "name": hostile, "malignant": True, "probability": 1}],
            explanation={"code": hostile, "grid": [[1]]},
        )
    )
    shown = send(picture(), filename=f"{hostile}.jpg")
    assert (refused.status_code, shown.status_code) == (422, 200)
    for answer in (refused, shown):
        assert "<script>alert" not in answer.text
        assert "onerror" not in [name for _, attributes in Tags(answer.text).found for name in attributes]
        assert "&lt;script&gt;" in answer.text


def test_the_file_name_is_not_repeated(send, picture) -> None:
    assert "my-left-arm" not in send(picture(), filename="my-left-arm.jpg").text


def test_the_model_is_described_with_its_intervals_limits_and_licence(page, model, answer_with) -> None:
    answer_with(model)
    answer = page.get("/model")
    assert answer.status_code == 200
    for said in (
        model.version, model.licence, model.disclaimer, model.intended_use, "Balanced accuracy", "0.812",
        "0.783 to 0.841", "Any malignant", "95%", "78%", "0.275", "224 x 224", "50 megapixels", "4.5 MB", "WebP",
    ):  # fmt: skip
        assert said in answer.text
    for lesion_class in CLASSES:
        assert lesion_class.name.replace("'", "&#39;") in answer.text


def test_a_model_that_cannot_be_described_is_an_error_page(page, answer_with) -> None:
    answer_with(ModelUnavailableError("No model is served yet."), headers={"Retry-After": "30"})
    answer = page.get("/model")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "No model is served yet." in answer.text


def test_the_page_is_alive_whatever_the_api_is(api, page) -> None:
    api.stop()
    answer = page.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert api.asked == []
