"""What a person sees: the form, the result, the description of the model, and the errors."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from contract.api import MAX_BODY_BYTES, ModelDescription, Outcome, Picture, Problem, QualityFinding, Square
from contract.errors import (
    AnalyzerError,
    ModelUnavailableError,
    PayloadTooLargeError,
    TooManyPixelsError,
    TooManyRequestsError,
    UnreadableImageError,
    UnsupportedPictureError,
)
from contract.labels import CLASSES, DISCLAIMER
from tests.heic_files import encode_heic
from tests.odd_pictures import plain_picture
from tests.webapp.conftest import Answer, AnswerWith, LoopbackApi, MakePicture, MakePrediction, Send
from webapp import display_text
from webapp.classify_client import ClassifyClient
from webapp.csrf import CsrfTokens
from webapp.display_text import OUTCOMES
from webapp.pages import create_pages
from webapp.pictures import PictureDecoder


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
    shown: dict[str, Image.Image] = {}
    for tag in Tags(html).all("img"):
        match = re.fullmatch(r"data:image/(?:jpeg|png);base64,(.+)", tag["src"] or "")
        if match is None:
            continue
        picture = Image.open(io.BytesIO(base64.b64decode(match[1], validate=True)))
        picture.load()
        assert picture.size == (int(tag["width"] or 0), int(tag["height"] or 0))
        assert tag["alt"]
        shown[tag["class"] or ""] = picture
    return shown


def test_the_form_needs_no_script(page: FlaskClient) -> None:
    answer = page.get("/")
    assert answer.status_code == 200
    tags = Tags(answer.text)
    (form,) = tags.all("form")
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/", "multipart/form-data")
    (chooser,) = [tag for tag in tags.all("input") if tag["type"] == "file"]
    assert chooser["name"] == "image"
    assert chooser["accept"] == "image/jpeg,image/png,image/webp,image/heic,image/heif,.heic,.heif"
    assert "capture" not in chooser, "a phone should offer its library too"
    assert chooser["id"] in [label["for"] for label in tags.all("label")]
    assert DISCLAIMER in answer.text
    assert "CC BY-NC 4.0" in answer.text
    assert "HAM10000" in answer.text


@pytest.mark.parametrize("outcome", list(OUTCOMES))
def test_each_outcome_has_its_own_text(
    send: Send, prediction: MakePrediction, answer_with: AnswerWith, picture: MakePicture, outcome: Outcome
) -> None:
    answer_with(prediction(outcome))
    answer = send(picture())
    assert answer.status_code == 200
    title = re.search(r'<h1 id="outcome-title">(.*?)</h1>', answer.text)
    assert title
    assert title[1] == OUTCOMES[outcome].title
    assert DISCLAIMER in answer.text
    assert ("should not be relied on" in answer.text) == (outcome in ("inconclusive", "unfamiliar"))


def test_seven_probabilities_are_shown_likeliest_first_with_bars_of_that_length(
    send: Send, picture: MakePicture
) -> None:
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


def test_the_result_names_its_model_its_time_and_the_picture(send: Send, picture: MakePicture) -> None:
    text = send(picture()).text
    for said in ("20250102T030405Z-0123abcd", "prediction-1", "600 x 450 pixels", "24 ms", "68%"):
        assert said in text


def test_every_picture_of_the_result_decodes_at_the_same_size(send: Send, real_picture: bytes) -> None:
    shown = images(send(real_picture).text)
    assert set(shown) == {"preview", "map"}
    assert shown["preview"].size == shown["map"].size
    assert shown["map"].convert("RGBA").getchannel("A").getextrema() != (0, 0)


def test_the_map_can_be_switched_off_without_a_script(send: Send, picture: MakePicture) -> None:
    tags = Tags(send(picture()).text)
    (switch,) = [tag for tag in tags.all("input") if tag["type"] == "checkbox"]
    assert "checked" in switch
    assert switch["id"] in [label["for"] for label in tags.all("label")]


def test_without_an_explanation_there_is_no_map(
    send: Send, prediction: MakePrediction, answer_with: AnswerWith, picture: MakePicture
) -> None:
    answer_with(prediction(explain=False))
    text = send(picture()).text
    assert set(images(text)) == {"preview"}
    assert "checkbox" not in text


def test_the_heat_map_lies_on_the_square_that_the_model_sees(
    send: Send, prediction: MakePrediction, answer_with: AnswerWith, picture: MakePicture
) -> None:
    dermoscope = Picture(width=1200, height=900, square=Square(left=300, top=150, side=600), quality=[])
    answer_with(prediction("low_risk", image=dermoscope, explanation={"code": "nv", "grid": [[1]]}))
    answer = send(picture(600, 450))
    drawn = images(answer.text)["map"].convert("RGBA").getchannel("A")
    strongest, outside = drawn.getpixel((300, 225)), drawn.getpixel((0, 0))
    inside = {(150, 75), (449, 374), (300, 225)}
    assert {drawn.getpixel(place) for place in inside} == {strongest}
    assert {drawn.getpixel(place) for place in [(149, 225), (450, 225), (300, 74), (300, 375)]} == {outside}
    assert "see the darkened edges" in answer.text


def test_the_findings_about_the_picture_are_shown(
    send: Send, prediction: MakePrediction, answer_with: AnswerWith, picture: MakePicture
) -> None:
    blurred = Picture(
        width=600,
        height=450,
        square=Square(left=75, top=0, side=450),
        quality=[QualityFinding(code="blurred", message="Hold still.", value=2, threshold=4)],
    )
    answer_with(prediction("inconclusive", image=blurred))
    assert "<li>Hold still.</li>" in send(picture()).text


def test_the_metadata_of_a_picture_is_not_sent_back(send: Send, picture: MakePicture) -> None:
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


def test_a_large_picture_is_shrunk_before_it_is_sent(api: LoopbackApi, send: Send, picture: MakePicture) -> None:
    large = picture(2600, 1900, kind="JPEG", noise=True)
    assert len(large) > MAX_BODY_BYTES
    assert send(large).status_code == 200
    assert len(api.asked[0].body) <= MAX_BODY_BYTES
    assert max(Image.open(io.BytesIO(api.asked[0].body)).size) == 2048


def test_a_heic_gets_a_result_with_a_picture_that_every_browser_shows(api: LoopbackApi, send: Send) -> None:
    heic = encode_heic(plain_picture(size=(600, 450)))
    answer = send(heic)
    assert answer.status_code == 200
    assert api.asked[0].body == heic
    assert images(answer.text)["preview"].format == "JPEG"


@pytest.mark.parametrize(
    ("encoded", "status", "said"),
    [
        (b"", 400, "The file is empty"),
        (b"GIF89a and so on", 415, "not a JPEG, PNG, WebP or HEIC"),
        (b"\xff\xd8\xff and so on", 422, "damaged or incomplete"),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused_on_the_form(
    api: LoopbackApi, send: Send, encoded: bytes, status: int, said: str
) -> None:
    answer = send(encoded)
    assert answer.status_code == status
    assert said in answer.text
    assert 'role="alert"' in answer.text
    assert 'enctype="multipart/form-data"' in answer.text
    assert api.asked == [], "the page refuses it without a call to the API"


def test_a_picture_that_is_too_small_is_refused_on_the_form(send: Send, picture: MakePicture) -> None:
    answer = send(picture(16, 16))
    assert answer.status_code == 422
    assert "at least 32" in answer.text


def test_a_body_over_the_limit_is_refused_on_the_form(api: LoopbackApi, send: Send) -> None:
    answer = send(b"\xff\xd8\xff" + bytes(20_000_000))
    assert answer.status_code == 413
    assert "At most 20 MB" in answer.text
    assert 'enctype="multipart/form-data"' in answer.text
    assert api.asked == []


def test_a_form_of_another_site_is_refused(
    api: LoopbackApi, page: FlaskClient, send: Send, picture: MakePicture
) -> None:
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
def test_a_refusal_of_the_api_is_shown_on_the_form(
    send: Send, answer_with: AnswerWith, picture: MakePicture, error: AnalyzerError
) -> None:
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
def test_a_busy_api_says_when_to_try_again(
    send: Send, answer_with: AnswerWith, picture: MakePicture, error: AnalyzerError, given: str, answered: str
) -> None:
    answer_with(error, headers={"Retry-After": given})
    answer = send(picture())
    assert answer.status_code == error.status
    assert answer.headers["Retry-After"] == answered
    assert f"try again in {answered} seconds" in answer.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_a_fault_of_the_page_is_not_shown_to_the_person(
    send: Send, answer_with: AnswerWith, picture: MakePicture, status: int
) -> None:
    problem = Problem(type="t", title="Internal", status=status, detail="arn:aws:secret", code="c", request_id="r")
    answer_with(problem, status=status)
    answer = send(picture())
    assert answer.status_code == 502
    assert "arn:aws" not in answer.text
    assert "cannot answer at the moment" in answer.text


def test_an_api_that_is_down_or_answers_invalidly_is_an_apology(
    api: LoopbackApi, send: Send, answer_with: AnswerWith, picture: MakePicture
) -> None:
    answer_with(b"<html>")
    assert send(picture()).status_code == 502
    api.stop()
    answer = send(picture())
    assert answer.status_code == 502
    assert "cannot answer at the moment" in answer.text
    assert "Traceback" not in answer.text


def test_an_api_that_takes_too_long_is_a_timeout(
    api: LoopbackApi, send: Send, answer: type[Answer], picture: MakePicture
) -> None:
    api.answers = [answer(delay_s=3)]
    assert send(picture()).status_code == 504


def test_a_page_with_a_busy_decoder_says_when_to_try_again(api: LoopbackApi, picture: MakePicture) -> None:
    tokens, decoder = CsrfTokens("k" * 32), PictureDecoder(longest_queue_s=0.01)
    app = Flask("webapp.app")
    app.jinja_env.globals["display"] = display_text
    app.register_blueprint(create_pages(ClassifyClient(api.url, "none", timeout_s=1), tokens, decoder, 1_000_000))
    form = {"token": tokens.make(), "image": (io.BytesIO(picture()), "a.jpg")}
    decoder.start_preview(picture(2600, 1900, kind="PNG", noise=True))
    answer = app.test_client().post("/", data=form)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert api.asked == []


def test_hostile_text_is_shown_as_text(
    send: Send, prediction: MakePrediction, answer_with: AnswerWith, picture: MakePicture
) -> None:
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
            image=Picture(width=1, height=1, square=Square(left=0, top=0, side=1), quality=[finding]),
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


def test_the_file_name_is_not_repeated(send: Send, picture: MakePicture) -> None:
    assert "my-left-arm" not in send(picture(), filename="my-left-arm.jpg").text


def test_the_model_is_described_with_its_intervals_limits_and_licence(
    page: FlaskClient, model: ModelDescription, answer_with: AnswerWith
) -> None:
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


def test_a_model_that_cannot_be_described_is_an_error_page(page: FlaskClient, answer_with: AnswerWith) -> None:
    answer_with(ModelUnavailableError("No model is served yet."), headers={"Retry-After": "30"})
    answer = page.get("/model")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "No model is served yet." in answer.text


def test_the_health_of_the_page_does_not_depend_on_the_api(api: LoopbackApi, page: FlaskClient) -> None:
    api.stop()
    answer = page.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert api.asked == []
