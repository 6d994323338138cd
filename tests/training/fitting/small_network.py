"""A network with the stages of the real one but few layers, for tests of training."""

import keras

from contract.labels import CODES
from training.model import Classifier

SIZE = 32  # pixels
CHANNELS = 8
STAGE_OUTPUTS = ("pool1_pool", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out")


def build_small_network(seed: int) -> Classifier:
    """Build it with random weights. Each stage has a convolution, batch normalization and a ReLU."""
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((SIZE, SIZE, 3))
    features = pixels
    for number, output in enumerate(STAGE_OUTPUTS, 1):
        features = keras.layers.Conv2D(CHANNELS, 3, strides=2, padding="same", name=f"conv{number}_conv")(features)
        features = keras.layers.BatchNormalization(name=f"conv{number}_bn")(features)
        features = keras.layers.ReLU(name=output)(features)
    head = keras.layers.Conv2D(len(CODES), 1, name="head")
    head.build((None, 1, 1, CHANNELS))
    return Classifier(SIZE, keras.Model(pixels, features, name="backbone"), head)
