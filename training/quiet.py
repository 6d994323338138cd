"""Loads what trains without the many lines that it says of itself."""

import os
from pathlib import Path


def quiet_tensorflow() -> None:
    """Load Keras and its backend without the lines about itself that TensorFlow writes to standard error.

    Some are written before its log level can be set, by C++, so the file descriptor looks away while it loads.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    terminal = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
