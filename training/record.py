"""What is written down about a run: the packages and the devices that it came from."""

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
    """Name the versions of Python, of what trains, and of what exports."""
    versions = {name: version_of_package(name) for name in RECORDED_VERSIONS}
    backend = importlib.import_module(keras.backend.backend())  # which Keras has loaded already
    versions[backend.__name__] = backend.__version__
    return {"python": platform.python_version(), **versions}


def name_device() -> str:
    """Name what trained: the accelerators, or the CPU."""
    accelerators = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    return ", ".join(accelerators) or f"{os.cpu_count()} CPU cores ({platform.machine()})"


def peak_memory_mb() -> float:
    """Tell the most memory that this process has had so far, in MB: with what it mapped from disk and was in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else 1024 * peak) / 1e6  # macOS counts bytes, Linux KiB


def describe_speeds(speeds: Mapping[str, Speed]) -> dict[str, PhaseSpeed]:
    """Say of each phase how fast it went, and whether it waited for its data."""
    return {
        phase: PhaseSpeed(
            images_per_s=speed.images_per_s,
            step_ms=1000 * speed.step_s,
            feed_images_per_s=speed.feed_images_per_s,
            waiting_share=speed.waiting_share,
        )
        for phase, speed in speeds.items()
    }
