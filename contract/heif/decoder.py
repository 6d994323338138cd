"""Decodes the tiles of a HEIF picture with libheif and libde265, and opens HEIC files as Pillow opens others.

Both libraries are written in C++, and crafted files have made them run an attacker's code
(docs/decisions/heic.md). So they never get the file: each tile is given to them in a new file of one picture, whose
size has been compared with the size in its bitstream. All else is done here.
"""

import io
import itertools
import struct
from typing import TYPE_CHECKING, Final

from PIL import Image
from PIL.ImageFile import ImageFile

from contract.heif.boxes import write_box, write_full_box
from contract.heif.nclx import icc_profile_of
from contract.heif.picture import Grid, HeifPicture, Tile, read_primary_picture

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

LARGEST_REDUCTION: Final = 8  # the same as of a JPEG
# Tiles can end outside the picture, and a crop hides pixels. Limits for each pixel of the picture, and in addition.
MAX_CODED_SHARE: Final = 2
MORE_CODED_PX: Final = 2**20

_PICTURE_ITEM: Final = 1


class HeifImageFile(ImageFile):
    """The primary picture of a HEIC file: RGB, or RGBA if it has transparency; upright already.

    `info["icc_profile"]` is the colour profile of the pixels, if they are not sRGB.
    """

    format = "HEIF"
    format_description = "HEIC"
    _reduction = 1

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 - the type allows None, ImageFile does not
        self._picture = read_primary_picture(self.fp.read())
        _check_coded_pixels(self._picture)
        self._mode = "RGBA" if self._picture.alpha else "RGB"
        self._size = self._picture.size
        profile = self._picture.icc_profile or icc_profile_of(self._picture.nclx)
        if profile:
            self.info["icc_profile"] = profile

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Reduce each tile as soon as it is decoded, to 1/2, 1/4 or 1/8, if the picture then still covers `size`.

        Only if all sides are multiples of 2, 4 or 8, as those of phones are: no pixel of the result is then partial.
        """
        del mode
        if size is None:
            return None
        largest = min(self.size[0] // size[0], self.size[1] // size[1], LARGEST_REDUCTION)
        grid, crops = self._picture.colour, [edges for edges in self._picture.transforms if isinstance(edges, tuple)]
        sides = [grid.width, grid.height, grid.tile_width, grid.tile_height, *itertools.chain(*crops)]
        for reduction in (8, 4, 2):
            if reduction <= largest and all(side % reduction == 0 for side in sides):
                self._reduction = reduction
                self._size = self.size[0] // reduction, self.size[1] // reduction
                return self.mode, (0, 0, *self._size)
        return None

    def load(self) -> "PixelAccess | None":
        """Decode all tiles."""
        if self._im is None:
            decoded = _decode(self._picture, self._reduction)
            self.im, self._mode, self._size = decoded.im, decoded.mode, decoded.size
        return Image.Image.load(self)


def _check_coded_pixels(picture: HeifPicture) -> None:
    """Refuse a picture for which more is decoded than its size shows."""
    width, height = picture.size
    most = MAX_CODED_SHARE * width * height + MORE_CODED_PX
    if any(grid.coded_pixels > most for grid in (picture.colour, picture.alpha) if grid):
        raise ValueError("much more is stored than is shown")


def _decode(picture: HeifPicture, reduction: int) -> Image.Image:
    decoded = _decode_grid(picture, picture.colour, "RGB", reduction)
    if picture.alpha:
        alpha = _decode_grid(picture, picture.alpha, "L", reduction).resize(decoded.size)
        decoded.putalpha(alpha)
        if picture.premultiplied:
            decoded = Image.frombytes("RGBa", decoded.size, decoded.tobytes()).convert("RGBA")
    for transform in picture.transforms:
        if isinstance(transform, tuple):
            left, top, right, bottom = (edge // reduction for edge in transform)
            decoded = decoded.crop((left, top, right, bottom))
        else:
            decoded = decoded.transpose(transform)
    return decoded


def _decode_grid(picture: HeifPicture, grid: Grid, mode: str, reduction: int) -> Image.Image:
    if grid.tile_width % reduction or grid.tile_height % reduction:
        reduction = 1  # transparency can have other tiles; it is scaled afterwards
    decoded = Image.new(mode, (grid.width // reduction, grid.height // reduction))
    for number, tile in enumerate(picture.tiles(grid)):
        row, column = divmod(number, grid.columns)
        tile_picture = _decode_tile(tile, grid, picture.nclx).convert(mode)
        if reduction > 1:
            tile_picture = tile_picture.reduce(reduction)
        left, top = column * grid.tile_width // reduction, row * grid.tile_height // reduction
        decoded.paste(tile_picture, (left, top))
    return decoded


def _decode_tile(tile: Tile, grid: Grid, nclx: bytes) -> Image.Image:
    """Decode a tile: RGB or L, of the size that the grid says."""
    import pillow_heif  # 25 MB of libraries: only a HEIC needs them

    pillow_heif.options.DECODE_THREADS = 0  # decoding on threads of its own has had errors of its own
    encoded = _file_of(tile, grid.tile_width, grid.tile_height, nclx)
    decoded = pillow_heif.open_heif(io.BytesIO(encoded), convert_hdr_to_8bit=True).to_pillow()
    return decoded.crop((0, 0, grid.tile_width, grid.tile_height))


def _file_of(tile: Tile, width: int, height: int, nclx: bytes) -> bytes:
    """Write a HEIC file that has only one tile."""
    properties = [
        write_box(b"hvcC", tile.configuration),
        write_full_box(b"ispe", struct.pack(">LL", width, height)),
    ]
    if nclx:
        properties.append(write_box(b"colr", b"nclx", nclx))
    associations = bytes(0x80 | number for number in range(1, len(properties) + 1))
    before = write_box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")
    tables = [
        write_full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
        write_full_box(b"pitm", struct.pack(">H", _PICTURE_ITEM)),
        write_full_box(
            b"iinf",
            struct.pack(">H", 1),
            write_full_box(b"infe", struct.pack(">HH", _PICTURE_ITEM, 0), b"hvc1", b"\0", version=2),
        ),
        write_box(
            b"iprp",
            write_box(b"ipco", *properties),
            write_full_box(b"ipma", struct.pack(">LHB", 1, _PICTURE_ITEM, len(associations)), associations),
        ),
    ]
    # iloc: offsets and lengths of 4 bytes, no base; one item, in this file, in one extent
    location = struct.pack(">BBHHHHLL", 0x44, 0, 1, _PICTURE_ITEM, 0, 1, 0, len(tile.bitstream))
    meta_bytes = len(write_full_box(b"meta", *tables, write_full_box(b"iloc", location)))
    offset = len(before) + meta_bytes + 8
    location = location[:-8] + struct.pack(">LL", offset, len(tile.bitstream))
    meta = write_full_box(b"meta", *tables, write_full_box(b"iloc", location))
    return before + meta + write_box(b"mdat", tile.bitstream)
