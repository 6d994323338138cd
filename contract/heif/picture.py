"""Finds the primary picture of a HEIF file (ISO/IEC 23008-12): tiles, transparency, how to turn it, colour space.

Nothing is decoded. Thumbnails, depth and gain maps, further pictures and metadata are not read, and neither is the EXIF
orientation: in HEIF, the properties `irot` and `imir` turn a picture, and EXIF only repeats them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from PIL import Image

from contract.errors import UnsupportedPictureError
from contract.heif import hevc
from contract.heif.boxes import Box, Reader, boxes_in
from contract.heif.tables import ItemTables

MAX_PADDING_PX: Final = 127  # that an encoder may add to a side: two of the largest blocks of HEVC, less one
ALPHA_TYPES: Final = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")

_ROTATIONS: Final = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}
_MIRRORS: Final = {0: Image.Transpose.FLIP_TOP_BOTTOM, 1: Image.Transpose.FLIP_LEFT_RIGHT}

Crop = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Transform = Crop | Image.Transpose


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One HEVC picture."""

    configuration: bytes  # decoder configuration record of the bitstream
    bitstream: bytes  # only the slices of one picture


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A picture as it is stored: tiles of one size, row after row."""

    width: int  # in pixels; the last column and row of tiles can be partly outside
    height: int
    tile_width: int
    tile_height: int
    columns: int
    items: tuple[int, ...]  # one for each tile

    @property
    def coded_pixels(self) -> int:
        """Return how many pixels are decoded."""
        return len(self.items) * self.tile_width * self.tile_height


@dataclass(frozen=True, kw_only=True)
class HeifPicture:
    """The primary picture."""

    tables: ItemTables
    colour: Grid
    alpha: Grid | None
    premultiplied: bool  # the colours are already multiplied with alpha
    transforms: tuple[Transform, ...]  # to apply in this order
    icc_profile: bytes  # or b""
    nclx: bytes  # content of an `nclx` colour box, or b""

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height after the transforms."""
        size = (self.colour.width, self.colour.height)
        for transform in self.transforms:
            size = size_after(size, transform)
        return size

    def tiles(self, grid: Grid) -> Iterator[Tile]:
        """Read the tiles of a grid, one after the other.

        Raises:
            ValueError, KeyError, struct.error: a tile is damaged, or larger than the file says.
        """
        size = (grid.tile_width, grid.tile_height)
        checked: dict[bytes, bytes] = {}  # all tiles usually have the same configuration
        for item in grid.items:
            if self.tables.kind(item) != b"hvc1" or _declared_size(self.tables, item) != size:
                raise ValueError("the tiles differ in format or size")
            configuration = self.tables.first_property(item, b"hvcC")
            if configuration not in checked:
                checked[configuration] = _checked_configuration(configuration, size)
            bitstream = hevc.only_picture(configuration, self.tables.content(item))
            yield Tile(configuration=checked[configuration], bitstream=bitstream)


def size_after(size: tuple[int, int], transform: Transform) -> tuple[int, int]:
    """Return the size of a picture after a transform."""
    if isinstance(transform, tuple):
        left, top, right, bottom = transform
        return right - left, bottom - top
    quarter_turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)
    return (size[1], size[0]) if transform in quarter_turns else size


def read_primary_picture(encoded: bytes) -> HeifPicture:
    """Find the primary picture.

    Raises:
        UnsupportedPictureError: the file has only a video, or the picture is in another format than HEVC.
        ValueError, KeyError, IndexError, struct.error: the file is damaged.
    """
    tables = ItemTables(encoded, _meta_box(encoded))
    primary = tables.primary
    colour = _grid(tables, primary)
    alphas = [item for item in tables.references(b"auxl", to=primary) if _is_alpha(tables, item)]
    return HeifPicture(
        tables=tables,
        colour=colour,
        alpha=_grid(tables, alphas[0]) if alphas else None,
        premultiplied=bool(alphas) and alphas[0] in tables.references(b"prem", of=primary),
        transforms=_transforms(tables, primary, (colour.width, colour.height)),
        icc_profile=_colours(tables, primary, b"prof") or _colours(tables, primary, b"rICC"),
        nclx=_colours(tables, primary, b"nclx") or _colours(tables, colour.items[0], b"nclx"),
    )


