"""The embeddings of the training pictures (`reference.npz`), and how different from them a picture is.

Training chooses the threshold with the same search that serves, so both import it from here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.errors import BundleError

_SHORTEST: Final = 1e-12  # smallest divisor, for an embedding of zeros


@dataclass(frozen=True, eq=False)
class Reference:
    """Training embeddings of length 1, as the product `coordinates @ axes` of a truncated singular value decomposition.

    The full embeddings are many megabytes, and every search would read them all. With the two factors a search costs a
    sixteenth; the error of a similarity is at most the distance of the embedding from the axes.
    """

    coordinates: np.ndarray  # float32 (M, rank)
    axes: np.ndarray  # float32 (rank, 2048), orthonormal

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read the file of a bundle.

        Raises:
            BundleError: it cannot be read, or is not a reference.
        """
        try:
            # np.load would leave a file open on errors if it got the path
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                reference = cls(*(arrays[name].astype(np.float32) for name in ("coordinates", "axes")))
        except Exception as error:  # numpy, zipfile and zlib raise many types for a damaged archive
            raise BundleError(f"The model bundle's {path.name} cannot be read. Publish the model again.") from error
        if reference.coordinates.ndim != 2 or reference.axes.ndim != 2 or not reference.fits():
            raise BundleError(
                f"The model bundle's {path.name} does not contain two matching factors. Publish the model again."
            )
        return reference

    def fits(self) -> bool:
        """Return whether the two factors can be multiplied, and are not empty."""
        return self.coordinates.size > 0 and self.coordinates.shape[1] == len(self.axes)

    def write(self, path: Path) -> None:
        """Write the file of a bundle, in float16."""
        np.savez(path, coordinates=self.coordinates.astype(np.float16), axes=self.axes.astype(np.float16))

    def unfamiliarity(self, embeddings: np.ndarray, neighbours: int) -> Any:
        """Score how different a picture is from the training pictures: 0 (the same as one of them) to 2.

        One minus the cosine similarity to the k-th nearest reference embedding (Sun et al. 2022, arXiv:2204.06507).
        The part of an embedding outside the axes adds to its length but not to any similarity, so it counts as unlike.

        Args:
            embeddings: of any length, shape (..., 2048).
            neighbours: k; if there are fewer reference pictures, the farthest counts.

        Returns:
            float32, shape (...).
        """
        similarity = scale_to_unit(embeddings) @ self.axes.T @ self.coordinates.T
        k = min(neighbours, similarity.shape[-1])
        return 1 - np.partition(similarity, -k, axis=-1)[..., -k]


def scale_to_unit(embeddings: np.ndarray) -> np.ndarray:
    """Scale embeddings, shape (..., 2048), to length 1; one of zeros stays zeros."""
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, _SHORTEST))
