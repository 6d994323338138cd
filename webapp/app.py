"""Builds the page; `gunicorn 'webapp.app:create_app()'` serves it."""

import io
from typing import IO

from flask import Flask, Request

from webapp import wording
from webapp.access_log import log_requests
from webapp.classify_client import ClassifyClient
from webapp.form_token import FormTokens
from webapp.pages import add_error_pages, create_pages
from webapp.pictures import PictureDesk
from webapp.security import add_security_headers
from webapp.settings import Settings


class DisklessRequest(Request):
    """A request whose uploads stay in memory: no picture is ever written anywhere, a temporary file included."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        return io.BytesIO()  # bounded by MAX_CONTENT_LENGTH


class Page(Flask):
    """Flask with requests that leave nothing on the disk."""

    request_class = DisklessRequest


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app; tests pass their own settings, the container none.

    There is no ProxyFix: the page builds relative addresses, sets no cookie and logs no client's address, so nothing
    that a proxy could say of a request matters to it.

    Raises:
        SettingsError: the environment says something that the page cannot run with.
    """
    settings = settings or Settings.from_env()
    app = Page(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        TRUSTED_HOSTS=list(settings.trusted_hosts) or None,
    )
    app.jinja_env.globals["wording"] = wording
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    client = ClassifyClient(settings.classify_url, settings.classify_auth, settings.classify_timeout_s)
    log_requests(app)
    add_security_headers(app)
    app.register_blueprint(
        create_pages(client, FormTokens(settings.secret_key), PictureDesk(), settings.max_upload_bytes)
    )
    add_error_pages(app)
    return app
