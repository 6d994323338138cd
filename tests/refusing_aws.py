"""An AWS that answers every call with the same error. moto cannot do that."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


@contextmanager
def refusing_aws(code: str, message: str, status: int = 400) -> Iterator[str]:
    """Start the server, yield its URL, and stop it at the end. Its errors have the form of AWS's JSON protocol."""

    @Request.application
    def refuse(_: Request) -> Response:
        body = json.dumps({"__type": code, "message": message})
        return Response(body, status, content_type="application/x-amz-json-1.1")

    server = make_server("127.0.0.1", 0, refuse, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
