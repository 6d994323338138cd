"""The state of one training job, as SageMaker reports it."""

import subprocess
import time
from dataclasses import dataclass, field
from typing import Any

END_STATUSES = ("Completed", "Failed", "Stopped")


@dataclass(eq=False)
class TrainingJob:
    """One training job. Times are seconds since 1970."""

    request: dict[str, Any]  # of CreateTrainingJob
    created: float = field(default_factory=time.time)
    status: str = "InProgress"
    secondary_status: str = "Pending"
    started: float | None = None
    ended: float | None = None
    failure_reason: str | None = None
    transitions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    stop_status: str | None = None  # after a request to stop: the secondary status with which the job will end

    @property
    def name(self) -> str:
        """The name in the request."""
        return str(self.request["TrainingJobName"])

    def enter(self, secondary_status: str, message: str) -> None:
        """Change the secondary status."""
        now = time.time()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": message})
        self.secondary_status = secondary_status

    def end(self, status: str, secondary_status: str, message: str) -> None:
        """Change to a final status."""
        self.enter(secondary_status, message)
        self.ended, self.transitions[-1]["EndTime"] = time.time(), time.time()
        self.status = status  # last: a reader that sees it finds all other fields complete

    def description(self) -> dict[str, Any]:
        """Return the fields of DescribeTrainingJob that moto does not know, or knows wrongly."""
        copied = ("AlgorithmSpecification", "Environment", "ResourceConfig", "StoppingCondition")
        fields: dict[str, Any] = {
            **{key: self.request[key] for key in copied if key in self.request},
            "CreationTime": self.created,
            "LastModifiedTime": self.ended or time.time(),
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": self.transitions,
            "FinalMetricDataList": list(self.metrics.values()),
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "FailureReason": self.failure_reason,
        }
        if self.started and self.ended:
            fields |= {"TrainingTimeInSeconds": round(self.ended - self.started), "BillableTimeInSeconds": 0}
        return {key: value for key, value in fields.items() if value is not None}
