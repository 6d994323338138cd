"""Draws the circular border that a dermoscope leaves around a picture."""

from typing import Any

from keras import ops

from training.fitting.inputs.augmentation.changes import BORDER
from training.fitting.inputs.augmentation.random_layer import RandomLayer, blend, grid


class RandomBorder(RandomLayer):
    """Covers what is outside a circle. Most borders are almost black, some are grey or white."""

    def change(self, pictures: Any) -> Any:
        """Draw one border. With a diameter over 1 it covers the corners only."""
        count = ops.shape(pictures)[0]
        x, y, _ = grid(pictures)

        def draw(name: str) -> Any:
            return self.draw((count, 1, 1), *BORDER.ranges[name])

        distance = ops.sqrt(ops.square(x - draw("shift of the centre")) + ops.square(y - draw("shift of the centre")))
        edge = draw("width of the edge")
        outside = ops.clip((distance - draw("diameter") / 2) / edge + 0.5, 0.0, 1.0)
        outside = ops.where(ops.reshape(self.chosen(count, BORDER.probability), (-1, 1, 1)), outside, 0.0)
        dark = self.draw((count, 1), *BORDER.ranges["dark grey"])
        light = self.draw((count, 1), *BORDER.ranges["light grey, for one border in eight"])
        grey = ops.where(self.draw((count, 1), 0.0, 1.0) < 1 / 8, light, dark)
        return blend(pictures, grey * ops.ones((1, 3)), outside)
