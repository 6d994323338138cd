"""The file names of a bundle, in a module of their own: the function fetches the files before it imports pydantic."""

from typing import Final

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"  # the file that serves
MODEL_FP32: Final = "model.fp32.onnx"
REFERENCE: Final = "reference.npz"  # embeddings of the training pictures
