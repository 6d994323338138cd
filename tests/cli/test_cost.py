"""`lesion cost` estimates a stack from its configuration file."""

import json
from pathlib import Path

from click.testing import CliRunner

from cli.cost import cost
from operations.prices import read_prices

ROOT = Path(__file__).parents[2]


def ask(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cost, ["--folder", str(ROOT), *arguments])
    return result.exit_code, result.output


def test_both_example_stacks_are_priced_and_prod_costs_more() -> None:
    status, output = ask("--json")
    assert status == 0
    result = json.loads(output)
    assert result["as_of"] == read_prices().as_of
    dev, prod = (result["stacks"][stack]["an idle month"] for stack in ("dev", "prod"))
    assert 0 < dev["usd"] < prod["usd"]
    assert dev["usd"] == round(dev["usd"], 4)
    assert abs(sum(line["usd"] for line in prod["lines"]) - prod["usd"]) < 0.01
    hour = read_prices().training_usd_per_hour["ml.g5.xlarge"]
    assert f"{hour:.2f} on demand" in result["training_job"]["lines"][0]["quantity"]


def test_the_documentation_shows_the_output_of_the_command() -> None:
    _, output = ask()
    assert output in (ROOT / "docs/costs.md").read_text()


def test_a_stack_without_a_file_is_refused() -> None:
    status, output = ask("ghost")
    assert status == 1
    assert "Pulumi.ghost.yaml: name a stack that has one" in output


def test_an_invalid_configuration_is_refused(tmp_path: Path) -> None:
    for text, message in {
        "just words": "is not the configuration of a stack",
        "config:\n  skin-lesion-analyzer:pageCpu: 300\n": "Fargate offers",
    }.items():
        (tmp_path / "Pulumi.dev.yaml").write_text(text)
        result = CliRunner().invoke(cost, ["dev", "--folder", str(tmp_path)])
        assert (result.exit_code, message in result.output) == (1, True), result.output


def test_an_instance_type_without_a_price_is_refused() -> None:
    status, output = ask("--instance-type", "ml.huge")
    assert status == 2
    assert "no price of ml.huge" in output
