"""AWS's prices in one month. `prices.json` is the only place that has prices."""

from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict


class SpotShare(BaseModel):
    """The price of spot capacity as a share of the on-demand price. It changes all the time: these are assumptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fargate: float
    training: float


class Prices(BaseModel):
    """The content of `prices.json`: US dollars, on demand, before tax."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: str  # year and month
    region: str  # of these prices
    source: str
    hours_per_month: float  # as AWS calculates
    elsewhere_times: float  # factor for the prices of other regions: an assumption, on the high side
    spot_share: SpotShare
    usd: dict[str, float]  # each name ends in its unit
    training_usd_per_hour: dict[str, float]  # by SageMaker training instance


@cache
def read_prices() -> Prices:
    """Read `prices.json`."""
    return Prices.model_validate_json(files("operations").joinpath("prices.json").read_text())
