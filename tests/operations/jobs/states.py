"""States of jobs, as SageMaker describes them."""

from datetime import UTC, datetime
from typing import Any

from operations.jobs.job import JobState

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def state(**fields: Any) -> JobState:
    """Make the state of a job that is running, with other values for some fields."""
    running = {"name": "a-job", "status": "InProgress", "secondary": "Training", "created": CREATED}
    return JobState(**{**running, **fields})
