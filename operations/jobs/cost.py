"""The cost of a training job: an estimate from a dated table of prices, and the most that its limits allow."""

from dataclasses import dataclass

from contract.errors import DeploymentError
from operations.jobs.request import JobRequest
from operations.prices import Prices, read_prices


@dataclass(frozen=True, kw_only=True)
class JobCost:
    """US dollars for a job that uses its whole time limit; a job that ends earlier costs less in proportion."""

    usd_per_hour: float  # of one instance, on demand
    low: float
    high: float  # no job within these limits costs more
    basis: str  # a sentence: where the price comes from


def estimate_job_cost(request: JobRequest, region: str, prices: Prices | None = None) -> JobCost:
    """Estimate the cost of a job.

    SageMaker bills each instance by the second. Spot capacity never costs more than on-demand capacity. So the most is
    the on-demand price times the time limit.

    Args:
        request: the options of the job. Its price per hour replaces that of the table.
        region: of the job.
        prices: the table; None is `prices.json`.

    Raises:
        DeploymentError: the price is not known.
    """
    prices = prices or read_prices()
    instance_type, usd_per_hour = request.instance_type, request.usd_per_hour
    basis = f"AWS's public prices on demand in {prices.region}, as of {prices.as_of} (check aws.amazon.com/pricing)"
    if usd_per_hour is not None:
        basis = "given by --price-per-hour"
    elif instance_type in prices.training_usd_per_hour:
        usd_per_hour = prices.training_usd_per_hour[instance_type]
        if region != prices.region:
            usd_per_hour *= prices.elsewhere_times
            basis += f"; times {prices.elsewhere_times} for {region}, which is an assumption"
    else:
        raise DeploymentError(
            f"The price of {instance_type} is not in operations/prices.json: look it up and give it with "
            f"--price-per-hour, or take one of {', '.join(prices.training_usd_per_hour)}."
        )
    hours = request.instances * request.max_run_s / 3600
    storage = hours * request.volume_gb * prices.usd["training_volume_gb_month"] / prices.hours_per_month
    low = high = usd_per_hour * hours + storage
    if request.spot:
        share = prices.spot_share.training
        low = usd_per_hour * hours * share + storage
        basis += f"; spot costs {share:.0%} to 100% of it, where {share:.0%} is an assumption"
    return JobCost(usd_per_hour=usd_per_hour, low=low, high=high, basis=basis)
