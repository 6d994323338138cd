"""Start a run over many pictures in S3: one execution of the stack's Step Functions state machine."""

from contract.batch import BatchRun
from operations.account import Account
from operations.aws_errors import aws_errors


def start_batch(run: BatchRun, name: str, state_machine_arn: str, account: Account) -> str:
    """Start an execution.

    Args:
        run: where the pictures are, and where the rows go.
        name: of the execution, unique within 90 days.
        state_machine_arn: of the state machine.
        account: of the state machine.

    Returns:
        the ARN of the execution.

    Raises:
        DeploymentError: Step Functions refuses.
    """
    with aws_errors("starting the run"):
        started = account.client("stepfunctions").start_execution(
            stateMachineArn=state_machine_arn, name=name, input=run.model_dump_json()
        )
    return str(started["executionArn"])
