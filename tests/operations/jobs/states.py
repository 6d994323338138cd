"""States of jobs, as SageMaker tells them."""

from datetime import UTC, datetime
from typing import Any

from operations.jobs.follow import JobState

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def state(**told: Any) -> JobState:
    """Make one; what is not told is of a job that has just begun."""
    begun = {"name": "a-job", "status": "InProgress", "secondary": "Training", "created": CREATED}
    return JobState(**{**begun, **told})
