"""The price of a million predictions on Lambda, from the measured time and memory."""

import math

from operations.prices import read_prices

MEMORY_MB_PER_VCPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html


def usd_per_million(milliseconds: float, threads: int, peak_mb: float) -> float:
    """Return the price of a million warm calls. Lambda bills whole milliseconds.

    Args:
        milliseconds: of one call.
        threads: number of vCPUs; Lambda gives one for each MEMORY_MB_PER_VCPU of memory.
        peak_mb: the memory that the call needs; billed if it is more than the memory for the vCPUs.
    """
    memory_gb = max(threads * MEMORY_MB_PER_VCPU, peak_mb) / 1024
    seconds = math.ceil(milliseconds) / 1000
    usd = read_prices().usd
    return 1e6 * (seconds * memory_gb * usd["lambda_gb_s"] + usd["lambda_request"])
