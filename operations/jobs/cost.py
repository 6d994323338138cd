"""What a training job may cost: an estimate from a dated table, and the most that its limits allow."""

from dataclasses import dataclass

from contract.errors import DeploymentError
from operations.prices import Prices, read_prices


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
    prices: Prices | None = None,
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
        prices: to go by; the project's own by default.

    Raises:
        DeploymentError: the price is not known.
    """
    prices = prices or read_prices()
    basis = f"AWS's public prices on demand in {prices.region}, as of {prices.as_of} (check aws.amazon.com/pricing)"
    if usd_per_hour is not None:
        basis = "given by --price-per-hour"
    elif instance_type in prices.training_usd_per_hour:
        usd_per_hour = prices.training_usd_per_hour[instance_type]
        if region != prices.region:
            usd_per_hour *= prices.elsewhere_times
            basis += f"; for {region} taken times {prices.elsewhere_times}, which is an assumption"
    else:
        raise DeploymentError(
            f"The price of {instance_type} is not in operations/prices.json: look it up and give it with "
            f"--price-per-hour, or take one of {', '.join(prices.training_usd_per_hour)}."
        )
    hours = instances * max_run_s / 3600
    storage = hours * volume_gb * prices.usd["training_volume_gb_month"] / prices.hours_per_month
    low, high = usd_per_hour * hours + storage, usd_per_hour * hours + storage
    if spot:
        least = prices.spot_share.training
        low = usd_per_hour * hours * least + storage
        basis += f"; spot from {least:.0%} of it, which is an assumption, up to all of it"
    return Cost(usd_per_hour=usd_per_hour, low=low, high=high, basis=basis)
