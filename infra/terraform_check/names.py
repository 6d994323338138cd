"""Finds Terraform's names for Pulumi's types and properties.

pulumi-aws is generated from Terraform's provider, so most names follow a pattern. A guess counts only if the provider's
schema has that name.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

# Types whose names do not follow the pattern.
_IRREGULAR: Final = {
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:codedeploy/application:Application": "aws_codedeploy_app",
}
_OMITTED_ENDINGS: Final = ("_arn", "_id", "_name", "_url")  # that Pulumi leaves out of some names


def terraform_type(token: str, known: Iterable[str]) -> str | None:
    """Find the type of a resource or a data source.

    Args:
        token: Pulumi's, such as "aws:s3/bucket:Bucket" or "aws:ec2/getSecurityGroup:getSecurityGroup".
        known: every type of the schema.
    """
    if token in _IRREGULAR:
        return _IRREGULAR[token]
    package, module, name = token.split(":")
    name = name.removeprefix("get")
    by_letters = {_letters(each): each for each in known}
    guesses = (f"{package}{module.split('/')[0]}{name}", f"{package}{name}")  # ec2's types have no prefix
    return next((by_letters[guess.lower()] for guess in guesses if guess.lower() in by_letters), None)


def argument_of(key: str, names: Collection[str], of_type: str = "") -> str | None:
    """Find the argument or block that a property sets.

    Args:
        key: of the property, in camelCase; Pulumi writes lists in the plural.
        names: those of the schema.
        of_type: the resource's type, for its own arguments; empty for those of a block, where Pulumi shortens no name.
    """
    snake = snake_case(key)
    guesses = [snake, *(name for name in names if _plural(name) == snake)]
    if of_type:
        guesses += [snake + end for end in _OMITTED_ENDINGS]
    if key == "name" and (own := own_name(names, of_type)):
        guesses.append(own)
    return next((guess for guess in guesses if guess in names), None)


def own_name(names: Collection[str], of_type: str) -> str | None:
    """Find the argument that names a resource: "name", or "function_name" of aws_lambda_function."""
    if "name" in names:
        return "name"
    ends = (name for name in names if name.endswith("_name") and of_type.endswith(f"_{name.removesuffix('_name')}"))
    return next(ends, None)


def snake_case(name: str) -> str:
    """Turn camelCase into snake_case."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def camel_case(name: str) -> str:
    """Turn snake_case into camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _letters(name: str) -> str:
    return name.replace("_", "")


def _plural(name: str) -> str:
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
