"""A LitServe server with the ONNX file: `python -m benchmarks.serving.systems.litserve_app MODEL PORT SIZE`."""

import base64
import io
import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from PIL import Image, ImageOps

from contract.labels import CODES
from contract.onnx_runtime import open_session
from local.processes import HOST


class Classify(litserve.LitAPI):  # type: ignore[misc]
    """https://lightning.ai/docs/litserve: decode, predict, encode."""

    def setup(self, device: str) -> None:  # noqa: ARG002  LitServe passes it
        """Load the model in the worker process."""
        self.size = int(sys.argv[3])
        self.session = open_session(Path(sys.argv[1]), intra_op_num_threads=1)

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        """Decode and resize the picture."""
        picture = Image.open(io.BytesIO(base64.b64decode(request["image"]))).convert("RGB")
        return np.asarray(ImageOps.fit(picture, (self.size, self.size), Image.Resampling.BILINEAR))[np.newaxis]

    def predict(self, pixels: np.ndarray) -> Any:
        """Run the model."""
        return self.session.run(["probabilities"], {"pixels": pixels})[0][0]

    def encode_response(self, probabilities: np.ndarray) -> dict[str, float]:
        """Add the codes of the classes."""
        return {code: float(share) for code, share in zip(CODES, probabilities, strict=True)}


if __name__ == "__main__":
    server = litserve.LitServer(Classify(), accelerator="cpu", workers_per_device=1)
    server.run(host=HOST, port=int(sys.argv[2]), generate_client_file=False, log_level="error")
