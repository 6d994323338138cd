"""The changes of full augmentation: how often each is made, and within which ranges.

Lengths are shares of the picture's shorter side. docs/training.md shows the table of these values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """One kind of change. Its values are drawn uniformly from their ranges."""

    name: str
    probability: float  # that a picture gets it
    ranges: Mapping[str, Range]


PLACE: Final = Change("place", 1.0, {"part of the side that is shown": (0.7, 1.3)})
HAIRS: Final = Change("hairs", 0.15, {"number": (1, 6), "width": (0.004, 0.012), "opacity": (0.5, 0.95)})
INK: Final = Change(
    "ink marks",
    0.1,
    {"number": (1, 2), "distance from the middle": (0.28, 0.5), "width": (0.012, 0.04), "opacity": (0.5, 0.9)},
)
RULER: Final = Change(
    "ruler",
    0.1,
    {"distance from the middle": (0.33, 0.47), "space between ticks": (0.03, 0.09), "length of a tick": (0.02, 0.05)},
)
BORDER: Final = Change(
    "dermoscope border",
    0.3,
    {
        "diameter": (0.75, 1.4),
        "shift of the centre": (-0.05, 0.05),
        "width of the edge": (0.005, 0.06),
        "dark grey": (0, 24),
        "light grey, for one border in eight": (110, 255),
    },
)
BLUR: Final = Change("blur", 0.15, {"sigma": (0.002, 0.012)})
DETAIL: Final = Change("lost detail", 0.15, {"factor of the reduction": (1.2, 4.0)})
EXPOSURE: Final = Change("exposure", 0.3, {"gain, in logarithms": (0.35, 1.3)})
GAMMA: Final = Change("gamma", 0.15, {"exponent, in logarithms": (0.7, 1.5)})
LAMP: Final = Change("colour temperature", 0.15, {"kelvin, uniform in 1/kelvin": (2800, 8000)})
PROFILE: Final = Change("ignored colour profile", 0.1, {"share of Display P3 or Adobe RGB": (0.2, 1.0)})
JPEG: Final = Change("JPEG", 0.25, {"quality": (40, 95)})

CHANGES: Final = (PLACE, HAIRS, INK, RULER, BORDER, BLUR, DETAIL, EXPOSURE, GAMMA, LAMP, PROFILE, JPEG)
