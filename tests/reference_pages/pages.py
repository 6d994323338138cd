"""The pages of docs/ that are made from the code, and how each is made."""

from collections.abc import Callable
from pathlib import Path

from tests.reference_pages.api import api_page
from tests.reference_pages.commands import commands_page
from tests.reference_pages.environment import environment_page

DOCS = Path(__file__).parents[2] / "docs"

PAGES: dict[Path, Callable[[], str]] = {
    DOCS / "commands.md": commands_page,
    DOCS / "environment.md": environment_page,
    DOCS / "api.md": api_page,
}
