"""What a million predictions cost on Lambda, at a measured time and the memory that buys the threads."""

import json
import math
from pathlib import Path

MEMORY_MB_PER_VCPU = 1769  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
PRICE = json.loads((Path(__file__).parent / "price.json").read_text())


def usd_per_million(milliseconds: float, threads: int, peak_mb: float) -> float:
    """Price a million warm calls; Lambda bills whole milliseconds.

    Args:
        milliseconds: of one call.
        threads: vCPUs that it has.
        peak_mb: the memory that it must have, where that is more than the vCPUs bring.
    """
    memory_gb = max(threads * MEMORY_MB_PER_VCPU, peak_mb) / 1024
    seconds = math.ceil(milliseconds) / 1000
    return float(1e6 * seconds * memory_gb * PRICE["usd_per_gb_second"] + PRICE["usd_per_million_requests"])
