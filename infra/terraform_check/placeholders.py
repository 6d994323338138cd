"""Placeholders for the values that only AWS knows, such as an ARN.

The program gets a placeholder as the output of a resource, and copies it into other resources like any text. It
contains Terraform's expression for the value: `<<aws_sns_topic.alarms.arn>>` becomes `${aws_sns_topic.alarms.arn}`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"<<((?:data\.)?aws_[a-z0-9_]+\.[\w-]+)\.([a-z0-9_]+)>>")
_PART_OF_A_PLACEHOLDER: Final = re.compile(r"<<|>>")


def placeholder(address: str, attribute: str) -> str:
    """Make the placeholder of an attribute of a resource ("type.name") or of a data source ("data.type.name")."""
    return f"<<{address}.{attribute}>>"


def to_expression(text: str) -> str:
    """Turn placeholders into Terraform's references, and escape text that Terraform would read as a template.

    Raises:
        ValueError: the text contains a part of a placeholder: the program cut or changed an output.
    """
    literals = _PLACEHOLDER.split(text)[::3]
    if any(_PART_OF_A_PLACEHOLDER.search(literal) for literal in literals):
        raise ValueError(f"the program cuts or changes an output of another resource: {text[:120]!r}")
    escaped = text.replace("${", "$${").replace("%{", "%%{")
    return _PLACEHOLDER.sub(r"${\1.\2}", escaped)


def addresses_in(value: Any) -> Iterator[str]:
    """Find the address of each resource that has a placeholder in a value, at any depth."""
    if isinstance(value, str):
        yield from (found[1] for found in _PLACEHOLDER.finditer(value))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from addresses_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from addresses_in(inner)
