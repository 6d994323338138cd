"""A small run in a process of its own: `python -m ... FOLDER RESULT [STEP]`.

It trains on pixels with everything that is random: augmentation, mixup and balanced sampling. It has two epochs of four
steps, and averages the weights. With STEP, it sends itself SIGTERM after that step.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from tests.training.fitting.small_network import SIZE, build_small_network
from training.config import TrainingConfig
from training.data.pictures import Pictures
from training.fitting.loop import fit, predict_logits
from training.fitting.resuming.folder import run_folder
from training.fitting.resuming.stop import RunInterruptedError, watch_signals
from training.fitting.run import Run
from training.model import STAGES
from training.progress import Reporter
from training.weights import LoadedWeights

CONFIG = TrainingConfig(size=SIZE, head_epochs=0, fine_tune_epochs=2, train_from="conv3", batch_size=8, mixup=0.3,
                        class_balance="sampling", average_epochs=2)  # fmt: skip


def main(folder: Path, result: Path, stop_at: int | None = None) -> None:
    """Train, print each step and line, and write the weights and some logits."""
    classifier = build_small_network(CONFIG.seed)
    loaded = LoadedWeights(source="test", loaded=STAGES[:-1], fresh=("head",))
    pixels = np.random.default_rng(0).integers(0, 256, (42, SIZE, SIZE, 3), np.uint8)
    class_index = np.arange(42) % 7
    train, validation = (Pictures(pixels, rows, class_index[rows]) for rows in (np.arange(35), np.arange(35, 42)))

    def on_progress(what: str, done: int, total: int) -> None:
        del total
        print(f"{what} {done}", flush=True)  # noqa: T201
        if what == "training" and done == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    reporter = Reporter(on_progress, lambda line: print(line, flush=True))  # noqa: T201
    with watch_signals() as stop, run_folder(folder, fresh=False) as checkpoints, stop.deferred():
        run = Run(config=CONFIG, train=train, validation=validation, scratch=folder, reporter=reporter, stop=stop,
                  checkpoints=checkpoints)  # fmt: skip
        fitted = fit(classifier, loaded, run)
    weights = classifier.get_weights()
    losses = np.array([[epoch.loss, epoch.balanced_accuracy, epoch.validation_loss] for epoch in fitted.epochs])
    np.savez(result, *weights, losses=losses, logits=predict_logits(classifier, validation))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
    except RunInterruptedError as error:
        print(error, flush=True)  # noqa: T201
        sys.exit(error.exit_status)
