"""`lesion cost`: what a stack costs, from its own file."""

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
    told = json.loads(output)
    assert told["as_of"] == read_prices().as_of
    dev, prod = (told["stacks"][stack]["an idle month"] for stack in ("dev", "prod"))
    assert 0 < dev["usd"] < prod["usd"]
    assert dev["usd"] == round(dev["usd"], 4)
    assert abs(sum(line["usd"] for line in prod["lines"]) - prod["usd"]) < 0.01
    hour = read_prices().training_usd_per_hour["ml.g5.xlarge"]
    assert f"{hour:.2f} on demand" in told["training_job"]["lines"][0]["quantity"]


def test_the_documents_figures_are_those_of_the_command() -> None:
    _, output = ask()
    assert output in (ROOT / "docs/costs.md").read_text()


def test_an_unknown_stack_is_told() -> None:
    status, output = ask("ghost")
    assert status == 1
    assert "Pulumi.ghost.yaml: name a stack that has one" in output


def test_a_configuration_that_is_none_is_told(tmp_path: Path) -> None:
    for text, told in {
        "just words": "is no stack's configuration",
        "config:\n  skin-lesion-analyzer:pageCpu: 300\n": "Fargate offers",
    }.items():
        (tmp_path / "Pulumi.dev.yaml").write_text(text)
        result = CliRunner().invoke(cost, ["dev", "--folder", str(tmp_path)])
        assert (result.exit_code, told in result.output) == (1, True), result.output


def test_an_instance_without_a_price_is_misuse() -> None:
    status, output = ask("--instance-type", "ml.huge")
    assert status == 2
    assert "no price of ml.huge" in output
