"""The metrics that alarms and the dashboard read: their names, and the parts of the stack that have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

MINUTE, HOUR, DAY = 60, 3600, 86_400
SERVICE: Final = "classify"  # the value of the dimension "service" of all the function's metrics
OUTCOMES: Final = ("see_a_doctor", "low_risk", "inconclusive", "unfamiliar")
INIT_TIME: Final = "InitTime"  # milliseconds; a metric filter reads it from Lambda's own log lines

Dimensions = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class MonitoredPage:
    """The parts of the page."""

    balancer_suffix: pulumi.Input[str]
    target_group_suffix: pulumi.Input[str]
    cluster: pulumi.Input[str]
    service: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class MonitoredParts:
    """The parts of one stack; `page` is None without a page."""

    region: str
    namespace: str  # of the function's own metrics
    api_id: pulumi.Input[str]
    function_name: pulumi.Input[str]
    alias: str
    log_group: pulumi.Input[str]
    failed_events_queue: pulumi.Input[str]
    failed_jobs_rule: pulumi.Input[str]
    page: MonitoredPage | None

    @property
    def api_dimensions(self) -> Dimensions:
        """The dimensions of the API."""
        return {"ApiId": self.api_id}

    @property
    def alias_dimensions(self) -> Dimensions:
        """The dimensions of the alias that the API calls."""
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
    """Write the formula whose value a metric-math alarm compares with its threshold."""
    return {"id": "result", "expression": text, "label": label, "return_data": True}
