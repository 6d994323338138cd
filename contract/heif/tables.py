"""The tables in the `meta` box of a HEIF file (ISO/IEC 14496-12, section 8.11): its items and what belongs to them.

Each table is read when it is first needed. Damage raises ValueError, KeyError or struct.error, which the decoder
translates as it does Pillow's errors.
"""

from functools import cached_property
from typing import Final

from contract.heif.boxes import Box, Reader, boxes_in, find_box

MAX_ITEMS: Final = 10_000  # a picture of 50 megapixels in tiles of 128 x 128 has 3,052

_IN_FILE, _IN_ITEM_DATA = 0, 1  # where the bytes of an item are


class ItemTables:
    """The items of a file by their numbers."""

    def __init__(self, encoded: bytes, meta: Box) -> None:
        """Read nothing but the sizes of the boxes in `meta`."""
        self._encoded = encoded
        self._inside = {box.kind: box for box in reversed([*boxes_in(encoded, meta.body + 4, meta.end)])}
        self._bytes_left = len(encoded)  # that items may still have
        self._property_contents: dict[Box, bytes] = {}  # many tiles share a property: it is copied once

    @cached_property
    def primary(self) -> int:
        """Return the primary item."""
        reader, version = self._open(b"pitm")
        return reader.number(2 if version == 0 else 4)

    def kind(self, item: int) -> bytes:
        """Return the type of an item, four bytes; b"" if there is no such item."""
        return self._kinds.get(item, b"")

    def references(self, kind: bytes, *, of: int | None = None, to: int | None = None) -> list[int]:
        """List the items to which an item refers, or those that refer to an item."""
        found = []
        for found_kind, source, targets in self._references:
            if found_kind == kind and source == of:
                found += targets
            elif found_kind == kind and to in targets:
                found.append(source)
        return found

    def properties(self, item: int, *kinds: bytes) -> list[tuple[bytes, bytes]]:
        """List type and content of an item's properties of some types, in the order of their association."""
        boxes = [self._all_properties[index - 1] for index in self._associations.get(item, []) if index > 0]
        return [(box.kind, self._property_content(box)) for box in boxes if box.kind in kinds]

    def first_property(self, item: int, kind: bytes) -> bytes:
        """Return the content of an item's first property of a type; b"" if it has none."""
        properties = self.properties(item, kind)
        return properties[0][1] if properties else b""

    def content(self, item: int) -> bytes:
        """Join the extents of an item.

        All contents together have at most the bytes of the file: otherwise a small file could be decoded for long.
        """
        where, extents = self._locations[item]
        parts = []
        for offset, length in extents:
            start, end = 0, len(self._encoded)
            if where == _IN_ITEM_DATA:
                start, end = self._inside[b"idat"].body, self._inside[b"idat"].end
            if start + offset + length > end:
                raise ValueError("an item is outside the file")
            self._bytes_left -= length
            if self._bytes_left < 0:
                raise ValueError("items share their bytes")
            parts.append(self._encoded[start + offset : start + offset + length])
        return b"".join(parts)

    def _property_content(self, box: Box) -> bytes:
        if box not in self._property_contents:
            self._property_contents[box] = self._encoded[box.body : box.end]
        return self._property_contents[box]

    @cached_property
    def _kinds(self) -> dict[int, bytes]:
        reader, version = self._open(b"iinf")
        _few_enough(count := reader.number(2 if version == 0 else 4))
        kinds = {}
        for box in boxes_in(self._encoded, reader.at, self._inside[b"iinf"].end):
            entry = Reader(self._encoded, box.body, box.end)
            entry_version, _ = entry.version()
            item = entry.number(2 if entry_version < 3 else 4)
            entry.number(2)
            kinds[item] = entry.bytes(4)
            _few_enough(len(kinds))
        if len(kinds) < count:
            raise ValueError("items are missing")
        return kinds

    @cached_property
    def _locations(self) -> dict[int, tuple[int, list[tuple[int, int]]]]:
        """Read `iloc`: for each item where its bytes are, and offset and length of each extent."""
        reader, version = self._open(b"iloc")
        sizes = reader.number(2)
        offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        _few_enough(count := reader.number(4 if version == 2 else 2))
        locations = {}
        extents_left = 4 * MAX_ITEMS
        for _ in range(count):
            item = reader.number(4 if version == 2 else 2)
            where = reader.number(2) & 15 if version else _IN_FILE
            in_other_file = reader.number(2)
            base = reader.number(base_bytes)
            extents_left -= (extents := reader.number(2))
            if extents_left < 0:
                raise ValueError("too many extents")
            found = []
            for _ in range(extents):
                reader.number(index_bytes if version else 0)
                offset, length = reader.number(offset_bytes), reader.number(length_bytes)
                found.append((base + offset, length))
            if not in_other_file and where in (_IN_FILE, _IN_ITEM_DATA):
                locations[item] = (where, found)
        return locations

    @cached_property
    def _references(self) -> list[tuple[bytes, int, list[int]]]:
        if b"iref" not in self._inside:
            return []
        reader, version = self._open(b"iref")
        id_bytes = 4 if version else 2
        references = []
        for box in boxes_in(self._encoded, reader.at, self._inside[b"iref"].end):
            entry = Reader(self._encoded, box.body, box.end)
            source = entry.number(id_bytes)
            targets = [entry.number(id_bytes) for _ in range(entry.number(2))]
            references.append((box.kind, source, targets))
            _few_enough(len(references))
        return references

    @cached_property
    def _all_properties(self) -> list[Box]:
        iprp = self._inside[b"iprp"]
        container = find_box(self._encoded, b"ipco", iprp.body, iprp.end)
        return list(boxes_in(self._encoded, container.body, container.end))

    @cached_property
    def _associations(self) -> dict[int, list[int]]:
        iprp = self._inside[b"iprp"]
        associations: dict[int, list[int]] = {}
        for box in boxes_in(self._encoded, iprp.body, iprp.end):
            if box.kind != b"ipma":
                continue
            reader = Reader(self._encoded, box.body, box.end)
            version, flags = reader.version()
            _few_enough(count := reader.number(4))
            index_bytes = 2 if flags & 1 else 1
            without_essential = (1 << 8 * index_bytes - 1) - 1
            for _ in range(count):
                item = reader.number(4 if version else 2)
                indices = [reader.number(index_bytes) & without_essential for _ in range(reader.number(1))]
                associations.setdefault(item, []).extend(indices)
        return associations

    def _open(self, kind: bytes) -> tuple[Reader, int]:
        if kind not in self._inside:
            raise ValueError(f"there is no box {kind!r}")
        reader = Reader(self._encoded, self._inside[kind].body, self._inside[kind].end)
        version, _ = reader.version()
        return reader, version


def _few_enough(count: int) -> None:
    if count > MAX_ITEMS:
        raise ValueError("too many items")
