"""docs/commands.md: every command of `lesion` with its help."""

import copy
from collections.abc import Iterator

import click

from cli.main import cli
from tests.reference_pages.markdown import code_block, page, table

WIDTH = 100  # characters in a line of help

INTRODUCTION = """\
`make setup` installs `lesion` as `.venv/bin/lesion`; after `source .venv/bin/activate` the short name is enough. Every
command has `-h` and `--help`, which print the text below.

| exit status | meaning |
| --- | --- |
| 0 | success |
| 1 | failure: one sentence on standard error says why and what to do next; `lesion --debug ...` adds the traceback |
| 2 | wrong usage: an unknown command or option, or a value out of range |
| 129, 130, 143 | interrupted by SIGHUP (a closed terminal), Ctrl-C or SIGTERM; all programs that the command started \
are stopped. `lesion local up` and `lesion demo` exit 0 once they serve |"""


def commands_page() -> str:
    """Make the page from click's commands."""
    commands = dict(walk("lesion", cli))
    index = [
        (f"[`{name}`](#{name.replace(' ', '-')})", command.get_short_help_str(limit=1000))
        for name, command in commands.items()
        if not isinstance(command, click.Group)
    ]
    sections = [f"## {name}\n\n{code_block(help_of(name, command))}" for name, command in commands.items()]
    return page("Commands", INTRODUCTION, table(("command", "what it does"), index), *sections)


def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """List a command and all commands below it, each with its full name."""
    yield name, command
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            yield from walk(f"{name} {child}", command.commands[child])


def help_of(name: str, command: click.Command) -> str:
    """Return the help of a command in lines of WIDTH characters, without the line of `--help` itself."""
    command = copy.copy(command)
    command.add_help_option = False
    return command.get_help(click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH))
