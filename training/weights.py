"""What the network knows before it starts: ImageNet's weights, a part of them, or nothing."""

import hashlib
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
    """Which stages were loaded whole and which start fresh, if only in part; the head always does."""

    source: str
    loaded: tuple[str, ...]  # stages, bottom to top
    fresh: tuple[str, ...]
    sha256: str | None = None  # of what was loaded
    parts: tuple[str, ...] = ()  # layers that were loaded of stages in `fresh`
    absent: tuple[str, ...] = ()  # the other layers of those stages that the file lacks
    meaningless: tuple[str, ...] = ()  # batch normalization that the file has, but not the kernels it was fitted to

    @property
    def lowest_fresh(self) -> TrainFrom:
        """Where training must reach down to, for nothing fresh to stay frozen."""
        if "conv1" in self.fresh:
            return "all"
        return self.fresh[0]  # type: ignore[return-value]

    def __str__(self) -> str:
        loaded = f"{_list(self.loaded)} loaded from {self.source}; " if self.loaded else ""
        told = f"{loaded}{_list(self.fresh)} start{'s' if len(self.fresh) == 1 else ''} fresh"
        if not self.parts:
            return told
        told += f", but for {_list(self.parts)}, which are loaded too. Not in the file: {_list(self.absent)}"
        if self.meaningless:
            told += f". Batch normalization without its kernel, and so fresh: {_list(self.meaningless)}"
        return told


def load_weights(classifier: Classifier, source: str) -> LoadedWeights:
    """Fill the backbone from "imagenet" (fetched by Keras), "none", or an .npz file's path.

    The file's arrays are named `<layer>/<weight>` as in `keras.applications.ResNet50`; they may be part of it. It is
    taken layer by layer, and batch normalization only with the convolution that it was fitted to. A stage of which
    anything starts fresh learns as a whole from the first phase on.

    Raises:
        TrainingError: the download failed; the file is missing, is no .npz, fits no layer, or has another shape.
    """
    if source == NO_WEIGHTS:
        return LoadedWeights(source=source, loaded=(), fresh=STAGES)
    if source == IMAGENET:
        _copy_imagenet(classifier)
        return LoadedWeights(source=source, loaded=STAGES[:-1], fresh=STAGES[-1:], sha256=_hash(classifier))
    path = Path(source)
    arrays = _read_arrays(path)
    layers = [layer for layer in classifier.backbone.layers if layer.weights]
    present = {layer.name for layer in layers if all(name in arrays for name in _names(layer))}
    loaded = [layer for layer in layers if layer.name in present and _convolution_of(layer.name) in present]
    if not loaded:
        raise TrainingError(
            f"{path} holds no layer of ResNet50 with its kernel: its arrays must be named as in conv1_conv/kernel. "
            "Name another file, or train with weights none."
        )
    for layer in loaded:
        _fill(layer, arrays, path)
    fresh = [layer.name for layer in layers if layer not in loaded]
    fresh_stages = [stage for stage in STAGES if stage == "head" or any(_stage(name) == stage for name in fresh)]
    return LoadedWeights(
        source=path.name,
        loaded=tuple(stage for stage in STAGES if stage not in fresh_stages),
        fresh=tuple(fresh_stages),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        parts=tuple(layer.name for layer in loaded if _stage(layer.name) in fresh_stages),
        absent=tuple(name for name in fresh if name not in present),
        meaningless=tuple(name for name in fresh if name in present),
    )


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


def _fill(layer: keras.layers.Layer, arrays: dict[str, np.ndarray], path: Path) -> None:
    for name, weight in zip(_names(layer), layer.weights, strict=True):
        if arrays[name].shape != tuple(weight.shape):
            raise TrainingError(
                f"{path}: {name} has the shape {arrays[name].shape}, and ResNet50 needs {tuple(weight.shape)}."
            )
    layer.set_weights([arrays[name].astype(np.float32) for name in _names(layer)])


def _names(layer: keras.layers.Layer) -> list[str]:
    return [f"{layer.name}/{weight.name}" for weight in layer.weights]


def _convolution_of(layer_name: str) -> str:
    """Name the convolution before a batch normalization; any other layer is its own."""
    return f"{layer_name.removesuffix('_bn')}_conv" if layer_name.endswith("_bn") else layer_name


def _stage(layer_name: str) -> str:
    return STAGES[stage_of(layer_name)]


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _hash(classifier: Classifier) -> str:
    digest = hashlib.sha256()
    for array in classifier.backbone.get_weights():
        digest.update(array.tobytes())
    return digest.hexdigest()
