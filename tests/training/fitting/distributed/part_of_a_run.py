"""One process of a run, for the tests of devices: it fits a network on a few random pictures.

Its argument is a JSON object: `hosts`, `index` and `port` of the cluster; `network`, small or resnet50; `loaded`, the
number of stages that count as loaded; and `config`. It fits once for each entry of two lists: `at_most`, the number of
devices to use (null: all), and `out`, the file that the leader writes.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TRAIN, VALIDATION = 24, 9  # pictures; 9 do not divide evenly between two devices


def main(arguments: dict[str, Any]) -> None:
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        _split_the_cpu_into_two_devices()
    import keras
    import numpy as np

    from tests.training.fitting.small_network import SIZE, build_small_network
    from training.config import TrainingConfig
    from training.data.pictures import Pictures
    from training.fitting.distributed.cluster import Cluster
    from training.fitting.distributed.devices import join_cluster
    from training.fitting.loop import fit
    from training.fitting.run import Run
    from training.model import STAGES, build_classifier
    from training.weights import LoadedWeights

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (TRAIN + VALIDATION, SIZE, SIZE, 3), np.uint8)
    class_index = random.choice(7, TRAIN + VALIDATION, p=[0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1])
    train = Pictures(pixels, np.arange(TRAIN), class_index[:TRAIN])
    validation = Pictures(pixels, np.arange(TRAIN, TRAIN + VALIDATION), class_index[TRAIN:])
    config = TrainingConfig(size=SIZE, batch_size=8, seed=1, **arguments["config"])
    loaded = LoadedWeights(source="test", loaded=STAGES[: arguments["loaded"]], fresh=STAGES[arguments["loaded"] :])
    cluster = Cluster(hosts=tuple(arguments["hosts"]), index=arguments["index"], port=arguments["port"])

    for at_most, out in zip(arguments["at_most"], arguments["out"], strict=True):
        keras.utils.set_random_seed(config.seed)
        with join_cluster(cluster, at_most) as devices, TemporaryDirectory() as scratch:
            sys.stdout.write(f"{devices}\n")
            classifier = build_small_network(config.seed) if arguments["network"] == "small" else build_classifier(SIZE)
            run = Run(config=config, train=train, validation=validation, scratch=Path(scratch), devices=devices)
            result = fit(classifier, loaded, run)
        if cluster.is_leader:
            weights = [*classifier.backbone.weights, *classifier.head.weights]
            np.savez(
                out,
                devices=len(devices),
                loss=[epoch.loss for epoch in result.epochs],
                validation_loss=[epoch.validation_loss for epoch in result.epochs],
                validation_balanced_accuracy=[epoch.validation_balanced_accuracy for epoch in result.epochs],
                **{weight.path: keras.ops.convert_to_numpy(weight) for weight in weights},
            )


def _split_the_cpu_into_two_devices() -> None:
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
