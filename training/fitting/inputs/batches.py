"""Batches of labelled pictures for Keras, read from pixels or from frozen features."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from contract.labels import CODES
from training.data.pictures import Pictures
from training.fitting.imbalance import draw_pictures

PREDICT_BATCH: Final = 64  # pictures
READ_AHEAD: Final = 4  # batches that are read while a step runs
THREADS: Final = 2  # that read them


@dataclass(frozen=True, eq=False)
class Examples:
    """The inputs of a network, in one or more views, with their classes. Example i is `views[view][rows[i]]`."""

    views: Sequence[np.ndarray]  # pixels or frozen features: each an array of the same pictures, in the same order
    rows: np.ndarray
    class_index: np.ndarray  # of each row

    @classmethod
    def of_pixels(cls, pictures: Pictures) -> "Examples":
        """Take the pixels of pictures as the only view."""
        return cls([pictures.pixels], pictures.rows, pictures.class_index)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, chosen: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Read examples by their positions, each in its view. They keep their type: the model casts them."""
        rows = self.rows[chosen]
        if len(self.views) == 1:
            return np.asarray(self.views[0][rows])
        read = np.empty((len(chosen), *self.views[0].shape[1:]), self.views[0].dtype)
        for number, array in enumerate(self.views):
            in_view = view == number
            read[in_view] = array[rows[in_view]]
        return read


@dataclass(frozen=True, eq=False)
class Draw:
    """The examples of one epoch, in order. All arrays have one entry for each example shown."""

    chosen: np.ndarray  # positions of the examples
    view: np.ndarray  # the view of each
    partner: np.ndarray  # positions of the examples that they are mixed with
    partner_view: np.ndarray
    share: np.ndarray | None  # of the first example in the mixture, float32; None without mixup


def draw_epoch(
    examples: Examples, random: np.random.Generator, *, balance_power: float = 0.0, mixup: float = 0.0
) -> Draw:
    """Draw the examples of one epoch, shuffled. The same state of `random` gives the same draw.

    Args:
        examples: to draw from.
        random: the generator to draw with.
        balance_power: 0 shows every picture once, 1 shows as many of each class; see `draw_pictures`.
        mixup: the alpha of Zhang et al. 2018 (arXiv:1710.09412). Each picture is mixed with another one, by a share
            drawn from Beta(alpha, alpha). 0 mixes nothing. Mixing frozen features instead of pictures is manifold mixup
            at one layer (Verma et al. 2019, arXiv:1806.05236).
    """
    count = len(examples)
    chosen = draw_pictures(examples.class_index, balance_power, random)
    view = random.integers(len(examples.views), size=count)
    order = random.permutation(count)
    share = random.beta(mixup, mixup, count).astype(np.float32) if mixup else None
    return Draw(chosen, view, chosen[order], view[order], share)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of one epoch for `fit` and `evaluate`: (inputs, classes, loss weights).

    With a draw, the examples come in its order, and the last batch is left out if it is smaller: batch normalization
    cannot learn from a single picture. Without a draw, all examples come in their own order. Inputs are the examples,
    or (first, second, share) if the draw mixes them. Classes are one-hot, or shares of two classes.

    Separate threads read batches ahead. Keras can do that too (`workers`), but on JAX it then gives the first batch
    of an epoch last (Keras 3.15).
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        draw: Draw | None = None,
        class_weights: np.ndarray | None = None,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        """Prepare the batches of an epoch.

        Args:
            examples: to show.
            batch_size: over all shards; smaller if there are fewer examples.
            draw: of this epoch.
            class_weights: of the loss, shape (7,); all one by default.
            shard: (index, count): this process reads slice `index` of the `count` equal slices of every batch.

        Raises:
            ValueError: the batch cannot be divided into that many equal slices.
        """
        super().__init__()
        self._examples, self._draw, self._shard = examples, draw, shard
        self._batch_size = min(batch_size, len(examples) // shard[1] * shard[1])
        if self._batch_size % shard[1]:
            raise ValueError(f"A batch of {batch_size} cannot be divided evenly between {shard[1]} processes.")
        self._class_weights = np.ones(len(CODES)) if class_weights is None else class_weights
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batches")
        self._ahead: dict[int, Future[tuple[Any, np.ndarray, np.ndarray]]] = {}
        self.reads: dict[int, tuple[float, float]] = {}  # start and end of reading each batch, by perf_counter

    @property
    def pictures_per_batch(self) -> int:
        """The number of pictures in a training step, over all shards."""
        return self._batch_size

    @property
    def pictures_read_per_batch(self) -> int:
        """The number of pictures that this process reads for a step: its slice, and twice that with mixup."""
        mixed = self._draw is not None and self._draw.share is not None
        return self._batch_size // self._shard[1] * (2 if mixed else 1)

    def __len__(self) -> int:
        full, rest = divmod(len(self._examples), self._batch_size)
        return full if self._draw or not rest else full + 1

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        for later in range(index, min(index + 1 + READ_AHEAD, len(self))):
            if later not in self._ahead:
                self._ahead[later] = self._pool.submit(self._read_timed, later)
        return self._ahead.pop(index).result()

    def _read_timed(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        began = time.perf_counter()
        start = index * self._batch_size
        length = min(self._batch_size, len(self._examples) - start)
        shard, count = self._shard
        batch = self._read(slice(start + length * shard // count, start + length * (shard + 1) // count))
        self.reads[index] = began, time.perf_counter()
        return batch

    def _read(self, part: slice) -> tuple[Any, np.ndarray, np.ndarray]:
        examples, draw = self._examples, self._draw
        if draw is None:
            chosen = np.arange(part.start, part.stop)
            inputs = examples.read(chosen, np.zeros(len(chosen), int))
            return inputs, *self._targets(chosen)
        inputs = examples.read(draw.chosen[part], draw.view[part])
        classes, weights = self._targets(draw.chosen[part])
        if draw.share is None:
            return inputs, classes, weights
        partners = examples.read(draw.partner[part], draw.partner_view[part])
        partner_classes, partner_weights = self._targets(draw.partner[part])
        share = draw.share[part]
        # With these weights, the loss of the mixture is the mixture of the two weighted losses.
        first, second = share * weights, (1 - share) * partner_weights
        total = first + second
        mixed = (first[:, None] * classes + second[:, None] * partner_classes) / total[:, None]
        return (inputs, partners, share), mixed, total

    def _targets(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        class_index = self._examples.class_index[chosen]
        return np.eye(len(CODES), dtype=np.float32)[class_index], self._class_weights[class_index].astype(np.float32)
