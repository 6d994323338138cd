"""Finds the part of a picture that shows skin: inside the round field of a dermoscope, a slide's margin or a frame.

A dark or white surround changed the class of most lesions, because few training pictures have one. So the model sees
the largest square inside the surround, and the corners outside a round field are filled with the skin beside them.
docs/decisions/field-of-view.md has the measurements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from PIL import Image

from contract.exposure import measure_brightness

if TYPE_CHECKING:
    import numpy as np

THUMBNAIL_PX: Final = 72  # shorter side of the copy that is searched, at least

# In a picture darker than FULL_LIGHT, the three levels after it are lower in proportion: dim skin is not grey.
FULL_LIGHT: Final = 120.0  # brightness of the picture, see contract/exposure.py
BLACK: Final = 28  # a pixel of no more in any channel is dark, whatever its colour
DARK_GREY: Final = 75  # a grey pixel of no more is dark
GREY_RANGE: Final = 24  # between the channels of a grey pixel; skin and lesions differ by more
WHITE: Final = 232  # a pixel of no less in any channel is white

CORNER_PX: Final = 3  # of the thumbnail; at least two corners are dark, or white, where there is a surround
FULL_LINE: Final = 0.97  # share of dark or white pixels in a row or column that belongs to a frame
MIN_STEP: Final = 25  # 0..255, within 3 px of the thumbnail, where a frame ends
MIN_FIELD: Final = 0.25  # share of the side; if a frame left less, the picture itself is dark or white
RAYS: Final = 96
MIN_POINTS: Final = 12  # of the edge; three would be enough for a circle
MIN_SURROUND: Final = 0.9  # share of dark or white pixels outside the circle
MAX_INSIDE: Final = 0.6  # share of the same pixels inside it
MAX_OFF_CENTRE: Final = 0.35  # of the circle's middle, as a share of the side
RIM: Final = 0.03  # of the radius: a dermoscope's edge is soft, and the light falls off there


class Box(NamedTuple):
    """A rectangle in a picture, in pixels from its left and upper edge."""

    left: float
    top: float
    right: float
    bottom: float


class Circle(NamedTuple):
    """The edge of a round field of view, in pixels."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class FieldOfView:
    """The square that the model sees, and the edge of the round field in it."""

    square: Box
    circle: Circle | None  # None: all of the square shows skin


