"""An AWS that answers over HTTP on this machine: moto."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def loopback_aws() -> Iterator[str]:
    """Start the server, yield its URL, and stop it at the end. It keeps its state until then."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
