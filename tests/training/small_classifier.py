"""A small network with random weights and random batch normalization, the same on any backend."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.model import Classifier


def small_classifier(size: int) -> "Classifier":
    """Build it. The same size gives the same weights, and its predictions differ between pictures."""
    import keras
    import numpy as np

    from training.model import build_classifier

    keras.utils.set_random_seed(5)
    built = build_classifier(size)
    random = np.random.default_rng(5)
    for layer in built.backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    random.uniform(0.4, 0.8, gamma.shape),
                    random.normal(0, 0.1, beta.shape),
                    random.normal(0, 0.1, mean.shape),
                    random.uniform(0.8, 1.2, variance.shape),
                ]
            )
    built.head.set_weights([random.normal(0, 0.5, built.head.kernel.shape), random.normal(0, 0.5, 7)])
    return built
