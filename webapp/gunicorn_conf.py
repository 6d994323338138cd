"""How gunicorn runs the page in its container: `gunicorn --config python:webapp.gunicorn_conf`.

Each value can be overridden through GUNICORN_CMD_ARGS, and `workers` through WEB_CONCURRENCY, which gunicorn reads.
"""

bind = "0.0.0.0:8080"  # all addresses of the container, which has a network of its own
preload_app = True  # a setting that cannot be used stops gunicorn at once, with a sentence and status 1
worker_class = "gthread"
threads = 16  # most of a request is waiting for the API
timeout = 90  # seconds; longer than the longest CLASSIFY_TIMEOUT_S and the wait for a place at the decoder
graceful_timeout = 30  # seconds in which a stopping container may finish its answers
keepalive = 75  # seconds; longer than a load balancer's idle 60, which would else meet a closing connection
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn's heartbeat file: in memory, where no disk can stall it
control_socket_disable = True  # nobody controls it from inside its container, where nothing can be written
accesslog = None  # webapp.access_log writes one, without addresses

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "webapp.access_log.JsonFormatter"}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
        "botocore": {"level": "WARNING"},
    },
}
