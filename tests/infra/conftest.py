"""The example stacks; each runs once."""

import pytest

from infra.config import PROJECT
from tests.infra.stacks import Program, deployed, run, stack_file


@pytest.fixture(scope="session")
def dev() -> Program:
    """The cheapest complete stack, with the roles of GitHub."""
    return deployed("dev", githubRepository="ann/lesions", stateBucket="ann-state")


@pytest.fixture(scope="session")
def prod() -> Program:
    """The stack for users, with every option."""
    return deployed(
        "prod",
        githubRepository="ann/lesions",
        retrainSchedule="cron(0 3 1 * ? *)",
        retrainOnDrift="true",
        pageDomain="lesions.example.org",
        pageCertificateArn="arn:aws:acm:us-east-1:123456789012:certificate/0a1b",
        originCertificateArn="arn:aws:acm:us-east-1:123456789012:certificate/0a1b",
        budgetScope="stack",
    )


@pytest.fixture(scope="session")
def first() -> Program:
    """The first `pulumi up`: no image has been pushed."""
    program = run("dev", {**stack_file("dev"), f"{PROJECT}:githubRepository": "ann/lesions"})
    assert program.error is None
    return program


@pytest.fixture(scope="session", params=["dev", "prod", "first"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each of these stacks."""
    found: Program = request.getfixturevalue(request.param)
    return found
