"""The classifier: ResNet50 with a dense head, and the Keras models that training and serving need.

Several models share one set of layers: `below` and `above` a boundary (the frozen and the trained stages),
`full_model`, and `serving` (the model that is exported). They share their weights, so training any of them trains the
network that is exported.
"""

from dataclasses import dataclass
from typing import Any, Final, get_args

import keras
import numpy as np
from keras import ops

from contract.bundle import INPUT_NAME, OUTPUT_NAMES
from contract.labels import CODES
from training.config import TrainFrom

STAGES: Final = ("conv1", "conv2", "conv3", "conv4", "conv5", "head")  # bottom to top
BOUNDARIES: Final[tuple[TrainFrom, ...]] = get_args(TrainFrom)  # where training may begin, bottom to top
EMBEDDING_SIZE: Final = 2048

# Subtracted by `keras.applications.resnet50.preprocess_input`: ImageNet's mean in 0..255, blue first.
IMAGENET_MEAN_BGR: Final = (103.939, 116.779, 123.68)

_INPUT_OF: Final = {  # boundary -> the layer whose output is the input of the stages above it
    "conv2": "pool1_pool",
    "conv3": "conv2_block3_out",
    "conv4": "conv3_block4_out",
    "conv4_block4": "conv4_block3_out",
    "conv5": "conv4_block6_out",
    "head": "conv5_block3_out",
}
_BATCH_NORM_MOMENTUM: Final = 0.9  # Keras's 0.99 replaces the initial statistics too slowly for a few hundred steps


class Preprocessing(keras.layers.Layer):  # type: ignore[misc]
    """From RGB pixels in 0..255 (any dtype) to the input of the ImageNet weights: float32, BGR, mean subtracted.

    It gives the same numbers as `keras.applications.resnet50.preprocess_input`, to the last bit. The channels are
    reversed as the leading axis: copying three planes is cheap, but gathering single bytes took 1 ms for 224 x 224.
    """

    def call(self, pixels: Any) -> Any:
        """Preprocess a batch of shape (N, size, size, 3)."""
        planes = ops.take(ops.transpose(pixels, (0, 3, 1, 2)), (2, 1, 0), axis=1)
        centred = ops.subtract(
            ops.cast(planes, "float32"), ops.reshape(ops.array(IMAGENET_MEAN_BGR, "float32"), (1, 3, 1, 1))
        )
        return ops.transpose(centred, (0, 2, 3, 1))

    def compute_output_spec(self, pixels: Any) -> Any:
        """Return the shape of the input, with float32."""
        return keras.KerasTensor(pixels.shape, dtype="float32")


