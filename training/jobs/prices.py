"""What a training job may cost: an estimate from a dated table, and the most that its limits allow."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contract.errors import DeploymentError

TABLE: Final = Path(__file__).with_name("prices.json")
HOURS_PER_MONTH: Final = 730


@dataclass(frozen=True, kw_only=True)
class Cost:
    """In US dollars, of a job that uses its whole time limit; one that ends earlier costs that much less."""

    usd_per_hour: float  # of one instance, on demand
    low: float
    high: float  # no job within these limits costs more
    basis: str  # where the price came from, in a sentence


def estimate(
    *,
    instance_type: str,
    instances: int,
    max_run_s: int,
    volume_gb: int,
    spot: bool,
    region: str,
    usd_per_hour: float | None = None,
    table: Path = TABLE,
) -> Cost:
    """Estimate what a job may cost.

    SageMaker bills each instance by the second while it runs, and spot by a share of the price on demand that is never
    above it; so price times limit is the most.

    Args:
        instance_type: as in "ml.g5.xlarge".
        instances: how many.
        max_run_s: the job's time limit.
        volume_gb: of each instance.
        spot: whether spare capacity is used.
        region: where.
        usd_per_hour: of an instance, by whoever knows better than the table.
        table: of prices.

    Raises:
        DeploymentError: the price is not known.
    """
    told: dict[str, Any] = json.loads(table.read_text(encoding="utf-8"))
    basis = f"{told['source']} in {told['as_of']} (check {told['check']})"
    if usd_per_hour is not None:
        basis = "given by --price-per-hour"
    elif instance_type in told["usd_per_hour"]:
        usd_per_hour = float(told["usd_per_hour"][instance_type])
        if region != told["region"]:
            usd_per_hour *= told["elsewhere_times"]
            basis += f"; for {region} taken times {told['elsewhere_times']}, which is an assumption"
    else:
        raise DeploymentError(
            f"The price of {instance_type} is not in training/jobs/prices.json: look it up and give it with "
            f"--price-per-hour, or take one of {', '.join(told['usd_per_hour'])}."
        )
    hours = instances * max_run_s / 3600
    storage = hours * volume_gb * told["storage_usd_per_gb_month"] / HOURS_PER_MONTH
    low, high = usd_per_hour * hours + storage, usd_per_hour * hours + storage
    if spot:
        least = told["spot_share"]
        low = usd_per_hour * hours * least + storage
        basis += f"; spot from {least:.0%} of it, which is an assumption, up to all of it"
    return Cost(usd_per_hour=usd_per_hour, low=low, high=high, basis=basis)
