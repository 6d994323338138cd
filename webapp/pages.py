"""What the page answers: the form, what the model made of a picture, what serves, and every refusal."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Flask, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, SecurityError

from contract.api import Prediction
from contract.errors import AnalyzerError, PayloadTooLargeError
from contract.image import CONTENT_TYPES
from contract.labels import DISCLAIMER
from webapp.access_log import note
from webapp.class_map import draw_class_map
from webapp.classify_client import ClassifyClient
from webapp.errors import ClassifyError, ClassifyProblemError, NoPictureChosenError
from webapp.form_token import FormTokens
from webapp.pictures import PictureDesk, Preview, data_url
from webapp.wording import outcome_text

# What the API may say of a picture or of itself that a person can act upon. Any other problem of its, such as a bad
# request or a missing permission, is the page's own fault and shown as "cannot be answered now".
SHOWN_STATUSES: Final = (413, 415, 422, 429, 503)

_SENTENCES: Final = {
    400: "The request cannot be understood.",
    403: "This is not open to you.",
    404: "There is no such page here.",
    405: "This page cannot be asked in that way.",
    500: "Something went wrong on our side. It has been noted; please try again.",
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there is no result, for a person, and how it is said over HTTP."""

    status: int
    title: str
    detail: str
    retry_after_s: int | None = None


def create_pages(client: ClassifyClient, tokens: FormTokens, desk: PictureDesk, max_upload_bytes: int) -> Blueprint:
    """Build the routes that people open.

    Args:
        client: asks the API.
        tokens: makes and checks what ties a form to this page.
        desk: opens the uploaded pictures.
        max_upload_bytes: what the app lets through, for the form to say.
    """
    pages = Blueprint("pages", __name__)

    def form(refusal: Refusal | None = None) -> Response:
        page = render_template(
            "form.html",
            token=tokens.make(),
            accept=",".join(CONTENT_TYPES),
            max_upload_bytes=max_upload_bytes,
            disclaimer=DISCLAIMER,
            refusal=refusal,
        )
        return _answer(page, refusal)

    @pages.get("/")
    def show_form() -> ResponseReturnValue:
        """Show the form."""
        return form()

    @pages.post("/")
    def classify() -> ResponseReturnValue:
        """Show what the model makes of the picture in the field `image`, or the form again with what is wrong."""
        try:
            sent = request.files.get("image")  # reads the whole form, or raises what is too large
            tokens.check(request.form.get("token", ""), request.headers.get("Sec-Fetch-Site"))
            encoded = sent.read() if sent else b""
            if not encoded:
                raise NoPictureChosenError("Please choose a picture first, then press the button.")
            sendable = desk.admit(encoded)
            preview_drawn = desk.begin_preview(sendable)  # while the API thinks
            prediction = client.predict(sendable)
            preview = preview_drawn()
        except RequestEntityTooLarge:
            limit_mb = max_upload_bytes / 1_000_000
            too_large = PayloadTooLargeError(f"At most {limit_mb:g} MB are taken. Please send a smaller picture.")
            return form(_refusal_of(too_large))
        except AnalyzerError as error:
            return form(_refusal_of(error))
        note(prediction_id=prediction.prediction_id, model_version=prediction.model_version)
        return _result(prediction, preview)

    @pages.get("/model")
    def show_model() -> ResponseReturnValue:
        """Show what serves: version, measurements, limits, licence."""
        try:
            model = client.describe_model()
        except ClassifyError as error:
            return _refuse(_refusal_of(error))
        return render_template("model.html", model=model)

    @pages.get("/healthz")
    def health() -> ResponseReturnValue:
        """Say that the page is alive; whether the API is, is for the API to say."""
        return {"status": "ok"}

    @pages.before_app_request
    def answer_health_checks_to_any_host() -> ResponseReturnValue | None:
        """A load balancer's health check names the container's address as host, which no list can know."""
        if isinstance(request.routing_exception, SecurityError) and request.path == "/healthz":
            return health()
        return None

    return pages


def add_error_pages(app: Flask) -> None:
    """Give every refusal of Flask's, and what nobody foresaw, the look of the page."""

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None or error.code < 400:
            return error  # a redirect, or an answer that is already made
        status = error.code
        kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        detail = _SENTENCES.get(status, _SENTENCES[400])
        response = _refuse(Refusal(status=status, title=error.name.capitalize(), detail=detail))
        response.headers.update(kept)
        return response

    @app.errorhandler(SecurityError)
    def answer_unknown_host(error: SecurityError) -> ResponseReturnValue:
        """Without a host that can be trusted no address can be built, so there is no page either."""
        del error
        return "This host name is not served here.\n", 400, {"Content-Type": "text/plain; charset=utf-8"}


def _result(prediction: Prediction, preview: Preview) -> Response:
    explanation = prediction.explanation
    class_map = draw_class_map(explanation.grid, preview.width, preview.height) if explanation else None
    page = render_template(
        "result.html",
        prediction=prediction,
        outcome=outcome_text(prediction),
        preview=preview,
        preview_url=data_url("image/jpeg", preview.jpeg),
        class_map_url=data_url("image/png", class_map) if class_map else None,
    )
    return _answer(page)


def _refuse(refusal: Refusal) -> Response:
    return _answer(render_template("error.html", refusal=refusal), refusal)


def _answer(page: str, refusal: Refusal | None = None) -> Response:
    response = make_response(page)
    if refusal:
        response.status_code = refusal.status
        if refusal.retry_after_s is not None:
            response.headers["Retry-After"] = str(refusal.retry_after_s)
    return response


def _refusal_of(error: AnalyzerError) -> Refusal:
    """Tell a person what an error of ours means to them."""
    if not isinstance(error, ClassifyProblemError):
        note(code=error.code)
        return Refusal(status=error.status, title=error.title, detail=str(error), retry_after_s=error.retry_after_s)
    problem = error.problem
    note(code=problem.code)
    if problem.status not in SHOWN_STATUSES:
        return _refusal_of(ClassifyError("The classifier cannot answer at the moment. Please try again later."))
    wait_s = error.wait_s if error.wait_s is not None or problem.status < 429 else 5
    return Refusal(status=problem.status, title=problem.title, detail=problem.detail, retry_after_s=wait_s)
