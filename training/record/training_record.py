"""The record of a run in the manifest: its pictures, package versions, devices, memory and speed."""

import importlib
import os
import platform
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version as version_of_package
from typing import Final

import keras

from contract.bundle import DataRecord, PhaseSpeed, TrainingRecord
from training.fit_model import FittedModel
from training.fitting.speed import Speed
from training.record.commit import find_commit
from training.split_dataset import SplitDataset

RECORDED_VERSIONS: Final = ("keras", "numpy", "onnx", "onnxruntime", "pillow", "tf2onnx")


def describe_data(data: SplitDataset) -> DataRecord:
    """Describe the labelled pictures of a run, and their split."""
    return DataRecord(
        name=data.dataset.name,
        sha256=data.dataset.sha256,
        images=len(data.dataset.rows),
        lesions=data.dataset.lesions,
        per_class=data.dataset.per_class,
        split_seed=data.split.seed,
        split_sha256=data.split.sha256,
    )


def describe_training(fitted: FittedModel, *, job: str, seconds: float) -> TrainingRecord:
    """Describe a run that has just ended.

    Args:
        fitted: its result.
        job: its name.
        seconds: its duration so far.
    """
    result = fitted.fit
    return TrainingRecord(
        job=job,
        git_commit=find_commit(),
        config={**asdict(fitted.config), "weights": fitted.loaded.source},
        versions=_find_versions(),
        backend=keras.backend.backend(),
        device=_name_device(),
        seconds=seconds,
        weights_sha256=fitted.loaded.sha256,
        prior_correction=fitted.correction.prior_correction,
        precision=fitted.precision,
        epochs=len(result.epochs),
        epochs_s=sum(epoch.seconds for epoch in result.epochs),
        times_resumed=result.times_resumed,
        speed=_describe_speeds(result.speeds),
        peak_memory_mb=peak_memory_mb(),
    )


def _find_versions() -> dict[str, str]:
    """Find the versions of Python, of the backend, and of the packages that train and export."""
    versions = {name: version_of_package(name) for name in RECORDED_VERSIONS}
    backend = importlib.import_module(keras.backend.backend())  # already imported by Keras
    versions[backend.__name__] = backend.__version__
    return {"python": platform.python_version(), **versions}


def _name_device() -> str:
    """Name the accelerators, or else the CPU."""
    accelerators = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    return ", ".join(accelerators) or f"{os.cpu_count()} CPU cores ({platform.machine()})"


def peak_memory_mb() -> float:
    """Return the peak memory of this process so far, in MB, including the resident pages of files mapped from disk."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else 1024 * peak) / 1e6  # macOS counts bytes, Linux KiB


def _describe_speeds(speeds: Mapping[str, Speed]) -> dict[str, PhaseSpeed]:
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
