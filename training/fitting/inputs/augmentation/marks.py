"""Draws what lies on the skin in many clinical pictures: hairs, marks of a pen, and the ticks of a ruler.

They change the answers of classifiers: ink (Winkler et al. 2019, doi:10.1001/jamadermatol.2019.1735), and all three
(Bissoto et al. 2020, arXiv:2004.11457). Each mark is drawn from the distance of every pixel to a curve.
"""

from typing import Any, Final

from keras import ops

from training.fitting.inputs.augmentation.changes import HAIRS, INK, RULER, Change
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer, blend, grid, whole_number

MOST_HAIRS: Final = int(HAIRS.ranges["number"][1])
MOST_MARKS: Final = int(INK.ranges["number"][1])
HAIR_COLOUR: Final = (40.0, 28.0, 20.0)  # dark brown, RGB in 0..255
INKS: Final = ((35.0, 45.0, 140.0), (90.0, 45.0, 135.0), (30.0, 30.0, 38.0))  # blue, violet, black


class RandomHairs(RandomLayer):
    """Draws dark, slightly bent hairs anywhere."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw up to `MOST_HAIRS` hairs of one colour."""
        opacity = _draw_opacity(HAIRS, MOST_HAIRS, draws)
        covered = _cover(
            pictures,
            angle=draws.uniform(0.0, 3.1416, MOST_HAIRS),
            along=draws.uniform(-0.3, 0.3, MOST_HAIRS),
            across=draws.uniform(-0.5, 0.5, MOST_HAIRS),
            bend=draws.uniform(-0.8, 0.8, MOST_HAIRS),
            width=draws.uniform(*HAIRS.ranges["width"], 1),
            length=draws.uniform(0.2, 0.9, MOST_HAIRS),
            opacity=opacity,
        )
        brightness = draws.uniform(0.2, 1.6, 1)
        return blend(pictures, brightness * ops.convert_to_tensor(HAIR_COLOUR, "float32"), covered)


class RandomInk(RandomLayer):
    """Draws strokes of a pen beside the lesion."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw up to `MOST_MARKS` strokes in one ink."""
        opacity = _draw_opacity(INK, MOST_MARKS, draws)
        covered = _cover(
            pictures,
            angle=draws.uniform(0.0, 6.2832, MOST_MARKS),
            along=draws.uniform(-0.25, 0.25, MOST_MARKS),
            across=draws.uniform(*INK.ranges["distance from the middle"], MOST_MARKS),
            bend=draws.uniform(-1.0, 0.5, MOST_MARKS),  # most go around the middle
            width=draws.uniform(*INK.ranges["width"], 1),
            length=draws.uniform(0.1, 0.6, MOST_MARKS),
            opacity=opacity,
        )
        ink = ops.take(ops.convert_to_tensor(INKS, "float32"), ops.cast(draws.uniform(0, len(INKS)), "int32"), axis=0)
        return blend(pictures, ink + draws.uniform(-15.0, 25.0, 3), covered)


class RandomRuler(RandomLayer):
    """Draws the ticks of a ruler beside the lesion; every fifth is longer."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw one row of ticks."""
        x, y, side = grid(pictures)

        def draw(low: float, high: float) -> Any:
            return draws.uniform(low, high, 1, 1)

        angle, space = draw(0.0, 6.2832), draw(*RULER.ranges["space between ticks"])
        place = (ops.cos(angle) * x + ops.sin(angle) * y) / space + draw(0.0, 5.0)
        height = ops.cos(angle) * y - ops.sin(angle) * x - draw(*RULER.ranges["distance from the middle"])
        tick = ops.round(place)
        long = ops.mod(tick, 5.0) < 0.5
        length = draw(*RULER.ranges["length of a tick"]) * ops.where(long, 2.0, 1.0)
        half_width = draw(0.002, 0.004)
        covered = (
            _inside((half_width - ops.abs(place - tick) * space) * side)
            * _inside(height * side)
            * _inside((length - height) * side)
        )
        shown = ops.where(draws.chosen(RULER.probability), draws.uniform(0.6, 1.0), 0.0)
        grey = ops.where(draws.uniform(0.0, 1.0, 1) < 0.75, 30.0, 235.0) + draws.uniform(-20.0, 20.0, 1)
        return blend(pictures, grey * ops.ones((1, 3)), covered * ops.reshape(shown, (-1, 1, 1)))


def _draw_opacity(change: Change, most: int, draws: Draws) -> Any:
    """Draw how many of `most` strokes each picture gets, and their opacity: shape (N, most); 0 for the others."""
    number = ops.floor(draws.uniform(*whole_number(change.ranges["number"]), 1))
    drawn = ops.logical_and(ops.arange(most, dtype="float32") < number, draws.chosen(change.probability, 1))
    return ops.where(drawn, draws.uniform(*change.ranges["opacity"], 1), 0.0)


def _cover(
    pictures: Any, *, angle: Any, along: Any, across: Any, bend: Any, width: Any, length: Any, opacity: Any
) -> Any:
    """Return how much strokes cover each pixel: shape (N, height, width), between 0 and 1.

    Each stroke is a piece of a parabola. All arguments have shape (N, strokes), or (N, 1) if the strokes share them.

    Args:
        pictures: of which only the shape counts.
        angle: of the stroke at its vertex, in radians.
        along: place of the vertex in the direction of the stroke, from the middle.
        across: its place across that direction.
        bend: the stroke is `bend` * u**2 off its tangent, at distance u from the vertex.
        width: of the stroke.
        length: of its projection on the tangent.
        opacity: between 0 and 1; 0 for a stroke that is not there.
    """
    x, y, side = grid(pictures)
    angle, along, across, bend, width, length, opacity = (
        ops.expand_dims(value, (-1, -2)) for value in (angle, along, across, bend, width, length, opacity)
    )
    cosine, sine = ops.cos(angle), ops.sin(angle)
    # From here on in pixels. A stroke covers a share of the pixels at its edges, so it reaches half a pixel further.
    x, y = x * side, y * side
    u = cosine * x + (sine * y - along * side)
    v = cosine * y - (sine * x + across * side)
    line = (width * side + 1.0) / 2 - ops.abs(v - (bend / side) * ops.square(u))
    ends = ops.clip((length * side + 1.0) / 2 - ops.abs(u), 0.0, 1.0)
    most = ops.minimum(width * side, 1.0) * opacity  # a stroke that is thinner than a pixel covers a part of it
    return ops.max(ops.maximum(ops.minimum(line, 1.0), 0.0) * (most * ends), axis=1)


def _inside(pixels: Any) -> Any:
    """Return the share of a pixel inside an edge, from the distance of its middle to the edge, in pixels."""
    return ops.clip(pixels + 0.5, 0.0, 1.0)
