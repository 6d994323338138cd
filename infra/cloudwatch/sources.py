"""What can be watched: the parts of a stack whose metrics alarms and the dashboard read, and those metrics' names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

MINUTE, HOUR, DAY = 60, 3600, 86_400
SERVICE: Final = "classify"  # the dimension that the function gives all its metrics
OUTCOMES: Final = ("see_a_doctor", "low_risk", "inconclusive", "unfamiliar")
INIT_TIME: Final = "InitTime"  # milliseconds; read from Lambda's own log lines

Dimensions = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """The page's parts, where there is a page."""

    balancer_suffix: pulumi.Input[str]
    target_group_suffix: pulumi.Input[str]
    cluster: pulumi.Input[str]
    service: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The parts of one stack."""

    region: str
    namespace: str  # of the function's own metrics
    api_id: pulumi.Input[str]
    function_name: pulumi.Input[str]
    alias: str
    log_group: pulumi.Input[str]
    failed_events_queue: pulumi.Input[str]
    failed_jobs_rule: pulumi.Input[str]
    page: PageSource | None

    @property
    def api(self) -> Dimensions:
        """The API's dimensions."""
        return {"ApiId": self.api_id}

    @property
    def live(self) -> Dimensions:
        """The function's dimensions, as called by the API."""
        return {
            "FunctionName": self.function_name,
            "Resource": pulumi.Output.concat(self.function_name, f":{self.alias}"),
        }


def query(query_id: str, namespace: str, metric: str, dimensions: Dimensions, stat: str, period: int) -> dict[str, Any]:
    """Write one metric of a metric-math alarm."""
    return {
        "id": query_id,
        "return_data": False,
        "metric": {
            "namespace": namespace,
            "metric_name": metric,
            "dimensions": dimensions,
            "stat": stat,
            "period": period,
        },
    }


def expression(text: str, label: str) -> dict[str, Any]:
    """Write the formula that a metric-math alarm compares."""
    return {"id": "result", "expression": text, "label": label, "return_data": True}
