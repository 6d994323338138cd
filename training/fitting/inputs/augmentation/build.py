"""Augmentation: shows the same lesion moved, turned, mirrored and in other light, all of which keep its class."""

import keras

from training.fitting.inputs.augmentation.light import RandomLight
from training.fitting.inputs.augmentation.place import RandomPlace


def build_augmentation(seed: int) -> keras.layers.Layer:
    """Build the layers that augment each picture at random in training, and change nothing outside training.

    They are part of the training model, so they run on the device. They compute in float32 whatever the precision of
    the backbone. The input is RGB in 0..255, shape (N, size, size, 3), and the output is float32.
    """
    return keras.Sequential(
        [
            keras.layers.Rescaling(1.0, dtype="float32"),  # uint8 to float32
            RandomPlace(seed),
            RandomLight(seed + 1),
        ],
        name="augmentation",
    )
