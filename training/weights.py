"""What the network knows before it starts: ImageNet's weights, a part of them, or nothing."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from contract.errors import TrainingError
from training.config import IMAGENET, NO_WEIGHTS, TrainFrom
from training.model import STAGES, Classifier, stage_of


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """Which stages of the backbone were loaded and which start fresh; the head always does."""

    source: str
    loaded: tuple[str, ...]  # stages, bottom to top
    fresh: tuple[str, ...]

    @property
    def lowest_fresh(self) -> TrainFrom:
        """Where training must reach down to, for nothing fresh to stay frozen."""
        if "conv1" in self.fresh:
            return "all"
        return self.fresh[0]  # type: ignore[return-value]

    def __str__(self) -> str:
        loaded = f"{self._span(self.loaded)} loaded from {self.source}; " if self.loaded else ""
        return f"{loaded}{self._span(self.fresh)} start{'s' if len(self.fresh) == 1 else ''} fresh"

    @staticmethod
    def _span(stages: tuple[str, ...]) -> str:
        return stages[0] if len(stages) == 1 else f"{', '.join(stages[:-1])} and {stages[-1]}"


def load_weights(classifier: Classifier, source: str) -> LoadedWeights:
    """Fill the backbone from "imagenet" (fetched by Keras), "none", or an .npz file's path.

    The file's arrays are named `<layer>/<weight>` as in `keras.applications.ResNet50`; they may be part of it.
    A stage is taken whole or not at all: batch normalization means nothing without the kernels it was fitted to.

    Raises:
        TrainingError: the download failed; the file is missing, is no .npz, fits no stage, or has another shape.
    """
    if source == NO_WEIGHTS:
        return LoadedWeights(source=source, loaded=(), fresh=STAGES)
    if source == IMAGENET:
        _copy_imagenet(classifier)
        return LoadedWeights(source=source, loaded=STAGES[:-1], fresh=STAGES[-1:])
    path = Path(source)
    arrays = _read_arrays(path)
    loaded = tuple(stage for stage in STAGES[:-1] if _load_stage(classifier, stage, arrays, path))
    if not loaded:
        raise TrainingError(
            f"{path} holds no whole stage of ResNet50: its arrays must be named as in conv1_conv/kernel. "
            "Name another file, or train with weights none."
        )
    return LoadedWeights(source=path.name, loaded=loaded, fresh=tuple(s for s in STAGES if s not in loaded))


def _copy_imagenet(classifier: Classifier) -> None:
    try:
        published = keras.applications.ResNet50(include_top=False, weights=IMAGENET)
    except Exception as error:  # Keras raises a bare Exception when it cannot fetch, and ValueError on a wrong hash
        raise TrainingError(
            "Keras could not fetch the ImageNet weights of ResNet50: check the network, or name an .npz file of "
            f"weights, or train with weights none. ({error})"
        ) from error
    classifier.backbone.set_weights(published.get_weights())


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here, since numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError as error:
        raise TrainingError(f"There is no file of weights at {path}.") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} is not an .npz file of weights that can be read.") from error


def _load_stage(classifier: Classifier, stage: str, arrays: dict[str, np.ndarray], path: Path) -> bool:
    """Fill one stage if the file has all of it."""
    layers = [layer for layer in classifier.backbone.layers if STAGES[stage_of(layer.name)] == stage and layer.weights]
    names = {layer: [f"{layer.name}/{weight.name}" for weight in layer.weights] for layer in layers}
    if any(name not in arrays for of_layer in names.values() for name in of_layer):
        return False
    for layer, of_layer in names.items():
        for name, weight in zip(of_layer, layer.weights, strict=True):
            if arrays[name].shape != tuple(weight.shape):
                raise TrainingError(
                    f"{path}: {name} has the shape {arrays[name].shape}, and ResNet50 needs {tuple(weight.shape)}."
                )
        layer.set_weights([arrays[name].astype(np.float32) for name in of_layer])
    return True
