"""The names of the changes, in groups and in words for people. Loads nothing, because `lesion card` prints them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from contract.bundle import ChangeEffect

GROUPS: Final = {
    "border": "Borders and frames",
    "light": "Exposure",
    "colour": "Colour of the light, colour profiles",
    "marks": "Ink, rulers and hairs",
    "blur": "Blur",
    "turn": "Right-angle turns and mirror image",
    "file": "File format and size",
}
NOISE_FLOOR: Final = "jpeg_92"  # the smallest change: its effect is noise


class Named(NamedTuple):
    """One change in words."""

    group: str  # of GROUPS
    words: str


NAMES: Final = {
    "dark_circle_1.25": Named("border", "dark circle, diameter 1.25 of the short side"),
    "dark_circle_1.1": Named("border", "dark circle, diameter 1.1"),
    "dark_circle_1.0": Named("border", "dark circle, diameter 1.0"),
    "dark_circle_0.9": Named("border", "dark circle, diameter 0.9"),
    "dark_circle_0.8": Named("border", "dark circle, diameter 0.8"),
    "white_circle_1.0": Named("border", "white circle, diameter 1.0"),
    "dark_frame": Named("border", "dark frame, as of a slide"),
    "white_frame": Named("border", "white margin, as of a screenshot"),
    "light_0.7": Named("light", "underexposed, light x 0.7"),
    "light_0.5": Named("light", "underexposed, light x 0.5"),
    "light_0.4": Named("light", "underexposed, light x 0.4"),
    "light_1.3": Named("light", "overexposed, light x 1.3"),
    "gamma_0.7": Named("light", "gamma 0.7, lighter"),
    "gamma_1.5": Named("light", "gamma 1.5, darker"),
    "warm_lamp": Named("colour", "warm lamp"),
    "cool_lamp": Named("colour", "cool lamp"),
    "display_p3": Named("colour", "Display P3, with its profile"),
    "adobe_rgb": Named("colour", "Adobe RGB, with its profile"),
    "ink": Named("marks", "pen strokes beside the lesion"),
    "ruler": Named("marks", "ruler at one side"),
    "scale": Named("marks", "ticks of a scale"),
    "hairs": Named("marks", "hairs"),
    "blur": Named("blur", "blurred"),
    "blur_date": Named("blur", "blurred, under a date stamp"),
    "blur_scale": Named("blur", "blurred, under ticks of a scale"),
    "turned_90": Named("turn", "turned by 90 degrees"),
    "turned_180": Named("turn", "turned by 180 degrees"),
    "turned_270": Named("turn", "turned by 270 degrees"),
    "mirrored": Named("turn", "mirrored"),
    NOISE_FLOOR: Named("file", "JPEG, quality 92: the noise floor"),
    "jpeg_50": Named("file", "JPEG, quality 50"),
    "png": Named("file", "PNG"),
    "webp": Named("file", "WebP, lossless"),
    "megapixels_12": Named("file", "enlarged to 12 megapixels"),
    "megapixels_24": Named("file", "enlarged to 24 megapixels"),
}
TURNS: Final = tuple(name for name, named in NAMES.items() if named.group == "turn")


def heading_of(group: str) -> str:
    """Name a group for people; one that this code does not know, by its code."""
    return GROUPS.get(group, group)


def by_group(effects: "Mapping[str, ChangeEffect]") -> "dict[str, dict[str, ChangeEffect]]":
    """Sort the effects of changes by their groups: group -> name -> effect, in the order of `effects`."""
    groups: dict[str, dict[str, ChangeEffect]] = {}
    for name, effect in effects.items():
        groups.setdefault(effect.group, {})[name] = effect
    return groups


def words_for(name: str) -> str:
    """Describe a change; one that this code does not know, by its name."""
    return NAMES[name].words if name in NAMES else name.replace("_", " ")
