"""The schema of Terraform's AWS provider: every type that it knows, with its arguments and blocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Block = Mapping[str, Any]  # as Terraform prints it: {"attributes": {name: ...}, "block_types": {name: ...}}


@dataclass(frozen=True)
class Schema:
    """The body of each type of resource and of data source, by Terraform's name of the type."""

    resources: Mapping[str, Block]
    data_sources: Mapping[str, Block]


def read_schema(printed: Mapping[str, Any]) -> Schema:
    """Read what `terraform providers schema -json` prints, for its only provider."""
    (provider,) = printed["provider_schemas"].values()
    return Schema(
        resources={name: kind["block"] for name, kind in provider["resource_schemas"].items()},
        data_sources={name: kind["block"] for name, kind in provider["data_source_schemas"].items()},
    )


def can_be_set(attribute: Mapping[str, Any]) -> bool:
    """Return whether an attribute is an argument, and not only an output."""
    return bool(attribute.get("required") or attribute.get("optional"))
