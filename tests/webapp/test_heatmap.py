"""The heatmap of the explanation, which lies over the picture."""

import io

import pytest
from PIL import Image

from contract.api import Square
from webapp.heatmap import OUTSIDE, STOPS, STRONGEST_ALPHA, draw_heatmap


def drawn(grid: list[list[float]], width: int, height: int) -> Image.Image:
    side = min(width, height)
    return drawn_on(grid, Square(left=(width - side) // 2, top=(height - side) // 2, side=side), width, height)


def drawn_on(grid: list[list[float]], square: Square, width: int, height: int) -> Image.Image:
    return Image.open(io.BytesIO(draw_heatmap(grid, square, width, height))).convert("RGBA")


def rgba(image: Image.Image, position: tuple[int, int]) -> tuple[int, ...]:
    """One pixel: red, green, blue, alpha."""
    pixel = image.getpixel(position)
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize(("width", "height"), [(600, 450), (450, 600), (300, 300), (33, 1024), (1024, 33)])
@pytest.mark.parametrize("cells", [1, 7, 14])
def test_the_heatmap_has_the_size_of_the_picture(width: int, height: int, cells: int) -> None:
    assert drawn([[0.5] * cells] * cells, width, height).size == (width, height)


def test_no_evidence_is_transparent_and_the_strongest_has_the_last_colour() -> None:
    assert drawn([[0.0]], 64, 64).getchannel("A").getextrema() == (0, 0)
    assert drawn([[1.0]], 64, 64).getcolors() == [(64 * 64, (*STOPS[-1], STRONGEST_ALPHA))]


def test_more_evidence_is_lighter_and_less_transparent() -> None:
    ladder = [rgba(drawn([[step / 10]], 32, 32), (16, 16)) for step in range(1, 11)]
    lightness = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue, _ in ladder]
    assert lightness == sorted(lightness)
    alphas = [alpha for *_, alpha in ladder]
    assert alphas == sorted(alphas)


def test_evidence_is_drawn_at_its_position_in_the_grid() -> None:
    top_right = [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    shown = drawn(top_right, 600, 450)
    alphas = {place: rgba(shown, place)[3] for place in [(450, 75), (150, 75), (150, 375), (450, 375), (300, 225)]}
    assert max(alphas, key=alphas.__getitem__) == (450, 75)
    assert alphas[(150, 375)] == 0


@pytest.mark.parametrize(
    ("width", "height", "outside", "inside"),
    [
        (600, 450, [(0, 0), (74, 225), (525, 225), (599, 449)], [(75, 0), (524, 449)]),
        (450, 600, [(0, 0), (225, 74), (225, 525), (449, 599)], [(0, 75), (449, 524)]),
    ],
)
def test_the_area_that_the_model_does_not_see_is_darkened(
    width: int, height: int, outside: list[tuple[int, int]], inside: list[tuple[int, int]]
) -> None:
    shown = drawn([[0.0] * 7] * 7, width, height)
    assert {rgba(shown, place) for place in outside} == {OUTSIDE}
    assert {rgba(shown, place)[3] for place in inside} == {0}


def test_the_evidence_lies_on_the_square_that_the_model_sees() -> None:
    shown = drawn_on([[1.0]], Square(left=200, top=50, side=300), 600, 450)
    assert {rgba(shown, place) for place in [(199, 200), (500, 200), (350, 49), (350, 350)]} == {OUTSIDE}
    assert {rgba(shown, place)[3] for place in [(200, 50), (499, 349), (350, 200)]} == {STRONGEST_ALPHA}
