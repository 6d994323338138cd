"""Opens ONNX files with ONNX Runtime, without its telemetry. No other file imports ONNX Runtime."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Final

TELEMETRY_OFF: Final = ("ORT_DISABLE_TELEMETRY", "1")  # variable and value


def disable_telemetry() -> None:
    """Turn off the telemetry of ONNX Runtime in this process and in the processes that it starts.

    On Linux, ONNX Runtime 1.32 reads the variable once, when it is imported. Without it, it writes `deviceid` and
    `onnxruntime.db` to ~/.cache/Microsoft and sends events to mobile.events.data.microsoft.com. The user's own value
    is replaced, because the project promises that it sends nothing: docs/decisions/telemetry.md.
    """
    name, value = TELEMETRY_OFF
    if os.environ.get(name) != value:  # a change is not safe while another thread resolves a name
        os.environ[name] = value


def import_onnxruntime(module: str = "onnxruntime") -> Any:
    """Import ONNX Runtime, or one of its modules, without its telemetry."""
    disable_telemetry()
    return import_module(module)


def open_session(model: Path | bytes, **options: Any) -> Any:
    """Open a model on the CPU.

    Args:
        model: an ONNX file, or its bytes.
        options: attributes of `onnxruntime.SessionOptions`, such as intra_op_num_threads.

    Returns:
        an `onnxruntime.InferenceSession`.

    Raises:
        Exception: the model cannot be opened; the exception classes of ONNX Runtime have no public base class.
    """
    onnxruntime = import_onnxruntime()
    session_options = onnxruntime.SessionOptions()
    for name, value in options.items():
        setattr(session_options, name, value)
    return onnxruntime.InferenceSession(model, session_options, providers=["CPUExecutionProvider"])
