"""Divides batches between devices when the last batch does not divide evenly."""

import keras
import numpy as np


class ShardedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """This instance's shard of batches that are padded to one length, a multiple of the number of devices.

    Padding has no class and no weight. Keras divides a loss by the number of pictures, padding included, so the weights
    of the pictures are raised until the mean loss over all batches is the same as without padding.
    """

    def __init__(self, batches: keras.utils.PyDataset, pictures: int, devices: int, shard: tuple[int, int]) -> None:
        """Shard the batches of a set of `pictures`; `shard` is this instance's index and the number of instances."""
        super().__init__(workers=batches.workers, max_queue_size=batches.max_queue_size)
        self._batches = batches
        self._length = -(-len(batches[0][0]) // devices) * devices
        self._weight = len(batches) * self._length / pictures
        index, count = shard
        self._slice = slice(index * self._length // count, (index + 1) * self._length // count)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inputs, classes, weights = (_pad(part, self._length)[self._slice] for part in self._batches[index])
        return inputs, classes, (weights * self._weight).astype(weights.dtype)


def _pad(part: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([part, np.zeros((length - len(part), *part.shape[1:]), part.dtype)])
