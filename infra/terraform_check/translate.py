"""Translates the registered resources to Terraform's JSON configuration, by the provider's schema."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from infra.terraform_check.account import PlaceholderAccount
from infra.terraform_check.names import argument_of, own_name
from infra.terraform_check.placeholders import addresses_in, to_expression
from infra.terraform_check.program_run import ProgramRun, Resource
from infra.terraform_check.report import Finding
from infra.terraform_check.schema import Block, Schema, can_be_set

ON_EVERY_RESOURCE: Final = "region"  # since version 6 of the provider; an older one has it on none
LOWER_CASE: Final = ("aws_s3_bucket", "aws_ecr_repository")  # Pulumi generates names in lower case for these types


@dataclass
class Translation:
    """A configuration without its provider, and a finding for each part without a translation."""

    configuration: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)


def translate(run: ProgramRun, account: PlaceholderAccount, schema: Schema) -> Translation:
    """Translate every resource of AWS, every data source and every export.

    Args:
        run: the program's resources and exports.
        account: of this run.
        schema: of the provider.

    Returns:
        the configuration, with a finding for everything that has no translation.
    """
    translator = _Translator(schema, account.addresses)
    translator.add_resources([resource for resource in run.resources if resource.custom])
    translator.add_data_sources(account.data)
    translator.add_exports(run.outputs)
    return Translation(translator.configuration, translator.findings)


class _Translator:
    def __init__(self, schema: Schema, addresses: Mapping[str, str]) -> None:
        self.configuration: dict[str, Any] = {"resource": {}, "data": {}, "output": {}}
        self.findings: list[Finding] = []
        self._schema, self._addresses = schema, addresses
        self._where = ""  # the address that is being translated

    def add_resources(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            self._where = self._addresses.get(resource.urn, f"{resource.type} {resource.name}")
            if resource.urn in self._addresses:
                self._add_resource(resource, *self._where.split("."))
            else:
                self._add_finding("Terraform's provider has no such type")

    def _add_resource(self, resource: Resource, kind: str, name: str) -> None:
        block = self._schema.resources[kind]
        body = self._body(resource.inputs, block, kind)
        body.update(_automatic_name(resource, kind, body, block))
        waits_for = {self._addresses[urn] for urn in resource.waits_for if urn in self._addresses}
        if not_referenced := waits_for - {*addresses_in(resource.inputs)}:
            body["depends_on"] = sorted(not_referenced)
        self.configuration["resource"].setdefault(kind, {})[name] = body

    def add_data_sources(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        for address, arguments in data.items():
            self._where = f"data.{address}"
            kind, name = address.split(".")
            body = self._body(arguments, self._schema.data_sources[kind])
            self.configuration["data"].setdefault(kind, {})[name] = body

    def add_exports(self, exports: Mapping[str, Any]) -> None:
        for name, value in exports.items():
            self._where = f"output.{name}"
            self.configuration["output"][name] = {"value": self._value(value)}

    def _body(self, inputs: Mapping[str, Any], block: Block, kind: str = "") -> dict[str, Any]:
        """Translate the inputs of a resource or of a block in one."""
        attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
        body: dict[str, Any] = {}
        for key, value in inputs.items():
            name = argument_of(key, {*attributes, *blocks}, kind)
            if name is None:
                if not (kind and key == ON_EVERY_RESOURCE):
                    self._add_finding(f"the provider has no argument for {key!r}")
            elif name in blocks:
                body[name] = self._nested(value, blocks[name]["block"], blocks[name]["nesting_mode"])
            elif nested := attributes[name].get("nested_type"):
                body[name] = self._nested(value, nested, nested["nesting_mode"])
            else:
                body[name] = self._typed(value, attributes[name]["type"])
        return body

    def _nested(self, value: Any, block: Block, mode: str) -> Any:
        """Translate a block; Pulumi gives a block that occurs at most once without its list."""
        if mode == "map":
            return {key: self._body(inner, block) for key, inner in value.items()}
        bodies = [self._body(inner, block) for inner in (value if isinstance(value, list) else [value])]
        return bodies[0] if mode == "single" else bodies

    def _typed(self, value: Any, kind: Any) -> Any:
        """Translate the value of an attribute, whose type is a string or a list such as ["set", "string"]."""
        if kind == "string" and isinstance(value, dict | list):
            return self._value(json.dumps(value))  # a policy may be given as an object
        if isinstance(kind, list) and kind[0] in ("list", "set"):
            return [self._typed(inner, kind[1]) for inner in (value if isinstance(value, list) else [value])]
        if isinstance(kind, list) and kind[0] == "object" and isinstance(value, dict):
            names = {argument_of(key, kind[1]) or key: key for key in value}
            given = {name: self._typed(value[key], kind[1].get(name)) for name, key in names.items()}
            return {**dict.fromkeys(kind[1]), **given}  # Terraform wants every field of such an object
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._value(key): self._value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        if not isinstance(value, str):
            return value
        try:
            return to_expression(value)
        except ValueError as error:
            self._add_finding(str(error))
            return value

    def _add_finding(self, message: str) -> None:
        self.findings.append(Finding(self._where, "translate", message))


def _automatic_name(resource: Resource, kind: str, body: Mapping[str, Any], block: Block) -> dict[str, str]:
    """Name a resource without a name, as Pulumi does, but with a fixed ending in place of a random one."""
    attributes = block["attributes"]
    argument = "bucket" if kind == "aws_s3_bucket" else own_name(attributes, kind)
    if argument is None or not can_be_set(attributes[argument]) or {argument, f"{argument}_prefix"} & set(body):
        return {}
    end = hashlib.sha256(resource.urn.encode()).hexdigest()[:7]
    name = f"{resource.name}-{end}"
    return {argument: name.lower() if kind in LOWER_CASE else name}
