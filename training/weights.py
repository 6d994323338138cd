"""The weights that a network starts from: ImageNet's, those of a file, or random ones."""

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
    """Which stages were loaded completely, and which start fresh, at least in part. The head always starts fresh."""

    source: str
    loaded: tuple[str, ...]  # stages, bottom to top
    fresh: tuple[str, ...]
    sha256: str | None = None  # of the loaded weights
    parts: tuple[str, ...] = ()  # loaded layers of stages in `fresh`
    absent: tuple[str, ...] = ()  # layers of those stages that the file lacks
    without_kernel: tuple[str, ...] = ()  # batch normalization in the file whose convolution is not in the file

    @property
    def lowest_fresh(self) -> TrainFrom:
        """The lowest stage that must be trained, so that no stage with fresh weights stays frozen."""
        if "conv1" in self.fresh:
            return "all"
        return self.fresh[0]  # type: ignore[return-value]

    def __str__(self) -> str:
        loaded = f"{_list(self.loaded)} loaded from {self.source}; " if self.loaded else ""
        text = f"{loaded}{_list(self.fresh)} start{'s' if len(self.fresh) == 1 else ''} fresh"
        if not self.parts:
            return text
        text += f", except {_list(self.parts)}, which are loaded too. Not in the file: {_list(self.absent)}"
        if self.without_kernel:
            text += f". Fresh, because the file lacks the kernel before it: {_list(self.without_kernel)}"
        return text


def load_weights(classifier: Classifier, source: str) -> LoadedWeights:
    """Load weights into the backbone from "imagenet" (downloaded by Keras), "none", or the path of an .npz file.

    The file's arrays are named `<layer>/<weight>` as in `keras.applications.ResNet50`. They may be a part of the
    network. Layers are loaded one by one, and batch normalization only together with the convolution before it. If any
    layer of a stage starts fresh, the whole stage is trained from the first phase on.

    Raises:
        TrainingError: the download failed, or the file is missing, is no .npz, fits no layer, or has another shape.
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
        without_kernel=tuple(name for name in fresh if name in present),
    )


def _copy_imagenet(classifier: Classifier) -> None:
    try:
        published = keras.applications.ResNet50(include_top=False, weights=IMAGENET)
    except Exception as error:  # Keras raises Exception when it cannot download, and ValueError for a wrong hash
        raise TrainingError(
            "Keras could not download the ImageNet weights of ResNet50: check the network, or name an .npz file of "
            f"weights, or train with weights none. ({error})"
        ) from error
    classifier.backbone.set_weights(published.get_weights())


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here, because numpy does not close a file that turns out not to be an archive.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError as error:
        raise TrainingError(f"There is no file of weights at {path}.") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path} is not a readable .npz file of weights.") from error


def _fill(layer: keras.layers.Layer, arrays: dict[str, np.ndarray], path: Path) -> None:
    for name, weight in zip(_names(layer), layer.weights, strict=True):
        if arrays[name].shape != tuple(weight.shape):
            raise TrainingError(
                f"{path}: {name} has the shape {arrays[name].shape}, but ResNet50 needs {tuple(weight.shape)}."
            )
    layer.set_weights([arrays[name].astype(np.float32) for name in _names(layer)])


def _names(layer: keras.layers.Layer) -> list[str]:
    return [f"{layer.name}/{weight.name}" for weight in layer.weights]


def _convolution_of(layer_name: str) -> str:
    """Name the convolution before a batch normalization. For any other layer, return its own name."""
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
