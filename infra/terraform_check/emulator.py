"""An emulated AWS for Terraform's provider: moto, on a free port of the loopback interface."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def loopback_aws() -> Iterator[str]:
    """Start an empty account, yield its URL, and stop it at the end."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it logs a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()
