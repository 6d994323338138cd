"""Training jobs at SageMaker: describe one, list them, stop one."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from contract.errors import DeploymentError
from operations.account import Account
from operations.aws_errors import aws_errors

ENDED: Final = ("Completed", "Failed", "Stopped")

_ADVICE: Final = {  # a word in the secondary status or in the failure reason -> the next step
    "CapacityError": "AWS has no free instances of this type now: try again later, or name another --instance-type.",
    "MaxWaitTimeExceeded": "There was too little spot capacity in that time: wait longer, or pay for --on-demand.",
    "MaxRuntimeExceeded": "The time limit was reached.",
}


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A training job, as SageMaker describes it at one moment."""

    name: str
    status: str  # InProgress, Completed, Failed, Stopping, Stopped
    secondary: str  # Starting, Downloading, Training, ...
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    failure: str | None = None
    instance_type: str | None = None
    instances: int | None = None
    spot: bool = False
    training_s: int | None = None
    billable_s: int | None = None
    checkpoints_uri: str | None = None
    weights_uri: str | None = None  # of the channel, if there is one
    model_uri: str | None = None  # of the job's own model.tar.gz
    hyperparameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    message: str = ""  # of the secondary status

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, with success or without."""
        return self.status in ENDED

    @property
    def advice(self) -> str:
        """The next step after a job that failed or was stopped; "" for all others."""
        if not self.has_ended or self.status == "Completed":
            return ""
        reason = f"{self.secondary} {self.failure or ''}"
        advice = [sentence for word, sentence in _ADVICE.items() if word in reason]
        if self.checkpoints_uri:
            advice.append(f"Its checkpoint is kept: `lesion retrain --resume {self.name}` continues from it.")
        return " ".join(advice)


def describe_job(name: str, account: Account) -> JobState:
    """Describe a job.

    Raises:
        DeploymentError: there is no job of that name, or AWS refuses.
    """
    with aws_errors(f"looking for the job {name}"):
        try:
            return _job_state(account.client("sagemaker").describe_training_job(TrainingJobName=name))
        except ClientError as error:
            if _is_not_found(error):
                raise DeploymentError(f"There is no job {name}: `lesion jobs list` shows all.") from error
            raise


def list_jobs(account: Account, limit: int = 20) -> list[JobState]:
    """List jobs, the newest first.

    Raises:
        DeploymentError: AWS refuses.
    """
    with aws_errors("listing the jobs"):
        listed = account.client("sagemaker").list_training_jobs(
            SortBy="CreationTime", SortOrder="Descending", MaxResults=limit
        )
    return [
        JobState(
            name=summary["TrainingJobName"],
            status=summary["TrainingJobStatus"],
            secondary=summary.get("SecondaryStatus", ""),
            created=summary["CreationTime"],
            ended=summary.get("TrainingEndTime"),
        )
        for summary in listed["TrainingJobSummaries"]
    ]


def stop_job(name: str, account: Account) -> JobState:
    """Ask a job to end. It writes its checkpoint first.

    Raises:
        DeploymentError: there is no job of that name, it has ended already, or AWS refuses.
    """
    state = describe_job(name, account)
    if state.has_ended:
        raise DeploymentError(f"The job {name} is {state.status} already: there is nothing to stop.")
    with aws_errors(f"stopping the job {name}"):
        account.client("sagemaker").stop_training_job(TrainingJobName=name)
    return describe_job(name, account)


def _is_not_found(error: ClientError) -> bool:
    details = error.response.get("Error", {})
    return details.get("Code") in ("ValidationException", "ResourceNotFound") and any(
        words in details.get("Message", "") for words in ("not found", "Could not find")
    )


def _job_state(job: dict[str, Any]) -> JobState:
    resources = job.get("ResourceConfig", {})
    transitions = job.get("SecondaryStatusTransitions") or [{}]
    channels = {
        channel["ChannelName"]: channel["DataSource"].get("S3DataSource", {}).get("S3Uri")
        for channel in job.get("InputDataConfig", [])
    }
    return JobState(
        name=job["TrainingJobName"],
        status=job["TrainingJobStatus"],
        secondary=job.get("SecondaryStatus", ""),
        message=transitions[-1].get("StatusMessage", ""),
        created=job["CreationTime"],
        started=job.get("TrainingStartTime"),
        ended=job.get("TrainingEndTime"),
        failure=job.get("FailureReason"),
        instance_type=resources.get("InstanceType"),
        instances=resources.get("InstanceCount"),
        spot=job.get("EnableManagedSpotTraining", False),
        training_s=job.get("TrainingTimeInSeconds"),
        billable_s=job.get("BillableTimeInSeconds"),
        checkpoints_uri=job.get("CheckpointConfig", {}).get("S3Uri"),
        weights_uri=channels.get("weights"),
        model_uri=job.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
        hyperparameters=job.get("HyperParameters", {}),
        metrics={metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])},
    )
