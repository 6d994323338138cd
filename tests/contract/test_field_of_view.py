"""The model sees the skin, not the surround."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from contract.image import DecodedImage, decode_image, decode_square
from contract.quality import assess
from tests.odd_pictures import encode

SIZE = 224
WIDTH, HEIGHT = 600, 450


@pytest.fixture(scope="module")
def photo(originals: list[bytes]) -> Image.Image:
    """An original of 600 x 450, without a surround."""
    return Image.fromarray(decode_square(originals[0], HEIGHT).pixels).resize((WIDTH, HEIGHT))


def in_circle(
    picture: Image.Image, diameter: float, colour: int = 4, *, soft: float = 12, shift: tuple[float, float] = (0, 0)
) -> Image.Image:
    """A picture through a dermoscope: the circle's diameter and shift in shares of the shorter side."""
    y, x = np.mgrid[: picture.height, : picture.width]
    side = min(picture.size)
    distance = np.hypot(x - picture.width / 2 - shift[0] * side, y - picture.height / 2 - shift[1] * side)
    seen = np.clip((diameter * side / 2 - distance) / soft + 0.5, 0, 1)[..., None]
    return Image.fromarray((np.asarray(picture) * seen + colour * (1 - seen)).astype(np.uint8))


def decode(picture: Image.Image) -> DecodedImage:
    return decode_square(encode(picture, "JPEG", quality=92), SIZE)


def sides(decoded: DecodedImage) -> tuple[float, float, float, float]:
    return decoded.square.left, decoded.square.top, decoded.square.right, decoded.square.bottom


CENTRE = (75, 0, 525, 450)


def test_without_a_surround_the_centre_square_is_seen(originals: list[bytes]) -> None:
    for original in originals[:5]:
        assert sides(decode_square(original, SIZE)) == pytest.approx(CENTRE, abs=1)


@pytest.mark.parametrize("colour", [0, 4, 30, 70, 255])
@pytest.mark.parametrize("diameter", [1.25, 1.1, 1.0, 0.9, 0.8, 0.6])
def test_the_square_of_a_round_field_is_found(photo: Image.Image, diameter: float, colour: int) -> None:
    decoded = decode(in_circle(photo, diameter, colour))
    side = decoded.square.right - decoded.square.left
    assert side == pytest.approx(HEIGHT * min(1, diameter * 0.97), abs=0.03 * HEIGHT)
    assert (decoded.square.left + decoded.square.right) / 2 == pytest.approx(WIDTH / 2, abs=6)
    assert (decoded.square.top + decoded.square.bottom) / 2 == pytest.approx(HEIGHT / 2, abs=6)


def test_a_field_beside_the_middle_is_found(photo: Image.Image) -> None:
    decoded = decode(in_circle(photo, 0.8, shift=(0.15, -0.05)))
    assert (decoded.square.left + decoded.square.right) / 2 == pytest.approx(WIDTH / 2 + 0.15 * HEIGHT, abs=8)
    assert (decoded.square.top + decoded.square.bottom) / 2 == pytest.approx(HEIGHT / 2 - 0.05 * HEIGHT, abs=8)


@pytest.mark.parametrize("diameter", [1.25, 1.0, 0.8])
def test_nothing_of_the_surround_is_seen(photo: Image.Image, diameter: float) -> None:
    """The corners get skin: no pixel is as dark as the surround unless the plain picture has such pixels."""
    plain = decode(photo).pixels.max(axis=-1).min()
    assert decode(in_circle(photo, diameter)).pixels.max(axis=-1).min() > max(0.6 * plain, 20)


def test_inside_the_circle_the_pixels_stay(photo: Image.Image) -> None:
    plain, round_field = decode(photo).pixels.astype(int), decode(in_circle(photo, 1.25)).pixels.astype(int)
    inside = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2)) < 0.58 * SIZE
    assert np.abs(plain - round_field)[inside].mean() < 2


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_frame_is_left_out(photo: Image.Image, colour: str) -> None:
    framed = Image.new("RGB", (WIDTH + 120, HEIGHT + 80), colour)
    framed.paste(photo, (60, 40))
    assert sides(decode(framed)) == pytest.approx((135, 40, 585, 490), abs=8)


