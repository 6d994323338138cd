"""An AWS that answers over HTTP on this machine alone, by moto."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def loopback_aws() -> Iterator[str]:
    """Start it, give its URL, and stop it in the end; what it was told it keeps until then."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
