"""The account that the program sees during the check: it returns a placeholder for each value that only AWS knows."""

from collections.abc import Mapping
from itertools import chain, count
from typing import Any, Final

from infra.terraform_check.names import camel_case, own_name, terraform_type
from infra.terraform_check.placeholders import placeholder
from infra.terraform_check.program_run import Resource
from infra.terraform_check.schema import Block, Schema

ACCOUNT_ID: Final = "123456789012"


class PlaceholderAccount:
    """An `Account` that records the address of every resource in Terraform's configuration.

    Attributes:
        addresses: "type.name" of each resource by its URN; without types that the provider does not have.
        data: the arguments of each data source by its "type.name".
    """

    def __init__(self, schema: Schema, region: str) -> None:
        self._schema = schema
        self._fixed = _fixed_results(region)
        self.addresses: dict[str, str] = {}
        self.data: dict[str, dict[str, Any]] = {}

    def create(self, resource: Resource) -> tuple[str, dict[str, Any]]:
        """Return the inputs of a resource as its outputs, and a placeholder for every other output."""
        kind = terraform_type(resource.type, self._schema.resources) if resource.custom else None
        if kind is None:
            return f"{resource.name}-id", resource.inputs
        address = self._free_address(f"{kind}.{resource.name}")
        self.addresses[resource.urn] = address
        return placeholder(address, "id"), {
            **_placeholders(address, self._schema.resources[kind], kind),
            **resource.inputs,
        }

    def look_up(self, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return a placeholder for every output of a data source.

        Raises:
            LookupError: the provider has no such data source.
        """
        if token in self._fixed:
            return self._fixed[token]
        kind = terraform_type(token, self._schema.data_sources)
        if kind is None:
            raise LookupError(f"Terraform's provider has no data source for {token}.")
        address = f"{kind}.number-{len(self.data)}"
        self.data[address] = arguments
        return {**_placeholders(f"data.{address}", self._schema.data_sources[kind]), **arguments}

    def _free_address(self, address: str) -> str:
        """Number an address that is taken: in Pulumi, resources in different components may have the same name."""
        taken = set(self.addresses.values())
        numbered = (f"{address}-{number}" for number in count(2))
        return next(free for free in chain([address], numbered) if free not in taken)


def _placeholders(address: str, block: Block, kind: str = "") -> dict[str, str]:
    """Make a placeholder for each text or number attribute, by Pulumi's name of the attribute."""
    scalars = [name for name, each in block["attributes"].items() if each.get("type") in ("string", "number")]
    placeholders = {camel_case(name): placeholder(address, name) for name in scalars}
    if own := own_name(scalars, kind):
        placeholders["name"] = placeholder(address, own)
    return placeholders


def _fixed_results(region: str) -> Mapping[str, dict[str, Any]]:
    """List the data sources whose result the program needs as plain text."""
    return {
        "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT_ID},
        "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": [f"{region}{zone}" for zone in "abc"]},
    }