def test_a_circle_in_a_white_margin_is_found(photo: Image.Image) -> None:
    slide = Image.new("RGB", (WIDTH + 160, HEIGHT + 160), "white")
    slide.paste(in_circle(photo, 1.0), (80, 80))
    side = decode(slide).square.right - decode(slide).square.left
    assert side == pytest.approx(HEIGHT * 0.97, abs=16)


@pytest.mark.parametrize("colour", [4, 255])
def test_a_surround_is_no_fault_of_the_picture(photo: Image.Image, colour: int) -> None:
    encoded = encode(in_circle(photo, 1.0, colour, soft=2), "JPEG", quality=92)
    assert assess(decode_image(encoded, SIZE)) == []


def test_hairs_across_the_edge_do_not_hide_the_circle(photo: Image.Image) -> None:
    picture = in_circle(photo, 0.9)
    draw = ImageDraw.Draw(picture)
    for start, end in (((100, 60), (300, 200)), ((480, 100), (350, 240)), ((250, 440), (280, 300))):
        draw.line((*start, *end), fill=(30, 25, 20), width=5)
    side = decode(picture).square.right - decode(picture).square.left
    assert side == pytest.approx(0.87 * HEIGHT, abs=0.03 * HEIGHT)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (40, 40, 40)])
def test_a_picture_of_one_colour_has_no_surround(colour: tuple[int, int, int]) -> None:
    assert sides(decode(Image.new("RGB", (WIDTH, HEIGHT), colour))) == pytest.approx(CENTRE, abs=1)


def test_shade_without_an_edge_is_no_frame() -> None:
    shade = Image.linear_gradient("L").resize((HEIGHT, HEIGHT)).convert("RGB")
    assert sides(decode(shade)) == pytest.approx((0, 0, HEIGHT, HEIGHT), abs=1)


def test_a_dark_lesion_in_two_corners_is_no_surround(photo: Image.Image) -> None:
    ImageDraw.Draw(photo := photo.copy()).ellipse((-200, -100, 250, 550), fill=(20, 12, 10))
    blurred = photo.filter(ImageFilter.GaussianBlur(4))
    decoded = decode(blurred)
    assert decoded.square.right - decoded.square.left > 0.7 * HEIGHT


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_square_is_that_of_the_upright_picture(photo: Image.Image, orientation: int) -> None:
    picture = in_circle(photo, 0.7, shift=(0.2, 0.1))
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = decode_square(encode(picture.transpose(turn), "PNG", exif=exif), SIZE)
    assert sides(stored) == pytest.approx(sides(decode_square(encode(picture, "PNG"), SIZE)), abs=8)
    assert (stored.width, stored.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("light", [0.7, 0.4, 0.25])
def test_dim_skin_is_no_surround_and_a_dim_circle_is_found(photo: Image.Image, light: float) -> None:
    dim = photo.point(lambda value: int(value * light))
    assert sides(decode(dim)) == pytest.approx(CENTRE, abs=1)
    seen = decode(in_circle(dim, 0.8, colour=2)).square
    assert seen.right - seen.left == pytest.approx(0.8 * 0.97 * HEIGHT, abs=0.04 * HEIGHT)


@pytest.mark.parametrize("size", [(1200, 900), (4000, 3000), (341, 256)])
def test_the_square_is_the_same_share_at_every_size(photo: Image.Image, size: tuple[int, int]) -> None:
    decoded = decode(in_circle(photo, 0.9).resize(size))
    scale = size[1] / HEIGHT
    expected = [value * scale for value in sides(decode(in_circle(photo, 0.9)))]
    assert sides(decoded) == pytest.approx(expected, abs=8 * scale)
