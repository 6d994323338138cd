"""Augmentation: shows the same lesion as other pictures would show it, with the same class."""

from typing import Any, Final, Literal

import keras

from training.fitting.inputs.augmentation.border import RandomBorder
from training.fitting.inputs.augmentation.camera import RandomCamera
from training.fitting.inputs.augmentation.changes import PLACE
from training.fitting.inputs.augmentation.detail import RandomDetail
from training.fitting.inputs.augmentation.jpeg import RandomJpeg
from training.fitting.inputs.augmentation.light import RandomLight
from training.fitting.inputs.augmentation.marks import RandomHairs, RandomInk, RandomRuler
from training.fitting.inputs.augmentation.place import RandomPlace
from training.fitting.inputs.augmentation.random_layer import RandomLayer

# In the order in which they happen: on the skin, in the dermoscope, in the lens, in the camera, in the file.
_PHOTOGRAPHIC: Final = (
    RandomHairs, RandomInk, RandomRuler, RandomBorder, RandomDetail, RandomLight, RandomCamera, RandomJpeg,
)  # fmt: skip


def build_augmentation(seed: int, kind: Literal["basic", "full"]) -> keras.layers.Layer:
    """Build the layers that augment each picture at random in training, and change nothing outside training.

    They are part of the training model, so they run on the device. They compute in float32 whatever the precision of
    the backbone. The input is RGB in 0..255, shape (N, size, size, 3), and the output is float32.

    Args:
        seed: of all layers.
        kind: "basic" moves pictures and changes their light a little. "full" also makes all changes of `CHANGES`.
    """
    if kind == "basic":
        return _sequence([RandomPlace(seed), RandomLight(seed + 1)])
    zoom = PLACE.ranges["part of the side that is shown"]
    return _sequence([RandomPlace(seed, zoom), *photographic_layers(seed + 1)])


def photographic_layers(seed: int) -> list[RandomLayer]:
    """Build the layers of full augmentation that leave the lesion in its place."""
    return [layer(seed + number) for number, layer in enumerate(_PHOTOGRAPHIC)]


def _sequence(layers: list[Any]) -> keras.layers.Layer:
    to_float = keras.layers.Rescaling(1.0, dtype="float32")
    return keras.Sequential([to_float, *layers], name="augmentation")
