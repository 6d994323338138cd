"""Each change does what its name says, is the same for the same seed, and gives a file that opens."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from contract.image import decode_image, decode_upright
from tests.training.evaluation.robustness.pictures import paint_lesion
from training.colour_spaces import ADOBE_RGB, DISPLAY_P3, ColourSpace
from training.evaluation.robustness.changes import CANVAS_PX, CHANGES, to_canvas
from training.evaluation.robustness.drawings import draw_date, draw_hairs, draw_ink, draw_ruler, draw_scale
from training.evaluation.robustness.files import save_in_space, save_png
from training.evaluation.robustness.measure import change_picture
from training.evaluation.robustness.names import GROUPS, NAMES, TURNS
from training.evaluation.robustness.optics import (
    COOL,
    WARM,
    apply_gamma,
    blur,
    draw_circular_border,
    draw_frame,
    expose,
    multiply_channels,
)
from training.evaluation.robustness.profiles import convert_to, icc_profile

LARGE = ("megapixels_12", "megapixels_24")


@pytest.fixture(scope="module")
def lesion() -> Image.Image:
    return to_canvas(paint_lesion(0))


def values(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, float)


def made(name: str, picture: Image.Image, seed: int = 0) -> np.ndarray:
    return values(decode_upright(CHANGES[name](picture, np.random.default_rng(seed))))


def test_every_change_has_a_name_and_a_group() -> None:
    assert list(CHANGES) == list(NAMES)
    assert {named.group for named in NAMES.values()} == set(GROUPS)
    assert len({named.words for named in NAMES.values()}) == len(NAMES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_gives_a_file_that_the_decoder_opens(name: str, lesion: Image.Image) -> None:
    decoded = decode_image(CHANGES[name](lesion, np.random.default_rng(0)), 64)
    assert decoded.pixels.shape == (64, 64, 3)
    assert decoded.pixels.std() > 3
    megapixels = float(name.split("_")[1]) if name in LARGE else 0.27
    assert decoded.width * decoded.height / 1e6 == pytest.approx(megapixels, rel=0.01)
    assert max(decoded.width, decoded.height) / min(decoded.width, decoded.height) == pytest.approx(4 / 3, abs=0.01)


def test_the_same_seed_gives_the_same_files_whatever_else_is_made() -> None:
    encoded = save_png(paint_lesion(1))
    names = [name for name in CHANGES if name not in LARGE]
    together = list(change_picture(encoded, "a", names, seed=1))
    assert [next(iter(change_picture(encoded, "a", [name], seed=1))) for name in names] == together
    drawn = [names.index(name) for name in ("ink", "hairs", "ruler", "blur_date")]
    for other in (change_picture(encoded, "b", names, seed=1), change_picture(encoded, "a", names, seed=2)):
        files = list(other)
        assert all(files[number] != together[number] for number in drawn)
        assert files[0] == together[0]  # nothing is random in a border


def test_a_picture_is_scaled_to_the_size_that_was_published() -> None:
    for size in ((256, 341), (1200, 900), (600, 450), (40, 40)):
        width, height = to_canvas(Image.new("RGB", size)).size
        assert min(width, height) == CANVAS_PX
        assert width / height == pytest.approx(size[0] / size[1], abs=0.002)
    same = paint_lesion(0, 600, 450)
    assert np.array_equal(values(to_canvas(same)), values(same))


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_long_strip_the_middle_is_changed(turned: bool) -> None:
    strip = Image.new("RGB", (9000, 40), "white")
    strip.paste((200, 0, 0), (4430, 0, 4570, 40))  # a little wider than what is kept
    canvas = to_canvas(strip.transpose(Image.Transpose.ROTATE_90) if turned else strip)
    assert sorted(canvas.size) == [450, 1350]
    assert np.abs(values(canvas) - [200, 0, 0]).max() == 0


@pytest.mark.parametrize("diameter", [1.25, 1.1, 1.0, 0.9, 0.8])
def test_a_dark_circle_covers_what_is_outside_and_nothing_inside(diameter: float, lesion: Image.Image) -> None:
    bordered, before = values(draw_circular_border(lesion, diameter)), values(lesion)
    down, across = np.mgrid[:450, :600]
    distance = np.hypot(down - 224.5, across - 299.5)
    outside, inside = distance > diameter * 225 + 7, distance < diameter * 225 - 7
    assert bordered[outside].max() < 10
    assert np.array_equal(bordered[inside], before[inside])
    edge = values(draw_circular_border(Image.new("RGB", (600, 450), "white"), diameter))[224, :, 0]
    assert 9 <= (0.5 * np.sum((edge > 10) & (edge < 250))) <= 13  # its edge is soft


def test_a_white_circle_is_white_outside(lesion: Image.Image) -> None:
    assert values(draw_circular_border(lesion, 1.0, colour=255.0))[0, 0].tolist() == [255, 255, 255]


def test_a_frame_keeps_all_of_the_picture_inside(lesion: Image.Image) -> None:
    framed = values(draw_frame(lesion, 8.0))
    margin = 36
    assert np.all(framed[:margin] == 8)
    assert np.all(framed[:, -margin:] == 8)
    inner = Image.fromarray(framed[margin:-margin, margin:-margin].astype(np.uint8)).resize((60, 45))
    assert np.abs(values(inner) - values(lesion.resize((60, 45)))).mean() < 4


def test_exposure_multiplies_and_clips(lesion: Image.Image) -> None:
    before = values(lesion)
    assert np.abs(values(expose(lesion, 0.4)) - 0.4 * before).max() <= 0.5
    assert np.abs(values(expose(lesion, 1.3)) - np.minimum(1.3 * before, 255)).max() <= 0.5


def test_gamma_keeps_black_and_white() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3))
    lighter, darker = values(apply_gamma(ramp, 0.7))[0, :, 0], values(apply_gamma(ramp, 1.5))[0, :, 0]
    for curve in (lighter, darker):
        assert (curve[0], curve[255]) == (0, 255)
    assert lighter[128] == 157  # 255 * (128 / 255) ** 0.7
    assert darker[128] == 91


def test_a_warm_lamp_gives_less_blue_than_red_and_a_cool_one_more(lesion: Image.Image) -> None:
    red, _, blue = values(lesion).mean(axis=(0, 1))
    for gains, warmer in ((WARM, True), (COOL, False)):
        changed = values(multiply_channels(lesion, gains)).mean(axis=(0, 1))
        assert (changed[2] / changed[0] < blue / red) == warmer


def test_a_blur_removes_the_texture_and_keeps_the_mean(lesion: Image.Image) -> None:
    before, after = values(lesion), values(blur(lesion, 7 / 450))
    assert np.abs(np.diff(after, axis=1)).mean() < 0.3 * np.abs(np.diff(before, axis=1)).mean()
    assert after.mean() == pytest.approx(before.mean(), abs=1)


@pytest.mark.parametrize(
    ("draw", "smallest", "largest"),
    [
        (draw_ink, 0.004, 0.08),
        (draw_hairs, 0.01, 0.15),
        (draw_ruler, 0.05, 0.14),
        (draw_scale, 0.001, 0.02),
        (draw_date, 0.005, 0.05),
    ],
)
def test_a_mark_changes_a_part_of_the_centre_square(
    draw: object, smallest: float, largest: float, lesion: Image.Image
) -> None:
    for seed in range(12):
        marked = values(draw(lesion, np.random.default_rng(seed)))  # type: ignore[operator]
        changed = np.abs(marked - values(lesion)).max(axis=2)[:, 75:525] > 20
        assert smallest < changed.mean() < largest
        if draw is draw_ink:
            assert not changed[180:270, 180:270].any()  # beside the lesion, not on it


@pytest.mark.parametrize(("name", "turns"), [("turned_90", 1), ("turned_180", 2), ("turned_270", 3)])
def test_a_turn_moves_every_pixel_and_changes_none(name: str, turns: int, lesion: Image.Image) -> None:
    smooth = blur(lesion, 0.01)  # JPEG changes texture
    assert np.abs(made(name, smooth) - np.rot90(values(smooth), turns)).max() < 12
    assert name in TURNS


def test_the_mirror_image_is_mirrored(lesion: Image.Image) -> None:
    smooth = blur(lesion, 0.01)
    assert np.abs(made("mirrored", smooth) - values(smooth)[:, ::-1]).max() < 12


@pytest.mark.parametrize("name", ["png", "webp"])
def test_lossless_files_keep_every_pixel(name: str, lesion: Image.Image) -> None:
    assert np.array_equal(made(name, lesion), values(lesion))


def test_a_lower_quality_changes_more(lesion: Image.Image) -> None:
    loss = {name: np.abs(made(name, lesion) - values(lesion)).mean() for name in ("jpeg_92", "jpeg_50")}
    assert 0 < loss["jpeg_92"] < loss["jpeg_50"]


@pytest.mark.parametrize("space", [DISPLAY_P3, ADOBE_RGB], ids=lambda space: space.name)
def test_a_viewer_that_reads_the_profile_sees_the_same_colours(space: ColourSpace, lesion: Image.Image) -> None:
    """LittleCMS, which is independent of this code, converts the pixels back."""
    random = np.random.default_rng(0)
    patches = Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).resize((64, 64), Image.Resampling.NEAREST)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile(space)))
    assert space.name in ImageCms.getProfileDescription(profile)
    for picture in (lesion, patches):
        stored = convert_to(space, picture)
        seen = ImageCms.profileToProfile(stored, profile, ImageCms.createProfile("sRGB"))
        assert seen is not None
        difference = np.abs(values(seen) - values(picture))
        assert difference.mean() < 1.0
        assert np.percentile(difference, 99) <= 4
        assert np.abs(values(stored) - values(picture)).mean() > 3  # without the profile the colours are wrong


@pytest.mark.parametrize("space", [DISPLAY_P3, ADOBE_RGB], ids=lambda space: space.name)
def test_the_file_contains_its_profile(space: ColourSpace, lesion: Image.Image) -> None:
    with Image.open(io.BytesIO(save_in_space(lesion, space))) as opened:
        assert opened.info["icc_profile"] == icc_profile(space)
