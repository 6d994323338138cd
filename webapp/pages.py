"""The routes of the page: the form, the result, the description of the model, and the error pages."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Flask, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, SecurityError

from contract.api import Picture, Prediction, Square
from contract.errors import AnalyzerError
from contract.image import CONTENT_TYPES
from contract.labels import DISCLAIMER
from webapp.access_log import add_to_log
from webapp.classify_client import ClassifyClient
from webapp.csrf import CsrfTokens
from webapp.display_text import outcome_text
from webapp.errors import ClassifyError, ClassifyProblemError
from webapp.heatmap import draw_heatmap
from webapp.pictures import PictureDecoder, Preview, data_url
from webapp.uploads import receive_upload

# Statuses of the API that a person can act on. All others, such as a bad request or a missing permission, are faults of
# this page and are shown as "cannot answer at the moment".
SHOWN_STATUSES: Final = (413, 415, 422, 429, 503)

HEIC_SUFFIXES: Final = (".heic", ".heif")  # browsers other than Safari do not know the content types

_SENTENCES: Final = {
    400: "The request cannot be understood.",
    403: "You have no access to this page.",
    404: "There is no such page here.",
    405: "This page does not allow that method.",
    500: "Something went wrong on our side, and the error has been logged. Please try again.",
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there is no result: the text for a person, and the HTTP status."""

    status: int
    title: str
    detail: str
    retry_after_s: int | None = None


def create_pages(
    client: ClassifyClient, tokens: CsrfTokens, decoder: PictureDecoder, max_upload_bytes: int
) -> Blueprint:
    """Build the routes that people open.

    Args:
        client: calls the API.
        tokens: makes and checks the token of the form.
        decoder: opens the uploaded pictures.
        max_upload_bytes: the limit of the app, which the form states.
    """
    pages = Blueprint("pages", __name__)

    def form(refusal: Refusal | None = None) -> Response:
        page = render_template(
            "form.html",
            token=tokens.make(),
            accept=",".join((*CONTENT_TYPES, *HEIC_SUFFIXES)),
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
        """Show the prediction for the picture in the field `image`, or the form again with an error."""
        try:
            upload = receive_upload(request, max_upload_bytes)
            tokens.check(upload.token, request.headers.get("Sec-Fetch-Site"))
            prepared = decoder.prepare(upload.picture)
            wait_for_preview = decoder.start_preview(prepared)  # at the same time as the prediction
            prediction = client.predict(prepared)
            preview = wait_for_preview()
        except AnalyzerError as error:
            return form(_refusal_of(error))
        add_to_log(prediction_id=prediction.prediction_id, model_version=prediction.model_version)
        return _result(prediction, preview)

    @pages.get("/model")
    def show_model() -> ResponseReturnValue:
        """Describe the model: version, metrics, limits, licence."""
        try:
            model = client.describe_model()
        except ClassifyError as error:
            return _refuse(_refusal_of(error))
        return render_template("model.html", model=model)

    @pages.get("/healthz")
    def health() -> ResponseReturnValue:
        """Answer health checks of the page; the API has its own."""
        return {"status": "ok"}

    @pages.before_app_request
    def answer_health_checks_to_any_host() -> ResponseReturnValue | None:
        """A load balancer's health check sends the container's address as host, which no list of hosts can contain."""
        if isinstance(request.routing_exception, SecurityError) and request.path == "/healthz":
            return health()
        return None

    return pages


def add_error_pages(app: Flask) -> None:
    """Show every HTTP error in the design of the page, also the 500 of an unexpected exception."""

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None or error.code < 400:
            return error  # a redirect, or a complete answer
        status = error.code
        kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        detail = _SENTENCES.get(status, _SENTENCES[400])
        response = _refuse(Refusal(status=status, title=error.name.capitalize(), detail=detail))
        response.headers.update(kept)
        return response

    @app.errorhandler(SecurityError)
    def answer_unknown_host(error: SecurityError) -> ResponseReturnValue:
        """Answer in plain text: without a trusted host the page's links cannot be built."""
        del error
        return "This host name is not served here.\n", 400, {"Content-Type": "text/plain; charset=utf-8"}


def _result(prediction: Prediction, preview: Preview) -> Response:
    explanation = prediction.explanation
    square = _shown_square(prediction.image, preview)
    heatmap = draw_heatmap(explanation.grid, square, preview.width, preview.height) if explanation else None
    page = render_template(
        "result.html",
        prediction=prediction,
        outcome=outcome_text(prediction),
        preview=preview,
        preview_url=data_url("image/jpeg", preview.jpeg),
        heatmap_url=data_url("image/png", heatmap) if heatmap else None,
        sees_everything=square.side == preview.width == preview.height,
    )
    return _answer(page)


def _shown_square(picture: Picture, preview: Preview) -> Square:
    """Convert the square that the model sees to pixels of the preview."""
    seen, scale = picture.square, preview.width / picture.width
    return Square.inside(
        seen.left * scale, seen.top * scale, seen.side * scale, width=preview.width, height=preview.height
    )


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
    """Translate an error for the person."""
    if not isinstance(error, ClassifyProblemError):
        add_to_log(code=error.code)
        return Refusal(status=error.status, title=error.title, detail=str(error), retry_after_s=error.retry_after_s)
    problem = error.problem
    add_to_log(code=problem.code)
    if problem.status not in SHOWN_STATUSES:
        return _refusal_of(ClassifyError("The classifier cannot answer at the moment. Please try again later."))
    wait_s = error.wait_s if error.wait_s is not None or problem.status < 429 else 5
    return Refusal(status=problem.status, title=problem.title, detail=problem.detail, retry_after_s=wait_s)