@dataclass(frozen=True, eq=False)
class Classifier:
    """The layers, and the models made of them.

    The head is a 1 x 1 convolution. On the pooled features it is the dense layer that gives the logits. On the last
    feature map it gives one map for each class. The mean of a map is the logit of its class, because pooling and the
    head are both linear (class activation maps: Zhou et al. 2016, arXiv:1512.04150).
    """

    size: int  # of the input's square, in pixels
    backbone: keras.Model  # preprocessed pixels -> feature map
    head: keras.layers.Conv2D

    @property
    def precision(self) -> str:
        """The Keras dtype policy that the backbone computes in. The head is always in float32."""
        return str(self.backbone.get_layer("conv1_conv").dtype_policy.name)

    def in_float32(self) -> "Classifier":
        """Return the same network computing in float32: itself, or a new one with these weights."""
        if self.precision == "float32":
            return self
        rebuilt = build_classifier(self.size)
        rebuilt.set_weights(self.get_weights())
        return rebuilt

    def get_weights(self) -> list[np.ndarray]:
        """Copy the weights of the backbone and then of the head, in Keras's order."""
        return [*self.backbone.get_weights(), *self.head.get_weights()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Set weights in the order of `get_weights`."""
        of_backbone = len(self.backbone.weights)
        self.backbone.set_weights(weights[:of_backbone])
        self.head.set_weights(weights[of_backbone:])

    def full_model(self) -> keras.Model:
        """Make the model from pixels to logits, shape (N, 7)."""
        pixels = self._pixels()
        return keras.Model(pixels, self.logits_of(pixels), name="full_model")

    def below(self, boundary: TrainFrom) -> keras.Model:
        """Make the model from pixels to the input of `boundary`, which may not be "all"."""
        lower = keras.Model(self.backbone.input, self.backbone.get_layer(_INPUT_OF[boundary]).output)
        pixels = self._pixels()
        return keras.Model(pixels, lower(Preprocessing(dtype="float32")(pixels)), name=f"below_{boundary}")

    def above(self, boundary: TrainFrom) -> keras.Model:
        """Make the model from the input of `boundary` (which may not be "all") to logits, shape (N, 7)."""
        features = keras.Input(self.backbone.get_layer(_INPUT_OF[boundary]).output.shape[1:], dtype="float32")
        return keras.Model(features, self.logits_of(features, boundary), name=f"above_{boundary}")

    def logits_of(self, inputs: Any, boundary: TrainFrom = "all") -> Any:
        """Apply the network to a symbolic tensor: pixels (RGB in 0..255, any dtype), or the input of `boundary`."""
        if boundary == "all":
            return self._logits(self.backbone(Preprocessing(dtype="float32")(inputs)))
        if boundary == "head":
            return self._logits(inputs)
        return self._logits(
            keras.Model(self.backbone.get_layer(_INPUT_OF[boundary]).output, self.backbone.output)(inputs)
        )

    def serving(self, temperature: float) -> keras.Model:
        """Make the model that is exported: the input and the outputs of `contract.bundle`, with the temperature."""
        pixels = self._pixels()
        features = self.backbone(Preprocessing(dtype="float32")(pixels))
        probabilities = keras.layers.Softmax(name=OUTPUT_NAMES[0])(self._logits(features) / temperature)
        class_map = keras.layers.Permute((3, 1, 2), name=OUTPUT_NAMES[1])(self.head(features))
        embedding = keras.layers.GlobalAveragePooling2D(name=OUTPUT_NAMES[2])(features)
        return keras.Model(pixels, [probabilities, class_map, embedding], name="serving")

    def shift_logits(self, shift: np.ndarray) -> None:
        """Add `shift`, of shape (7,), to the logits permanently: to the bias of the head."""
        self.head.bias.assign_add(shift.astype(np.float32))

    def freeze_below(self, boundary: TrainFrom) -> None:
        """Make the stages from `boundary` upwards trainable, and freeze those below, with their batch normalization."""
        trainable = boundary == "all"
        for layer in self.backbone.layers:  # in topological order
            layer.trainable = trainable
            trainable = trainable or layer.name == _INPUT_OF[boundary]

    def _pixels(self) -> Any:
        return keras.Input((self.size, self.size, 3), dtype="uint8", name=INPUT_NAME)

    def _logits(self, features: Any) -> Any:
        pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(features)
        return keras.layers.Flatten()(self.head(pooled))


def build_classifier(size: int, precision: str = "float32") -> Classifier:
    """Build the network with random weights, for pictures of size x size pixels.

    `precision` is the Keras dtype policy that the backbone computes in. Its weights are float32 in any case.

    The last batch normalization of each block starts at zero, so at first each block passes its input on, and training
    starts with a shallower network (Goyal et al. 2017, arXiv:1706.02677, section 5.1). Loaded weights replace this.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)  # keras.applications has no such argument
    try:
        backbone = keras.applications.ResNet50(
            include_top=False, weights=None, input_shape=(size, size, 3), name="backbone"
        )
    finally:
        keras.config.set_dtype_policy(policy)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _BATCH_NORM_MOMENTUM
            if layer.name.endswith("_3_bn"):
                layer.gamma.assign(ops.zeros(layer.gamma.shape))
    head = keras.layers.Conv2D(
        len(CODES), 1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01), name="head"
    )
    head.build((None, 1, 1, EMBEDDING_SIZE))
    return Classifier(size, backbone, head)


def stage_of(layer_name: str) -> int:
    """Return the index in `STAGES` of a backbone layer's stage. The input and the stem belong to the first."""
    return next((index for index, stage in enumerate(STAGES) if layer_name.startswith(stage)), 0)
