"""Marks in place of the values that only AWS knows, such as an ARN.

The program gets a mark as the output of a resource, and carries it into other resources like any text. A mark contains
Terraform's expression for the value: `<<aws_sns_topic.alarms.arn>>` becomes `${aws_sns_topic.alarms.arn}`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

_MARK: Final = re.compile(r"<<((?:data\.)?aws_[a-z0-9_]+\.[\w-]+)\.([a-z0-9_]+)>>")
_PART_OF_A_MARK: Final = re.compile(r"<<|>>")


def mark(address: str, attribute: str) -> str:
    """Make the mark of one attribute of a resource, whose address is "type.name", or of a "data.type.name"."""
    return f"<<{address}.{attribute}>>"


def to_expression(text: str) -> str:
    """Turn marks into Terraform's references, and escape what Terraform would take for a template.

    Raises:
        ValueError: the text contains a part of a mark: the program cut or changed an output.
    """
    literals = _MARK.split(text)[::3]
    if any(_PART_OF_A_MARK.search(literal) for literal in literals):
        raise ValueError(f"the program cuts or changes an output of another resource: {text[:120]!r}")
    escaped = text.replace("${", "$${").replace("%{", "%%{")
    return _MARK.sub(r"${\1.\2}", escaped)


def addresses_in(value: Any) -> Iterator[str]:
    """Find the address of each resource that a value, of whatever depth, has a mark of."""
    if isinstance(value, str):
        yield from (found[1] for found in _MARK.finditer(value))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from addresses_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from addresses_in(inner)
