"""What one pass over the pictures came to, how that is said, and how a program reads it there."""

from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"([0-9.e+-]+|nan)"
METRICS: Final = {  # name -> a regular expression of one group, for `Epoch.line`
    "train:loss": rf": loss {_NUMBER}, balanced",
    "train:balanced_accuracy": rf"balanced accuracy {_NUMBER} in training",
    "validation:balanced_accuracy": rf"in training, {_NUMBER} in validation",
}


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training pictures came to."""

    phase: str
    loss: float  # weighted, as trained on
    balanced_accuracy: float  # on the training pictures as they were shown
    validation_loss: float
    validation_balanced_accuracy: float
    seconds: float

    def line(self, number: int, of: int) -> str:
        """Say it, as the epoch of this number in its phase."""
        return (
            f"  {self.phase} {number}/{of}: loss {self.loss:.3f}, balanced accuracy {self.balanced_accuracy:.3f} in "
            f"training, {self.validation_balanced_accuracy:.3f} in validation ({self.seconds:.1f} s)"
        )
