"""What a million predictions cost on Lambda, at a measured time and the memory that buys the threads."""

import math

from operations.prices import read_prices

MEMORY_MB_PER_VCPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html


def usd_per_million(milliseconds: float, threads: int, peak_mb: float) -> float:
    """Price a million warm calls; Lambda bills whole milliseconds.

    Args:
        milliseconds: of one call.
        threads: vCPUs that it has.
        peak_mb: the memory that it must have, where that is more than the vCPUs bring.
    """
    memory_gb = max(threads * MEMORY_MB_PER_VCPU, peak_mb) / 1024
    seconds = math.ceil(milliseconds) / 1000
    usd = read_prices().usd
    return 1e6 * (seconds * memory_gb * usd["lambda_gb_s"] + usd["lambda_request"])
