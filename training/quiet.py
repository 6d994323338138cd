"""Imports Keras and TensorFlow without the lines that TensorFlow prints at its start."""

import os
from pathlib import Path


def quiet_tensorflow() -> None:
    """Import Keras and its backend, and hide the lines that TensorFlow writes to standard error during the import.

    Its C++ code writes some lines before its log level can be set, so the file descriptor itself is redirected.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as null:
            os.dup2(null.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
