"""What the program registers becomes Terraform's configuration, or a finding."""

import json
from typing import Any

import pytest

from tests.infra.terraform_check.schemas import Program


@pytest.fixture
def program() -> Program:
    return Program()


def body(program: Program, kind: str, name: str) -> dict[str, Any]:
    translation = program.translate()
    assert translation.findings == []
    return dict(translation.configuration["resource"][kind][name])


def test_arguments_are_in_snake_case_and_references_survive(program: Program) -> None:
    topic = program.add("sns/topic:Topic", "alarms", kmsMasterKeyId="key", tags={"Stack": "dev"})
    policy = json.dumps({"Resource": topic["arn"]})
    program.add("sns/topicPolicy:TopicPolicy", "alarms", arn=topic["arn"], policy=policy)
    program.add("sns/topicSubscription:TopicSubscription", "alarms", topic=topic["arn"])
    alarms = body(program, "aws_sns_topic", "alarms")
    assert (alarms["kms_master_key_id"], alarms["tags"]) == ("key", {"Stack": "dev"})
    assert body(program, "aws_sns_topic_policy", "alarms") == {
        "arn": "${aws_sns_topic.alarms.arn}",
        "policy": '{"Resource": "${aws_sns_topic.alarms.arn}"}',
    }
    assert body(program, "aws_sns_topic_subscription", "alarms") == {"topic_arn": "${aws_sns_topic.alarms.arn}"}


def test_a_block_that_pulumi_writes_without_its_list_gets_one(program: Program) -> None:
    program.add("lambda/function:Function", "classify", name="f", environment={"variables": {"A": "1"}}, layers="one")
    assert body(program, "aws_lambda_function", "classify") == {
        "function_name": "f",
        "environment": [{"variables": {"A": "1"}}],
        "layers": ["one"],
    }


def test_blocks_and_objects_of_every_form_are_translated(program: Program) -> None:
    program.add("cloudwatch/metricAlarm:MetricAlarm", "a", name="n", metricQueries=[{"expression": "1"}])
    assert body(program, "aws_cloudwatch_metric_alarm", "a")["metric_query"] == [{"expression": "1"}]
    program.add("ec2/securityGroup:SecurityGroup", "page", name="n", ingress=[{"fromPort": 80}])
    ingress = body(program, "aws_security_group", "page")["ingress"]
    assert ingress == [{"description": None, "from_port": 80}]  # Terraform wants every field
    program.add("lambda/function:Function", "b", name="n", vpcOptions={"subnetIds": "s"})
    assert body(program, "aws_lambda_function", "b")["vpc_options"] == {"subnet_ids": "s"}


def test_a_document_may_be_given_as_an_object(program: Program) -> None:
    program.add("sns/topicPolicy:TopicPolicy", "alarms", arn="a", policy={"Statement": []})
    assert body(program, "aws_sns_topic_policy", "alarms")["policy"] == '{"Statement": []}'


def test_a_resource_without_a_name_gets_one_as_in_pulumi(program: Program) -> None:
    program.add("sns/topic:Topic", "alarms")
    program.add("sns/topic:Topic", "prefixed", namePrefix="p-")
    program.add("s3/bucket:Bucket", "Data")
    program.add("lambda/function:Function", "classify")
    name = body(program, "aws_sns_topic", "alarms")["name"]
    assert name.startswith("alarms-")
    assert len(name) == len("alarms-") + 7
    assert "name" not in body(program, "aws_sns_topic", "prefixed")
    assert body(program, "aws_s3_bucket", "Data")["bucket"].startswith("data-")
    assert body(program, "aws_lambda_function", "classify")["function_name"].startswith("classify-")


def test_resources_with_one_name_in_different_components_stay_apart(program: Program) -> None:
    first, second = (program.add("sns/topic:Topic", "alarms") for _ in range(2))
    program.add("sns/topicSubscription:TopicSubscription", "b", topic=second["arn"])
    assert first["arn"] != second["arn"]
    topics = program.translate().configuration["resource"]["aws_sns_topic"]
    assert set(topics) == {"alarms", "alarms-2"}
    assert body(program, "aws_sns_topic_subscription", "b")["topic_arn"] == "${aws_sns_topic.alarms-2.arn}"


def test_dependencies_without_a_reference_are_kept(program: Program) -> None:
    topic, bucket = program.add("sns/topic:Topic", "alarms"), program.add("s3/bucket:Bucket", "data")
    waits_for = (topic["urn"], bucket["urn"])
    program.add("sns/topicSubscription:TopicSubscription", "a", topic=topic["arn"], waits_for=waits_for)
    assert body(program, "aws_sns_topic_subscription", "a")["depends_on"] == ["aws_s3_bucket.data"]


def test_data_sources_and_exports_are_translated(program: Program) -> None:
    topic = program.add("sns/topic:Topic", "alarms")
    found = program.account.look_up("aws:ec2/getSecurityGroup:getSecurityGroup", {"name": topic["name"]})
    program.run.outputs = {"group": found["id"], "count": 3}
    configuration = program.translate().configuration
    assert configuration["data"] == {"aws_security_group": {"number-0": {"name": "${aws_sns_topic.alarms.name}"}}}
    assert configuration["output"] == {
        "group": {"value": "${data.aws_security_group.number-0.id}"},
        "count": {"value": 3},
    }


def test_an_argument_that_the_provider_does_not_have_is_a_finding(program: Program) -> None:
    program.add("sns/topic:Topic", "alarms", name="n", keyOfKms="key", region="us-east-1")
    (finding,) = program.translate().findings
    assert (finding.where, finding.step) == ("aws_sns_topic.alarms", "translate")
    assert "'keyOfKms'" in finding.message


def test_a_misspelt_argument_in_a_block_is_a_finding(program: Program) -> None:
    program.add("lambda/function:Function", "classify", name="f", environment={"variabels": {}})
    (finding,) = program.translate().findings
    assert "'variabels'" in finding.message


def test_an_output_that_the_program_cuts_is_a_finding(program: Program) -> None:
    topic = program.add("sns/topic:Topic", "alarms")
    program.add("sns/topicSubscription:TopicSubscription", "a", endpoint=topic["arn"][:9])
    (finding,) = program.translate().findings
    assert "cuts or changes an output" in finding.message


def test_a_type_that_the_provider_does_not_have_is_a_finding(program: Program) -> None:
    program.add("sns/unheardOf:UnheardOf", "x")
    (finding,) = program.translate().findings
    assert finding.message == "Terraform's provider has no such type"


def test_a_data_source_that_the_provider_does_not_have_ends_the_run(program: Program) -> None:
    with pytest.raises(LookupError, match="getTopic"):
        program.account.look_up("aws:sns/getTopic:getTopic", {})
