"""Where a cold start goes: imports by package, the init phase as AWS's emulator reports it, and the peak of memory.

`python -m benchmarks.serving.budget [--bundle DIR]`: medians of cold processes, the imports one after the other.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import psutil

from benchmarks.bundles import newest_bundle
from contract.events import http_event
from local.emulator import Emulator

# In the order in which a container comes to need them; -X importtime counts a module to the first that imports it.
IMPORTS = (
    "functions.classify.s3",
    "contract.bundle",
    "numpy",
    "onnxruntime",
    "awslambdaric.bootstrap",
    "contract.image",
    "aws_lambda_powertools.event_handler",
    "aws_xray_sdk.core",
    "functions.classify.handler",
)
OURS = {"contract", "functions"}
SHOWN = 14
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")
_REPORT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="default: the newest in artifacts/models")
    parser.add_argument("--starts", type=int, default=7)
    options = parser.parse_args()
    bundle = options.bundle or newest_bundle(parser)
    columns = defaultdict(list)
    for _ in range(options.starts):
        for package, milliseconds in imports_by_package().items():
            columns[package].append(milliseconds)
    budget = {package: statistics.median(times) for package, times in columns.items()}
    shown = sorted(budget, key=lambda package: -budget[package])
    print("imports, by package, each without those it imports itself:")
    for package in shown[:SHOWN]:
        print(f"  {package:32}{budget[package]:8.1f} ms")
    print(f"  {f'{len(shown) - SHOWN} others':32}{sum(budget[package] for package in shown[SHOWN:]):8.1f} ms")
    print(f"  {'all':32}{sum(budget.values()):8.1f} ms")
    inits, peaks = zip(*(init_phase(bundle) for _ in range(options.starts)), strict=True)
    print(f"init phase, as the emulator reports it: {statistics.median(inits):.0f} ms, model and all")
    print(f"peak memory of the function, after an answer: {max(peaks):.0f} MB")


def imports_by_package() -> dict[str, float]:
    """Import all that a container imports, in a new process; milliseconds by top-level package, the library as one."""
    script = "\n".join(f"import {module}" for module in IMPORTS)
    command = [sys.executable, "-X", "importtime", "-c", script]
    environment = {"PYDANTIC_DISABLE_PLUGINS": "__all__", "LAMBDA_TASK_ROOT": str(Path.cwd()), "PYTHONPATH": "."}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    packages: dict[str, float] = defaultdict(float)
    for microseconds, module in _LINE.findall(done.stderr):
        package = module.split(".")[0]
        named = "Python's own library" if package in sys.stdlib_module_names else package
        packages["contract and functions" if package in OURS else named] += int(microseconds) / 1000
    return packages


def init_phase(bundle: Path) -> tuple[float, float]:
    """Start the function under the emulator; return its init in milliseconds, and its peak of memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        environment = {"MODEL_URI": bundle.resolve().as_uri(), "MODEL_CACHE": f"{folder}/models"}
        emulator = Emulator("function", environment, log, log_level="info")
        try:
            emulator.invoke(http_event("GET", "/v1/health"))
            (function,) = psutil.Process(emulator.pid).children()
            status = Path(f"/proc/{function.pid}/status").read_text()
        finally:
            emulator.stop()
        report = _REPORT.search(log.read_text())
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        if report is None or peak is None:
            raise RuntimeError(f"the emulator reported no init phase: {log.read_text()[-300:]}")
        return float(report[1]), int(peak[1]) / 1024


if __name__ == "__main__":
    main()
