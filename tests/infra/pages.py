"""Generates the tables of docs/ that come from the Pulumi program: `python -m tests.infra.pages`."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.config import StackConfig
from infra.terraform_check.program_run import Resource
from tests.infra.stacks import ACCOUNT, Program, deployed

ROOT = Path(__file__).parents[2]
DEPLOY, PERMISSIONS = ROOT / "docs" / "deploy.md", ROOT / "docs" / "permissions.md"


def keys(page: str) -> str:
    """Write the table of all configuration keys: the defaults from the code, the descriptions from the page."""
    descriptions = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE))
    rows = ["| key | default | meaning |", "| --- | --- | --- |"]
    for field in StackConfig.model_fields.values():
        default = "none" if field.default is None else f"`{json.dumps(field.default, default=str)}`".replace('"', "")
        rows.append(f"| `{field.alias}` | {default} | {descriptions.get(str(field.alias), 'TO DESCRIBE')} |")
    return "\n".join(rows)


def permissions(program: Program) -> str:
    """Write a table of the statements of each role."""
    roles = sorted(program.of("iam/role:Role"), key=lambda role: ("-ci-" in role.name, role.name))
    return "\n\n".join(_section(program, role) for role in roles)


def _section(program: Program, role: Resource) -> str:
    attached = sorted(
        (r for r in program.of("iam/policy:Policy") if "-ci-" in role.name and r.name.startswith(f"{role.name}-")),
        key=lambda policy: policy.name,
    )
    own = [s for r in attached for s in r.json("policy")["Statement"]] or program.statements(role.name)
    (trust,) = role.json("assumeRolePolicy")["Statement"]
    who = trust["Principal"].get("Service") or "GitHub: " + str(trust["Condition"]).split("repo:")[1].split("'")[0]
    lines = [f"### {role.name}", "", f"{role.inputs['description']}. Assumed by `{who}`.", ""]
    lines += ["| statement | actions | resources | condition |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *map(_row, own)])


def _row(statement: dict[str, Any]) -> str:
    denied = "**deny** " if statement["Effect"] == "Deny" else ""
    condition = json.dumps(statement["Condition"]).replace(ACCOUNT, "<account>") if "Condition" in statement else ""
    cells = (
        denied + statement["Sid"],
        _list(statement["Action"]),
        _list(statement["Resource"]),
        condition and f"`{condition}`",
    )
    return f"| {' | '.join(cells)} |"


def _list(values: Any) -> str:
    """Write actions or resources with a placeholder for the account."""
    texts = [values] if isinstance(values, str) else values
    return ", ".join(f"`{text.replace(ACCOUNT, '<account>')}`" for text in texts)


def with_parts(page: str, **parts: str) -> str:
    """Replace each part between its marks, `<!-- NAME: from the program -->` and `<!-- end of NAME -->`."""
    for name, text in parts.items():
        marks = re.compile(rf"(<!-- {name}: from the program -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        page, count = marks.subn(_between(text), page)
        assert count == 1, name
    return page


def _between(text: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"{found[1]}{text}\n{found[2]}"


def nodes(page: str) -> set[str]:
    """Read the names of the components that the diagram shows."""
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    return set(re.findall(r"\b([A-Z]\w+)(?:\[|\(|\{\{)", diagram))


def example() -> Program:
    """Run the stack whose permissions the page shows: dev, with every optional role."""
    return deployed(
        "dev",
        githubRepository="owner/name",
        stateBucket="state",
        retrainSchedule="rate(30 days)",
        retrainOnDrift="true",
    )


if __name__ == "__main__":
    text = DEPLOY.read_text()
    DEPLOY.write_text(with_parts(text, keys=keys(text)))
    PERMISSIONS.write_text(with_parts(PERMISSIONS.read_text(), roles=permissions(example())))
