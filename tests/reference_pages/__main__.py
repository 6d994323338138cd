"""Write the reference pages: `make docs`, or `python -m tests.reference_pages`."""

from tests.reference_pages.pages import PAGES

if __name__ == "__main__":
    for path, make in PAGES.items():
        path.write_text(make())
