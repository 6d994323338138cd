"""What the training pictures looked like to the model, and how unlike them a picture is: `reference.npz` of a bundle.

Training chooses the threshold by the very search that serves, so both sides have it from here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from contract.errors import BundleError

_SHORTEST: Final = 1e-12  # length of an embedding that is divided by; one of zeros is like nothing


@dataclass(frozen=True, eq=False)
class Reference:
    """Training embeddings of length 1, as the product `coordinates @ axes`: their truncated singular values.

    In full they are many megabytes to read for each picture that is asked about. As a product a similarity to each
    costs a sixteenth, and is off by no more than what the embeddings are from their axes.
    """

    coordinates: np.ndarray  # float32 (M, rank)
    axes: np.ndarray  # float32 (rank, 2048), orthonormal

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read the file of a bundle.

        Raises:
            BundleError: it cannot be read, or is something else.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # else a damaged one stays open
                reference = cls(*(arrays[name].astype(np.float32) for name in ("coordinates", "axes")))
        except Exception as error:  # a damaged archive makes numpy, zipfile and zlib raise what they trip over
            raise BundleError(f"The model bundle's {path.name} cannot be read. Publish the model again.") from error
        if reference.coordinates.ndim != 2 or reference.axes.ndim != 2 or not reference.fits():
            raise BundleError(f"The model bundle's {path.name} holds something else. Publish the model again.")
        return reference

    def fits(self) -> bool:
        """Tell whether the two factors can be multiplied, and hold anything."""
        return self.coordinates.size > 0 and self.coordinates.shape[1] == len(self.axes)

    def write(self, path: Path) -> None:
        """Write the file of a bundle, in float16."""
        np.savez(path, coordinates=self.coordinates.astype(np.float16), axes=self.axes.astype(np.float16))

    def unfamiliarity(self, embeddings: np.ndarray, neighbours: int) -> Any:
        """Score how unlike the training pictures a picture is: 0 like one of them, up to 2.

        One minus the cosine similarity to the k-th nearest reference embedding (Sun et al. 2022, arXiv:2204.06507).
        What of an embedding lies beside all axes makes it longer and no more similar, and so counts as unlike.

        Args:
            embeddings: of any length, shape (..., 2048).
            neighbours: k; with fewer reference pictures than that, the farthest counts.

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
