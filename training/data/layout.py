"""The names of the files and folders of HAM10000, as it was published. Loads no library."""

from typing import Final

METADATA: Final = "HAM10000_metadata.csv"
IMAGES: Final = "images"
PUBLISHED_PARTS: Final = ("HAM10000_images_part_1", "HAM10000_images_part_2")
