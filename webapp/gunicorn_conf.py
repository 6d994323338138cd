"""How gunicorn runs the page in its container: `gunicorn --config python:webapp.gunicorn_conf`.

Each value can be overridden through GUNICORN_CMD_ARGS, and `workers` through WEB_CONCURRENCY, which gunicorn reads.
"""

bind = "0.0.0.0:8080"  # all addresses of the container, which has its own network
preload_app = True  # an unusable setting stops gunicorn at once, with a sentence and status 1
worker_class = "gthread"
threads = 16  # a request mostly waits for the API
timeout = 90  # seconds; longer than the longest CLASSIFY_TIMEOUT_S plus the wait for the decoder
graceful_timeout = 30  # seconds that a stopping container has to finish its answers
keepalive = 75  # seconds; longer than a load balancer's 60, so that it never uses a connection that is just closing
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat file: in memory, where a slow disk cannot delay it
control_socket_disable = True  # not used, and the container's file system is read-only
accesslog = None  # webapp.access_log writes one, without client addresses

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "webapp.access_log.PageFormatter"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
        "botocore": {"level": "WARNING"},
    },
}
