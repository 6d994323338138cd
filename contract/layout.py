"""The names of a bundle's files. A room of its own, so that they can be fetched before pydantic is there."""

from typing import Final

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"  # the file that serves
MODEL_FP32: Final = "model.fp32.onnx"
REFERENCE: Final = "reference.npz"  # what the training data looked like
