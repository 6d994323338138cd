"""One process of a run, as the tests of devices start it: fits the same small thing in the way that it is told.

Its argument is a JSON object: hosts, index and port of the cluster; `network`, small or resnet50; `loaded`, how many
stages pass for loaded; `config`; and for each fit, one after the other, `at_most` how many devices it takes (null: all)
and `out`, the file that it writes if it leads.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LEARN, CHOOSE = 24, 9  # pictures; the latter do not come out even on two devices


def main(told: dict[str, Any]) -> None:
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        _make_two_devices_of_tensorflow()
    import keras
    import numpy as np

    from tests.training.fitting.small_network import SIZE, build_small_network
    from training.config import TrainingConfig
    from training.data.pictures import Pictures
    from training.fitting.cluster import Cluster
    from training.fitting.devices import join
    from training.fitting.loop import fit
    from training.model import STAGES, build_classifier
    from training.weights import LoadedWeights

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (LEARN + CHOOSE, SIZE, SIZE, 3), np.uint8)
    class_index = random.choice(7, LEARN + CHOOSE, p=[0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1])
    learn = Pictures(pixels, np.arange(LEARN), class_index[:LEARN])
    choose = Pictures(pixels, np.arange(LEARN, LEARN + CHOOSE), class_index[LEARN:])
    config = TrainingConfig(size=SIZE, batch_size=8, seed=1, **told["config"])
    loaded = LoadedWeights(source="test", loaded=STAGES[: told["loaded"]], fresh=STAGES[told["loaded"] :])
    cluster = Cluster(hosts=tuple(told["hosts"]), index=told["index"], port=told["port"])

    for at_most, out in zip(told["at_most"], told["out"], strict=True):
        keras.utils.set_random_seed(config.seed)
        with join(cluster, at_most) as devices, TemporaryDirectory() as scratch:
            sys.stdout.write(f"{devices}\n")
            classifier = build_small_network(config.seed) if told["network"] == "small" else build_classifier(SIZE)
            fitted = fit(
                classifier,
                config,
                loaded,
                learn,
                choose,
                devices=devices,
                scratch=Path(scratch),
            )
        if cluster.leads:
            weights = [*classifier.backbone.weights, *classifier.head.weights]
            np.savez(
                out,
                devices=len(devices),
                loss=[epoch.loss for epoch in fitted.epochs],
                validation_loss=[epoch.validation_loss for epoch in fitted.epochs],
                validation_balanced_accuracy=[epoch.validation_balanced_accuracy for epoch in fitted.epochs],
                **{weight.path: keras.ops.convert_to_numpy(weight) for weight in weights},
            )


def _make_two_devices_of_tensorflow() -> None:
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
