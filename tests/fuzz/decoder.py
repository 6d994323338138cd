"""Coverage-guided fuzzing of the picture decoder: `make fuzz`.

    python -m tests.fuzz.decoder FOLDER [libFuzzer options]

FOLDER gets the small pictures of tests/odd_pictures.py as seeds, and keeps inputs with new coverage. Every input must
give pixels of the right shape or an AnalyzerError with a 4xx status, within 10 seconds and 2 GB.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["contract", "PIL"]):
    from contract.image import decode_image, sniff_content_type, to_plain_jpeg
    from contract.picture.jpeg import jpeg_segments
    from contract.picture.metadata import strip_metadata

from contract.errors import AnalyzerError
from tests.odd_pictures import odd_pictures

SIZE = 32  # pixels, of the model's square
LARGEST_SEED_BYTES = 3_000
OPTIONS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]


def check(encoded: bytes) -> None:
    """Decode, and raise on any violation."""
    content_type = sniff_content_type(encoded)
    if content_type is not None:
        bare, orientation, _ = strip_metadata(encoded, content_type)
        assert len(bare) <= len(encoded)
        assert 1 <= orientation <= 8
        assert strip_metadata(bare, content_type).encoded == bare
        if content_type == "image/jpeg":
            assert all(one.start < one.body <= one.end <= len(encoded) for one in jpeg_segments(encoded))
    try:
        decoded = decode_image(encoded, SIZE)
    except AnalyzerError as error:
        if not 400 <= error.status < 500:
            raise
        return
    assert decoded.pixels.shape == (SIZE, SIZE, 3)
    assert min(decoded.width, decoded.height) >= 32
    assert decode_image(to_plain_jpeg(encoded, 64), SIZE).pixels.shape == (SIZE, SIZE, 3)


def write_seeds(folder: Path) -> None:
    """Write the small odd pictures, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, odd in enumerate(odd_pictures().values()):
        if len(odd.encoded) <= LARGEST_SEED_BYTES:
            (folder / f"odd-{number}").write_bytes(odd.encoded)


def main() -> None:
    """Fuzz until libFuzzer's options stop it; exit with its status."""
    corpus, *options = sys.argv[1:]
    write_seeds(Path(corpus))
    atheris.Setup([sys.argv[0], *OPTIONS, *options, corpus], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
