"""The Flask application; `gunicorn 'webapp.app:create_app()'` serves it."""

from flask import Flask

from webapp import display_text
from webapp.access_log import log_requests
from webapp.classify_client import ClassifyClient
from webapp.csrf import CsrfTokens
from webapp.pages import add_error_pages, create_pages
from webapp.pictures import PictureDecoder
from webapp.security import add_security_headers
from webapp.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app; tests pass their own settings, the container reads its environment.

    ProxyFix is not needed: the page builds relative addresses, sets no cookie and logs no client address, so it needs
    nothing that a proxy adds to a request.

    Raises:
        SettingsError: the page cannot run with its environment.
    """
    settings = settings or Settings.from_env()
    app = Flask(__name__)
    app.url_map.strict_slashes = False  # /model/ is /model
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload_bytes,
        TRUSTED_HOSTS=list(settings.trusted_hosts) or None,
    )
    app.jinja_env.globals["display"] = display_text
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    client = ClassifyClient(settings.classify_url, settings.classify_auth, settings.classify_timeout_s)
    log_requests(app)
    add_security_headers(app)
    app.register_blueprint(
        create_pages(
            client, CsrfTokens(settings.secret_key.get_secret_value()), PictureDecoder(), settings.max_upload_bytes
        )
    )
    add_error_pages(app)
    return app