def _meta_box(encoded: bytes) -> Box:
    kinds = set()
    for box in boxes_in(encoded, 0, len(encoded)):
        if box.kind == b"meta":
            return box
        kinds.add(box.kind)
    if b"moov" in kinds:
        raise UnsupportedPictureError("The HEIF file has no still picture, only a video. Please send a JPEG.")
    raise ValueError("there is no table of items")


def _grid(tables: ItemTables, item: int) -> Grid:
    """Read size and tiles of an HEVC picture, or of a grid of them."""
    if tables.kind(item) == b"hvc1":
        items, columns = [item], 1
        width, height = _declared_size(tables, item)
    elif tables.kind(item) == b"grid":
        content = tables.content(item)
        reader = Reader(content, 0, len(content))
        _, flags, rows, columns = (reader.number(1) for _ in range(4))
        rows, columns = rows + 1, columns + 1
        width, height = (reader.number(4 if flags & 1 else 2) for _ in range(2))
        items = tables.references(b"dimg", of=item)
        if len(items) != rows * columns:
            raise ValueError("the number of tiles is wrong")
    else:
        raise UnsupportedPictureError(
            "The picture in the HEIF file is not stored as a phone's photo is (HEVC). Please send it as JPEG."
        )
    tile_width, tile_height = _declared_size(tables, items[0])
    for side, tile_side, count in ((width, tile_width, columns), (height, tile_height, len(items) // columns)):
        if not (count - 1) * tile_side < side <= count * tile_side:
            raise ValueError("the tiles do not cover the picture, or some are outside")
    return Grid(
        width=width,
        height=height,
        tile_width=tile_width,
        tile_height=tile_height,
        columns=columns,
        items=tuple(items),
    )


def _checked_configuration(configuration: bytes, size: tuple[int, int]) -> bytes:
    """Compare the size in the bitstream with that in the file: nothing else limits what a decoder allocates."""
    for coded, declared in zip(hevc.coded_size(configuration), size, strict=True):
        if not declared <= coded <= declared + MAX_PADDING_PX:
            raise ValueError("the size in the bitstream is not that in the file")
    return hevc.only_parameter_sets(configuration)


def _declared_size(tables: ItemTables, item: int) -> tuple[int, int]:
    width, height = struct.unpack_from(">LL", tables.first_property(item, b"ispe"), 4)
    return width, height


def _is_alpha(tables: ItemTables, item: int) -> bool:
    return tables.first_property(item, b"auxC")[4:].split(b"\0")[0] in ALPHA_TYPES


def _colours(tables: ItemTables, item: int, kind: bytes) -> bytes:
    """Return the content of the first colour box of a kind; b"" if there is none."""
    boxes = [content for _, content in tables.properties(item, b"colr") if content[:4] == kind]
    return boxes[0][4:] if boxes else b""


def _transforms(tables: ItemTables, item: int, size: tuple[int, int]) -> tuple[Transform, ...]:
    """Read how to crop and turn a picture: each property at most once, in the order of the file."""
    transforms: dict[bytes, Transform] = {}
    for kind, content in tables.properties(item, b"clap", b"irot", b"imir"):
        transform: Transform | None = None
        if kind == b"clap":
            transform = _clean_aperture(content, size)
        elif kind == b"irot":
            transform = _ROTATIONS.get(content[0] & 3)  # anticlockwise, as Pillow's
        elif kind == b"imir":
            transform = _MIRRORS[content[0] & 1]
        if transform is not None and kind not in transforms:
            transforms[kind] = transform
            size = size_after(size, transform)
    return tuple(transforms.values())


def _clean_aperture(content: bytes, size: tuple[int, int]) -> Crop:
    """Read which part of a picture to keep (ISO/IEC 14496-12, section 12.1.4): sizes, then offsets of the centre."""
    numbers = struct.unpack_from(">LLLLlLlL", content)
    if 0 in numbers[1::2]:
        raise ValueError("a crop has a zero as denominator")
    width, height, right, down = (Fraction(*numbers[at : at + 2]) for at in (0, 2, 4, 6))
    left, top = round(right + (size[0] - width) / 2), round(down + (size[1] - height) / 2)
    crop = (left, top, left + int(width), top + int(height))
    if not (0 <= crop[0] < crop[2] <= size[0] and 0 <= crop[1] < crop[3] <= size[1]):
        raise ValueError("a crop is outside the picture")
    return crop
