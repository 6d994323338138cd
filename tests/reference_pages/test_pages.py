"""The reference pages of docs/ say what the code does."""

import os
from pathlib import Path
from unittest import mock

import click
import pytest

from cli.main import cli
from tests.reference_pages import environment
from tests.reference_pages.commands import walk
from tests.reference_pages.pages import DOCS, PAGES
from webapp.settings import Settings as PageSettings

ANOTHER_VALUE = {
    "CLASSIFY_URL": "http://127.0.0.1:2",
    "CLASSIFY_AUTH": "iam",
    "CLASSIFY_TIMEOUT_S": "7",
    "SECRET_KEY": "k" * 40,
    "TRUSTED_HOSTS": "lesions.example.org",
    "MAX_UPLOAD_MB": "3",
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_page_is_up_to_date(path: Path) -> None:
    assert path.read_text() == PAGES[path](), "run `make docs`"


def test_the_page_of_commands_has_every_command_and_option() -> None:
    page = (DOCS / "commands.md").read_text()
    commands = dict(walk("lesion", cli))
    assert len(commands) > 30
    for name, command in commands.items():
        _, section = page.split(f"\n## {name}\n")
        section = section.split("\n## ")[0]
        options = [option for it in command.params if isinstance(it, click.Option) for option in it.opts]
        assert [option for option in options if option not in section] == [], name


def test_every_variable_of_the_function_is_described() -> None:
    assert set(environment.function_variables()) == environment.read_by_function()


def test_every_variable_of_the_page_is_described() -> None:
    assert set(environment.page_variables()) == environment.read_by_page() == set(ANOTHER_VALUE)


def page_settings(**variables: str) -> PageSettings:
    needed = {**environment.PAGE_NEEDS, "SECRET_KEY": "s" * 32}
    with mock.patch.dict(os.environ, {**needed, **variables}, clear=True):
        return PageSettings.from_env()


@pytest.mark.parametrize("variable", ANOTHER_VALUE)
def test_every_variable_of_the_page_changes_its_settings(variable: str) -> None:
    assert page_settings() == page_settings()
    assert page_settings(**{variable: ANOTHER_VALUE[variable]}) != page_settings()


def test_every_variable_of_the_command_line_is_described() -> None:
    readers = environment.read_by_commands()
    assert set(environment.COMMAND_LINE) == set(readers)
    assert "lesion demo" in readers["HAM10000_DIR"]
    assert "lesion train" in readers["HAM10000_DIR"]
