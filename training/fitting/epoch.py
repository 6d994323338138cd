"""The result of one epoch, the line that reports it, and the regular expressions that read that line."""

from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"([0-9.e+-]+|nan)"
METRICS: Final = {  # name -> a regular expression with one group, for `Epoch.line`
    "train:loss": rf": loss {_NUMBER}, balanced",
    "train:balanced_accuracy": rf"balanced accuracy {_NUMBER} in training",
    "validation:balanced_accuracy": rf"in training, {_NUMBER} in validation",
}


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """The result of one pass over the training pictures."""

    phase: str
    loss: float  # weighted, as in training
    balanced_accuracy: float  # on the training pictures, augmented
    validation_loss: float
    validation_balanced_accuracy: float
    seconds: float  # with the validation

    def line(self, number: int, total: int) -> str:
        """Describe it as epoch `number` of the `total` in its phase. The job's metrics are read from this line."""
        return (
            f"  {self.phase} {number}/{total}: loss {self.loss:.3f}, balanced accuracy {self.balanced_accuracy:.3f} in "
            f"training, {self.validation_balanced_accuracy:.3f} in validation ({self.seconds:.1f} s)"
        )
