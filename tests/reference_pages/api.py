"""docs/api.md: the HTTP API, from the OpenAPI document that the function serves."""

import json
from collections.abc import Iterator
from typing import Any

from functions.classify.http.routes import OPENAPI_FILE
from tests.reference_pages.markdown import code_block, page, table

WIDTH = 110  # characters in a line of JSON

INTRODUCTION = """\
The function serves this description at `/openapi.json` too (OpenAPI 3.1). [inference.md](inference.md) says what the
answers mean.

Against the local stack (`lesion local up`), no signature is needed:

    curl --data-binary @picture.jpg http://127.0.0.1:8001/v1/predictions

On AWS, every request is signed with IAM credentials; `lesion predict picture.jpg --url https://...` does that."""


def api_page() -> str:
    """Make the page from the OpenAPI document."""
    document = json.loads(OPENAPI_FILE.read_text())
    sections = [
        _operation(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    objects = [_object(name, schema) for name, schema in document["components"]["schemas"].items()]
    description = document["info"]["description"]
    return page("HTTP API", INTRODUCTION, f"> {description}", *sections, "## Objects", *objects)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"## {method} {path}", f"{operation['summary']}."]
    if "description" in operation:
        parts.append(operation["description"])
    if parameters := operation.get("parameters"):
        head = ("parameter", "in", "type", "default", "meaning")
        parts.append(table(head, map(_parameter, parameters)))
    if body := operation.get("requestBody"):
        bodies = [(f"`{content_type}`", _body(content["schema"])) for content_type, content in body["content"].items()]
        parts.append(table(("content type", "body"), bodies))
    responses = operation["responses"]
    answers = [(status, response["description"], _answers(response)) for status, response in responses.items()]
    parts.append(table(("status", "meaning", "answer"), answers))
    if example := _first_example(responses["200"]):
        parts.append(f"An answer:\n\n{code_block(_format_json(example), 'json')}")
    return "\n\n".join(parts)


def _parameter(parameter: dict[str, Any]) -> tuple[str, ...]:
    schema = parameter["schema"]
    default = json.dumps(schema["default"]) if "default" in schema else "none"
    return f"`{parameter['name']}`", parameter["in"], _type(schema), default, parameter.get("description", "")


def _body(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return f"the picture, at most {schema['maxLength']:,} bytes"
    return "; ".join(f"a form whose field `{name}` is {_body(it)}" for name, it in schema["properties"].items())


def _answers(response: dict[str, Any]) -> str:
    return ", ".join(
        f"`{content_type}`: {' or '.join(_names(content['schema']))}"
        for content_type, content in response["content"].items()
    )


def _names(schema: dict[str, Any]) -> Iterator[str]:
    """List the objects and the error codes that a schema names."""
    if "$ref" in schema:
        yield _link(schema["$ref"])
    elif "allOf" in schema:
        for part in schema["allOf"]:
            codes = part.get("properties", {}).get("code", {}).get("enum", [])
            yield from (f"`{code}`" for code in codes)
    else:
        yield _type(schema)


def _first_example(response: dict[str, Any]) -> Any:
    for content in response["content"].values():
        for example in content.get("examples", {}).values():
            return example["value"]
    return None


def _object(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (f"`{field}`", _type(it) if field in required else f"{_type(it)} (optional)")
        for field, it in schema["properties"].items()
    ]
    return "\n\n".join([f"### {name}", schema.get("description", ""), table(("field", "type"), rows)])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _link(schema["$ref"])
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object with values of {_type(schema['additionalProperties'])}"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    if "exclusiveMinimum" in schema:
        return f"{schema['type']}, more than {schema['exclusiveMinimum']}"
    return str(schema["type"])


def _link(reference: str) -> str:
    name = reference.rsplit("/", 1)[-1]
    return f"[{name}](#{name.lower()})"


def _format_json(value: Any, indent: int = 0) -> str:
    """Format JSON with each list and object on one line if it fits."""
    line = json.dumps(value)
    if indent + len(line) <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_format_json(item, indent + 2)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        parts = [_format_json(item, indent + 2) for item in value]
        opening, closing = "[]"
    return f"{opening}\n{inner}{f',{chr(10)}{inner}'.join(parts)}\n{' ' * indent}{closing}"
