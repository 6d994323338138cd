"""What AWS charges, as it was in one month: the one place that has prices."""

from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict


class SpotShare(BaseModel):
    """What spot capacity costs, as a share of the price on demand: it moves, so these are assumptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fargate: float
    training: float


class Prices(BaseModel):
    """`prices.json`: US dollars, on demand, before tax."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: str  # year and month
    region: str  # that they hold for
    source: str
    hours_per_month: float  # as AWS reckons
    elsewhere_times: float  # what to take prices in other regions for: an assumption, on the dear side
    spot_share: SpotShare
    usd: dict[str, float]  # each name ends in what it is paid by
    training_usd_per_hour: dict[str, float]  # SageMaker's training instances


@cache
def read_prices() -> Prices:
    """Read them."""
    return Prices.model_validate_json(files("operations").joinpath("prices.json").read_text())