def find_field_of_view(picture: Image.Image, box: Box) -> FieldOfView:
    """Find the largest square that lies inside a dark or white surround; without one, the centre square.

    Args:
        picture: RGB, upright.
        box: its edges, which can lie inside the outermost pixels.
    """
    import numpy as np

    factor = max(1, min(picture.size) // THUMBNAIL_PX)
    area, circle = _search(np.asarray(picture.reduce(factor))) if _may_have_surround(picture, factor) else (None, None)
    if area is None:
        return FieldOfView(_centre_square(box), None)
    limits = Box(
        max(box.left, area.left * factor),
        max(box.top, area.top * factor),
        min(box.right, area.right * factor),
        min(box.bottom, area.bottom * factor),
    )
    if circle is None:
        return FieldOfView(_centre_square(limits), None)
    x, y = ((middle + 0.5) * factor for middle in (circle.x, circle.y))
    radius = circle.radius * factor * (1 - RIM)
    side = min(2 * radius, limits.right - limits.left, limits.bottom - limits.top)
    left = min(max(x - side / 2, limits.left), limits.right - side)
    top = min(max(y - side / 2, limits.top), limits.bottom - side)
    return FieldOfView(Box(left, top, left + side, top + side), Circle(x, y, radius))


def fill_outside(pixels: "np.ndarray", view: FieldOfView) -> "np.ndarray":
    """Fill the corners outside a round field with the mirror image of the skin inside its edge.

    A point outside, at a distance d from the middle of a circle of radius r, gets the pixel at 2 r - d on the same ray.

    Args:
        pixels: the square of `view`, scaled: uint8, shape (size, size, 3).
        view: of the picture that the square was cut from.

    Returns:
        A new array of the same shape; `pixels` itself without a round field.
    """
    import numpy as np

    if view.circle is None:
        return pixels
    size = len(pixels)
    scale = size / (view.square.right - view.square.left)
    x, y = (view.circle.x - view.square.left) * scale - 0.5, (view.circle.y - view.square.top) * scale - 0.5
    radius = view.circle.radius * scale
    across, down = np.arange(size) - x, np.arange(size) - y
    distance = np.hypot(across, down[:, None])
    rows, columns = np.nonzero(distance > radius)
    inward = np.maximum(2 * radius / distance[rows, columns] - 1, 0)
    from_columns = np.rint(x + across[columns] * inward).astype(int).clip(0, size - 1)
    from_rows = np.rint(y + down[rows] * inward).astype(int).clip(0, size - 1)
    filled = pixels.copy()
    filled[rows, columns] = pixels[from_rows, from_columns]
    return filled


def _may_have_surround(picture: Image.Image, factor: int) -> bool:
    """Look at the corners only, because most pictures show skin there and a thumbnail takes longer than this."""
    import numpy as np

    side = CORNER_PX * factor
    across, down = picture.width - side, picture.height - side
    corners = [picture.crop((x, y, x + side, y + side)).reduce(factor) for x in (0, across) for y in (0, down)]
    return _corners_mark(np.stack([np.asarray(corner) for corner in corners]), light=1.0) is not None


def _search(thumbnail: "np.ndarray") -> tuple[Box | None, Circle | None]:
    """Find the area inside a frame, and the circle in it; None where the thumbnail has none."""
    area = None
    light = min(1.0, measure_brightness(thumbnail) / FULL_LIGHT)
    left, top, right, bottom = 0, 0, thumbnail.shape[1], thumbnail.shape[0]
    for _ in range(2):  # a dermoscope's circle can lie inside a white margin
        part = thumbnail[top:bottom, left:right]
        surround = _surround(part, light)
        if surround is None:
            break
        inner = _inside_frame(surround, part)
        left, top, right, bottom = (
            left + inner[0], top + inner[1], left + inner[2], top + inner[3],
        )  # fmt: skip
        circle = _find_circle(surround[inner[1] : inner[3], inner[0] : inner[2]])
        if circle is not None:
            return Box(left, top, right, bottom), Circle(circle.x + left, circle.y + top, circle.radius)
        if inner == (0, 0, surround.shape[1], surround.shape[0]):
            break
        area = Box(left, top, right, bottom)
    return area, None


def _surround(thumbnail: "np.ndarray", light: float) -> "np.ndarray | None":
    """Mark the dark pixels or the white ones, whichever fill at least two corners; None if neither do.

    Returns:
        bool, shape (height, width).
    """
    import numpy as np

    ends = slice(None, CORNER_PX), slice(-CORNER_PX, None)
    mark = _corners_mark(np.stack([thumbnail[rows, columns] for rows in ends for columns in ends]), light)
    return None if mark is None else mark(thumbnail, light)


def _corners_mark(corners: "np.ndarray", light: float) -> "Callable[[np.ndarray, float], np.ndarray] | None":
    """Return the function that marks at least half of the pixels in at least two corners: `_dark`, `_white` or none."""
    for mark in (_dark, _white):
        if (mark(corners, light).mean(axis=(1, 2)) > 0.5).sum() >= 2:
            return mark
    return None


def _dark(pixels: "np.ndarray", light: float) -> "np.ndarray":
    import numpy as np

    highest = pixels.max(axis=-1)
    dark_grey = (highest <= DARK_GREY * light) & (highest - pixels.min(axis=-1) <= GREY_RANGE * light)
    return np.asarray((highest <= BLACK * light) | dark_grey)


def _white(pixels: "np.ndarray", light: float) -> "np.ndarray":
    import numpy as np

    del light  # in less light white is not expected
    return np.asarray(pixels.min(axis=-1) >= WHITE)


def _inside_frame(surround: "np.ndarray", thumbnail: "np.ndarray") -> tuple[int, int, int, int]:
    """Leave out the rows and columns at the edges that belong to a frame: left, top, right, bottom.

    A frame ends with a step in brightness. Without one, that side of the picture lies in the shade or in bright light.
    """
    grey = thumbnail.mean(axis=-1)
    height, width = surround.shape
    top, bottom = _inside_lines(surround, grey)
    left, right = _inside_lines(surround[top:bottom].T, grey[top:bottom].T)
    if bottom - top <= MIN_FIELD * height or right - left <= MIN_FIELD * width:
        return 0, 0, width, height
    return left, top, right, bottom


def _inside_lines(surround: "np.ndarray", grey: "np.ndarray") -> tuple[int, int]:
    """Find the first row inside a frame, and the one after the last."""
    full = surround.mean(axis=1) >= FULL_LINE
    if full.all():
        return 0, len(full)
    first, last = int(full.argmin()), len(full) - int(full[::-1].argmin())
    light = grey.mean(axis=1)
    step_above = abs(light[min(first + 2, last - 1)] - light[first - 1]) if first else 0
    step_below = abs(light[max(last - 3, first)] - light[last]) if last < len(full) else 0
    return first if step_above >= MIN_STEP else 0, last if step_below >= MIN_STEP else len(full)


def _find_circle(surround: "np.ndarray") -> Circle | None:
    """Fit a circle to the inner edge of a surround, and check that the surround lies outside of it.

    Rays go from the edges of the picture to its middle. Each gives one point, where the surround ends. Points that do
    not fit, from hairs or a lesion at the edge, are left out and the circle is fitted again.

    Args:
        surround: bool, shape (height, width).
    """
    import numpy as np

    height, width = surround.shape
    x, y = _edge_points(surround)
    if len(x) < MIN_POINTS:
        return None
    circle = _fit_circle(x, y)
    kept = np.ones(len(x), bool)
    for _ in range(3):
        if circle is None:
            return None
        off = np.abs(np.hypot(x - circle.x, y - circle.y) - circle.radius)
        kept = off <= max(1.2, 2 * float(np.median(off)))
        if kept.sum() < MIN_POINTS:
            return None
        circle = _fit_circle(x[kept], y[kept])
    if circle is None:
        return None
    quarters = len(set(zip((x[kept] > circle.x).tolist(), (y[kept] > circle.y).tolist(), strict=True)))
    distance = np.hypot(np.arange(width) - circle.x, (np.arange(height) - circle.y)[:, None])
    outside, inside = surround[distance > circle.radius + 1.5], surround[distance < circle.radius - 1.5]
    fits = (
        kept.mean() > 0.7
        and quarters >= 2
        and circle.radius > 0.22 * min(height, width)
        and abs(circle.x - width / 2) < MAX_OFF_CENTRE * width
        and abs(circle.y - height / 2) < MAX_OFF_CENTRE * height
        and outside.size > 0.004 * surround.size
        and outside.mean() > MIN_SURROUND
        and inside.size > 0
        and inside.mean() < MAX_INSIDE
    )
    return circle if fits else None


def _edge_points(surround: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
    """Find where the surround ends on each ray that begins in it: x and y, in pixels of the array."""
    import numpy as np

    height, width = surround.shape
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)[:, None]
    distances = np.arange(int(np.hypot(width, height) / 2), 2, -1.0)
    x = (width - 1) / 2 + np.cos(angles) * distances
    y = (height - 1) / 2 + np.sin(angles) * distances
    in_picture = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    marked = np.ones(x.shape, bool)
    marked[in_picture] = surround[np.rint(y[in_picture]).astype(int), np.rint(x[in_picture]).astype(int)]
    end = np.argmin(marked, axis=1)
    rays = np.arange(RAYS)
    begins_in_surround = np.cumsum(in_picture, axis=1)[rays, end] >= 2
    used = ~marked[rays, end] & begins_in_surround
    return x[rays, end][used], y[rays, end][used]


def _fit_circle(x: "np.ndarray", y: "np.ndarray") -> Circle | None:
    """Fit a circle by least squares (Kasa, IEEE Trans. Instrum. Meas. 25(1), 1976)."""
    import numpy as np

    (middle_x, middle_y, rest), _, rank, _ = np.linalg.lstsq(
        np.column_stack([2 * x, 2 * y, np.ones(len(x))]), x * x + y * y, rcond=None
    )
    square = rest + middle_x**2 + middle_y**2
    return Circle(float(middle_x), float(middle_y), float(np.sqrt(square))) if rank == 3 and square > 0 else None


def _centre_square(box: Box) -> Box:
    side = min(box.right - box.left, box.bottom - box.top)
    left, top = (box.left + box.right - side) / 2, (box.top + box.bottom - side) / 2
    return Box(left, top, left + side, top + side)
