"""A folder as people have it: names of any bytes, links, files of other kinds, and files that cannot be read."""

import os
import re
import shutil
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

# Names that are awkward in tables, on terminals or in shells. Each is a picture.
NAMES = [
    b"with space.jpg", b"new\nline.jpg", b"tab\there.jpg", b"cr\rhere.jpg", b'quote".jpg', b"comma,semi;.jpg",
    b"latin1-\xe4.jpg", b"\xff\xfe.jpg", b"back\\slash.jpg", b"=cmd|' /C calc'!A0.jpg", b"+1+1.jpg", b"-2+3.jpg",
    b"@SUM(1+1).jpg", b"a;=1+1.jpg", b'=HYPERLINK("http:..x","click").jpg', b"-rf.jpg", b"%2e%2e.jpg",
    b"escape\x1b[2J.jpg", "\u202egpj.exe.jpg".encode(), "👍🏽.jpg".encode(), b"a" * 240 + b".jpg",
    unicodedata.normalize("NFC", "Läsion.jpg").encode(), unicodedata.normalize("NFD", "Läsion.jpg").encode(),
    b"UPPER.JPG", b"b.JPEG", b"c.jfif", b"d.jpe", b"e.pjpeg", b"noextension", b"trailing dot.jpg.", b"f.jpg.part",
    b"folder.jpg/inside.jpg", b"left/1.jpg", b"right/1.jpg",
]  # fmt: skip

SYSTEM_FILES = [b"._IMG_1.jpg", b"__MACOSX/._IMG_2.jpg", b".DS_Store", b"Thumbs.db", b"desktop.ini"]
OTHER_FORMATS = {b"scan.tif": b"II*\0", b"scan.bmp": b"BM", b"scan.dcm": b"DICM", b"notes.txt": b"It grew."}

# A reader of these rights must obey permissions even if the tests run as root.
OBEY_PERMISSIONS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def write_files(folder: Path, names: Iterable[bytes], content: bytes) -> None:
    for name in names:
        path = os.fsencode(folder) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  pathlib takes no bytes
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)


def original_name(escaped: str) -> bytes:
    """Undo the escapes of a name, as docs/inference.md says."""
    return re.sub(rb"\\x(..)", lambda found: bytes.fromhex(found[1].decode()), escaped.encode())


def make_unreadable(path: Path) -> None:
    """Take all permissions away, where the command can be run as somebody who obeys them."""
    if OBEY_PERMISSIONS and not shutil.which(OBEY_PERMISSIONS[0]):
        pytest.skip("setpriv is part of util-linux")
    path.chmod(0)
