"""Reads as much of an HEVC bitstream as is needed to know the size of its picture before it is decoded.

Sections are those of ITU-T H.265 and, for the configuration record `hvcC`, ISO/IEC 14496-15.
"""

from contract.heif.boxes import Reader

INTRA_PICTURES = range(16, 22)  # NAL unit types of slices that need no other picture: BLA, IDR, CRA (7.4.2.2)
VIDEO_PARAMETERS, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS = 32, 33, 34
MAX_CONFIGURATION_BYTES = 10_000  # encoders write 100 to 300
_RECORD_BYTES = 22  # of the configuration record before its parameter sets
_PROFILE_BITS = 88  # of a profile_tier_level without its level (7.3.3)
_MAX_SUB_LAYERS = 7


def coded_size(configuration: bytes) -> tuple[int, int]:
    """Return width and height of the picture that a configuration record describes, before its cropping.

    Raises:
        ValueError: there is no sequence parameter set, or more than one, or the record is too long.
    """
    if len(configuration) > MAX_CONFIGURATION_BYTES:
        raise ValueError("the decoder configuration is too long")
    sets = [unit for kind, unit in _parameter_sets(configuration) if kind == SEQUENCE_PARAMETERS]
    if len(sets) != 1:
        raise ValueError("the picture needs one sequence parameter set")
    return _size_in(sets[0])


def only_parameter_sets(configuration: bytes) -> bytes:
    """Copy a configuration record without units that are no parameter sets."""
    wanted = (VIDEO_PARAMETERS, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS)
    units = [(kind, unit) for kind, unit in _parameter_sets(configuration) if kind in wanted]
    arrays = [bytes([0x80 | kind, 0, 1]) + len(unit).to_bytes(2, "big") + unit for kind, unit in units]
    if len(arrays) > 255:
        raise ValueError("too many parameter sets")
    return configuration[:_RECORD_BYTES] + bytes([len(arrays)]) + b"".join(arrays)


def only_picture(configuration: bytes, bitstream: bytes) -> bytes:
    """Copy a bitstream without units that are not slices of its one picture.

    Other units could replace the parameter sets that `coded_size` has read.

    Raises:
        ValueError: the bitstream has not exactly one picture that needs no other.
    """
    length_bytes = 1 + (configuration[21] & 3)
    reader = Reader(bitstream, 0, len(bitstream))
    kept, pictures = [], 0
    while reader.at < len(bitstream):
        length = reader.number(length_bytes)
        unit = reader.bytes(length)
        if len(unit) < 3 or _unit_type(unit) not in INTRA_PICTURES:
            continue
        pictures += unit[2] >> 7  # first_slice_segment_in_pic_flag
        kept.append(length.to_bytes(length_bytes, "big") + unit)
    if pictures != 1:
        raise ValueError("the bitstream has not exactly one picture")
    return b"".join(kept)


def _parameter_sets(configuration: bytes) -> list[tuple[int, bytes]]:
    reader = Reader(configuration, _RECORD_BYTES, len(configuration))
    sets = []
    for _ in range(reader.number(1)):
        reader.number(1)  # the type of the array; a decoder uses the type of each unit
        for _ in range(reader.number(2)):
            unit = reader.bytes(reader.number(2))
            if unit:
                sets.append((_unit_type(unit), unit))
    return sets


def _unit_type(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F


def _size_in(sequence_parameters: bytes) -> tuple[int, int]:
    """Read pic_width_in_luma_samples and pic_height_in_luma_samples (7.3.2.2.1)."""
    bits = _Bits(sequence_parameters[2:].replace(b"\0\0\3", b"\0\0"))  # without emulation prevention bytes
    bits.skip(4)
    sub_layers = bits.number(3)
    if sub_layers >= _MAX_SUB_LAYERS:
        raise ValueError("too many sub-layers")
    bits.skip(1 + _PROFILE_BITS + 8)
    present = [bits.number(2) for _ in range(sub_layers)]
    if sub_layers:
        bits.skip(2 * (8 - sub_layers))
    for profile_and_level in present:
        bits.skip(_PROFILE_BITS * (profile_and_level >> 1) + 8 * (profile_and_level & 1))
    bits.exp_golomb()  # the identifier
    if bits.exp_golomb() == 3:  # 4:4:4
        bits.skip(1)
    return bits.exp_golomb(), bits.exp_golomb()


class _Bits:
    """Reads bits from a byte string, the most significant first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def number(self, count: int) -> int:
        self.skip(count)
        return self._value >> self._left & (1 << count) - 1

    def skip(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError("a parameter set is too short")

    def exp_golomb(self) -> int:
        """Read a number in 0-th order Exp-Golomb code (9.2)."""
        zeros = 0
        while not self.number(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a number in a parameter set is too large")
        return (1 << zeros) - 1 + self.number(zeros)
