"""Names of Pulumi become names of Terraform."""

import pytest

from infra.terraform_check.names import argument_of, camel_case, snake_case, terraform_type
from tests.infra.terraform_check.schemas import SCHEMA


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("aws:sns/topic:Topic", "aws_sns_topic"),
        ("aws:ec2/securityGroup:SecurityGroup", "aws_security_group"),
        ("aws:iam/openIdConnectProvider:OpenIdConnectProvider", "aws_iam_openid_connect_provider"),
        ("aws:lb/loadBalancer:LoadBalancer", "aws_lb"),
        ("aws:sns/unheardOf:UnheardOf", None),
        ("random:index/randomId:RandomId", None),
    ],
)
def test_a_token_becomes_a_type_of_the_schema(token: str, kind: str | None) -> None:
    assert terraform_type(token, SCHEMA.resources) == kind


def test_a_data_source_has_its_own_types() -> None:
    assert terraform_type("aws:ec2/getSecurityGroup:getSecurityGroup", SCHEMA.data_sources) == "aws_security_group"
    assert terraform_type("aws:sns/getTopic:getTopic", SCHEMA.data_sources) is None


@pytest.mark.parametrize(
    ("key", "names", "name"),
    [
        ("kmsMasterKeyId", {"kms_master_key_id", "name"}, "kms_master_key_id"),
        ("cidrIpv4", {"cidr_ipv4"}, "cidr_ipv4"),
        ("origins", {"origin", "origin_group"}, "origin"),
        ("metricQueries", {"metric_query"}, "metric_query"),
        ("aliases", {"alias"}, "alias"),
        ("aliases", {"aliases", "alias"}, "aliases"),
        ("settings", {"setting"}, "setting"),
        ("topic", {"topic_arn", "endpoint"}, "topic_arn"),
        ("function", {"function_name"}, "function_name"),
        ("colour", {"name"}, None),
    ],
)
def test_a_property_becomes_an_argument_or_a_block(key: str, names: set[str], name: str | None) -> None:
    assert argument_of(key, names, "aws_any_type") == name


def test_a_shortened_name_in_a_block_is_not_an_argument() -> None:
    assert argument_of("subnet", {"subnet_id"}, "aws_any_type") == "subnet_id"
    assert argument_of("subnet", {"subnet_id"}) is None


def test_the_name_of_a_resource_is_found_where_terraform_repeats_the_type() -> None:
    assert argument_of("name", {"function_name", "role"}, "aws_lambda_function") == "function_name"
    assert argument_of("name", {"alarm_name"}, "aws_cloudwatch_metric_alarm") == "alarm_name"
    assert argument_of("name", {"function_name"}, "aws_lambda_permission") is None


@pytest.mark.parametrize(("camel", "snake"), [("bucketKeyEnabled", "bucket_key_enabled"), ("name", "name")])
def test_names_are_converted_between_camel_case_and_snake_case(camel: str, snake: str) -> None:
    assert snake_case(camel) == snake
    assert camel_case(snake) == camel
