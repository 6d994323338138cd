"""Draws the circular border that a dermoscope leaves around a picture."""

from typing import Any

from keras import ops

from training.fitting.inputs.augmentation.changes import BORDER
from training.fitting.inputs.augmentation.random_layer import Draws, RandomLayer, blend, grid


class RandomBorder(RandomLayer):
    """Covers what is outside a circle. Most borders are almost black, some are grey or white."""

    def change(self, pictures: Any, draws: Draws) -> Any:
        """Draw one border. With a diameter over 1 it covers the corners only."""
        x, y, _ = grid(pictures)

        def draw(name: str) -> Any:
            return draws.uniform(*BORDER.ranges[name], 1, 1)

        distance = ops.sqrt(ops.square(x - draw("shift of the centre")) + ops.square(y - draw("shift of the centre")))
        edge = draw("width of the edge")
        outside = ops.clip((distance - draw("diameter") / 2) / edge + 0.5, 0.0, 1.0)
        outside = ops.where(draws.chosen(BORDER.probability, 1, 1), outside, 0.0)
        dark = draws.uniform(*BORDER.ranges["dark grey"], 1)
        light = draws.uniform(*BORDER.ranges["light grey, for one border in eight"], 1)
        grey = ops.where(draws.uniform(0.0, 1.0, 1) < 1 / 8, light, dark)
        return blend(pictures, grey * ops.ones((1, 3)), outside)
