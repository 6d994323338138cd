"""docs/deploy.md and docs/permissions.md agree with the program."""

import re

from infra.config import StackConfig
from tests.infra import pages
from tests.infra.stacks import Program, deployed

GENERATE = "run python -m tests.infra.pages"


def test_every_configuration_key_is_documented_with_its_default() -> None:
    page = pages.DEPLOY.read_text()
    assert page == pages.with_parts(page, keys=pages.keys(page)), GENERATE
    assert "TO DESCRIBE" not in page


def test_every_permission_is_listed() -> None:
    page = pages.PERMISSIONS.read_text()
    assert page == pages.with_parts(page, roles=pages.permissions(pages.example())), GENERATE


def test_each_role_has_a_unique_name() -> None:
    names = [role.name for role in pages.example().of("iam/role:Role")]
    assert sorted(names) == sorted(set(names))


def test_the_diagram_shows_every_component_and_no_other() -> None:
    program = deployed("prod", githubRepository="owner/name")
    components = {r.type.split(":")[-1] for r in program.resources if not r.custom}
    assert pages.nodes(pages.DEPLOY.read_text()) == components


def test_every_output_and_key_that_the_page_names_exists(dev: Program) -> None:
    page = pages.DEPLOY.read_text()
    outputs = set(re.findall(r"pulumi stack output (\w+)", page))
    assert outputs <= set(dev.outputs) | {"pageDomainTarget"}
    named = set(re.findall(r"pulumi config set (?:--path )?([a-z]\w+)(?![:\w])", page))
    aliases = {field.alias for field in StackConfig.model_fields.values()}
    assert named <= aliases | {"aws"}
