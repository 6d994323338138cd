"""Labelled pictures as the batches that Keras asks for: from pixels, or from what frozen stages make of them."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from contract.labels import CODES
from training.fitting.imbalance import draw_pictures

PREDICT_BATCH: Final = 64  # pictures
AHEAD: Final = 4  # batches that are being read or wait while a step runs
THREADS: Final = 2  # that read them


@dataclass(frozen=True, eq=False)
class Examples:
    """What a network is shown: `views[any][rows]`, and the class of each row."""

    views: Sequence[np.ndarray]  # of the same pictures: pixels, or frozen features
    rows: np.ndarray
    class_index: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, chosen: np.ndarray, view: np.ndarray) -> np.ndarray:
        """Read examples by their positions, each in its view, as they are: the model casts them, on the device."""
        rows = self.rows[chosen]
        if len(self.views) == 1:
            return np.asarray(self.views[0][rows])
        read = np.empty((len(chosen), *self.views[0].shape[1:]), self.views[0].dtype)
        for number, of_view in enumerate(self.views):
            these = view == number
            read[these] = of_view[rows[these]]
        return read


@dataclass(frozen=True, eq=False)
class Draw:
    """What one epoch shows, in its order: positions of examples, which view of each, and what it is mixed with."""

    chosen: np.ndarray
    view: np.ndarray
    partner: np.ndarray
    partner_view: np.ndarray
    share: np.ndarray | None  # of the first in the mixture, float32; None where nothing is mixed


def draw_epoch(
    examples: Examples, random: np.random.Generator, *, balance_power: float = 0.0, mixup: float = 0.0
) -> Draw:
    """Draw one epoch, shuffled; the same state of `random` draws the same.

    Args:
        examples: to draw from.
        random: what is drawn with.
        balance_power: 0 shows every picture once, 1 as many of each class; see `draw_pictures`.
        mixup: the alpha of Zhang et al. 2018 (arXiv:1710.09412): each picture is mixed with another by a share of its
            own from Beta(alpha, alpha); 0 mixes nothing. Where frozen features are mixed instead of pictures, that is
            their manifold mixup at one layer (Verma et al. 2019, arXiv:1806.05236).
    """
    count = len(examples)
    chosen = draw_pictures(examples.class_index, balance_power, random)
    view = random.integers(len(examples.views), size=count)
    order = random.permutation(count)
    share = random.beta(mixup, mixup, count).astype(np.float32) if mixup else None
    return Draw(chosen, view, chosen[order], view[order], share)


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """What `fit` and `evaluate` take: batches of (inputs, classes, loss weights) of one epoch.

    In the order of a draw, and then the last, smaller batch is left out, for batch normalization cannot learn from one
    picture; without a draw, in order and whole. Inputs are the examples, or (first, second, share) where a draw mixes
    them; classes are one-hot, or shares of two.

    Threads read ahead of what is asked for. Keras can do that too (`workers`), but on JAX it then gives the first batch
    of an epoch last (Keras 3.15), and an epoch could not be gone on with in its middle.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        draw: Draw | None = None,
        class_weights: np.ndarray | None = None,
        first: int = 0,
        shard: tuple[int, int] = (0, 1),
    ) -> None:
        """Serve one epoch, or what is left of it from batch `first` on.

        Args:
            examples: to show.
            batch_size: of the whole batch, over all shards; fewer if there are fewer examples.
            draw: of this epoch.
            class_weights: of the loss, shape (7,); one each by default.
            first: the number of the first batch.
            shard: (index, count): of every batch, this process is given the index-th of `count` equal slices.

        Raises:
            ValueError: the batch cannot be cut into that many equal slices.
        """
        super().__init__()
        self._examples, self._draw, self._first, self._shard = examples, draw, first, shard
        self._batch_size = min(batch_size, len(examples) // shard[1] * shard[1])
        if self._batch_size % shard[1]:
            raise ValueError(f"A batch of {batch_size} cannot be dealt evenly to {shard[1]} processes.")
        self._class_weights = np.ones(len(CODES)) if class_weights is None else class_weights
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batches")
        self._ahead: dict[int, Future[tuple[Any, np.ndarray, np.ndarray]]] = {}
        self.reads: dict[int, tuple[float, float]] = {}  # when each batch was read: from, to, in perf_counter's seconds

    @property
    def pictures_per_batch(self) -> int:
        """How many pictures a step sees, over all shards."""
        return self._batch_size

    @property
    def pictures_read_per_batch(self) -> int:
        """How many pictures this process reads for a step: its slice, twice where they are mixed."""
        mixed = self._draw is not None and self._draw.share is not None
        return self._batch_size // self._shard[1] * (2 if mixed else 1)

    def __len__(self) -> int:
        whole, rest = divmod(len(self._examples), self._batch_size)
        return (whole if self._draw or not rest else whole + 1) - self._first

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        for later in range(index, min(index + 1 + AHEAD, len(self))):
            if later not in self._ahead:
                self._ahead[later] = self._pool.submit(self._read_timed, later)
        return self._ahead.pop(index).result()

    def _read_timed(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        began = time.perf_counter()
        start = (index + self._first) * self._batch_size
        length = min(self._batch_size, len(self._examples) - start)
        number, of = self._shard
        batch = self._read(slice(start + length * number // of, start + length * (number + 1) // of))
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
        # So that the loss of the mixture is the mixture of the two weighted losses.
        mine, theirs = share * weights, (1 - share) * partner_weights
        together = mine + theirs
        mixed = (mine[:, None] * classes + theirs[:, None] * partner_classes) / together[:, None]
        return (inputs, partners, share), mixed, together

    def _targets(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        class_index = self._examples.class_index[chosen]
        return np.eye(len(CODES), dtype=np.float32)[class_index], self._class_weights[class_index].astype(np.float32)
