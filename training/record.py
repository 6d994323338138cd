"""What the manifest records about a run: package versions, devices, memory and speed."""

import importlib
import os
import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import version as version_of_package
from typing import Final

import keras

from contract.bundle import PhaseSpeed
from training.fitting.speed import Speed

RECORDED_VERSIONS: Final = ("keras", "numpy", "onnx", "onnxruntime", "pillow", "tf2onnx")


def find_versions() -> dict[str, str]:
    """Find the versions of Python, of the backend, and of the packages that train and export."""
    versions = {name: version_of_package(name) for name in RECORDED_VERSIONS}
    backend = importlib.import_module(keras.backend.backend())  # already imported by Keras
    versions[backend.__name__] = backend.__version__
    return {"python": platform.python_version(), **versions}


def name_device() -> str:
    """Name the accelerators, or else the CPU."""
    accelerators = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    return ", ".join(accelerators) or f"{os.cpu_count()} CPU cores ({platform.machine()})"


def peak_memory_mb() -> float:
    """Return the peak memory of this process so far, in MB, including the resident pages of files mapped from disk."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else 1024 * peak) / 1e6  # macOS counts bytes, Linux KiB


def describe_speeds(speeds: Mapping[str, Speed]) -> dict[str, PhaseSpeed]:
    """Convert the speed of each phase for the manifest."""
    return {
        phase: PhaseSpeed(
            images_per_s=speed.images_per_s,
            step_ms=1000 * speed.step_s,
            feed_images_per_s=speed.feed_images_per_s,
            waiting_share=speed.waiting_share,
        )
        for phase, speed in speeds.items()
    }
