"""Placeholders survive what the program does with text, and a placeholder that the program cuts is found."""

import json

import pytest

from infra.terraform_check.placeholders import addresses_in, placeholder, to_expression

ARN = placeholder("aws_sns_topic.lesion-dev-alarms", "arn")


def test_a_mark_inside_a_text_becomes_a_reference() -> None:
    assert to_expression(f"{ARN}:*") == "${aws_sns_topic.lesion-dev-alarms.arn}:*"
    data = placeholder("data.aws_security_group.number-0", "id")
    assert to_expression(f"{data}/{ARN}") == (
        "${data.aws_security_group.number-0.id}/${aws_sns_topic.lesion-dev-alarms.arn}"
    )


def test_a_mark_survives_in_a_json_document() -> None:
    document = json.dumps({"Resource": [ARN]})
    assert json.loads(to_expression(document)) == {"Resource": ["${aws_sns_topic.lesion-dev-alarms.arn}"]}


def test_other_text_is_escaped_for_terraform() -> None:
    assert to_expression("a ${b} %{c} <d> $context.status") == "a $${b} %%{c} <d> $context.status"


@pytest.mark.parametrize("text", [ARN[:20], ARN[5:], ARN.upper(), ARN.replace(".", "-")])
def test_a_mark_that_was_cut_or_changed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cuts or changes an output"):
        to_expression(f"arn: {text}")


def test_the_addresses_in_a_value_of_any_depth() -> None:
    value = {"a": [f"x{ARN}", {"b": placeholder("aws_s3_bucket.data", "bucket")}], "c": 1}
    assert list(addresses_in(value)) == ["aws_sns_topic.lesion-dev-alarms", "aws_s3_bucket.data"]
