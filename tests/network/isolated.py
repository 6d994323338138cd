"""Starts commands in a network of their own, each with an empty home folder, and returns what they did there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NAMESPACES: Final = ("unshare", "--user", "--map-root-user", "--net", "--mount")
TIMEOUT_S: Final = 900.0  # of a command that hangs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did."""

    status: int
    output: str  # standard output and standard error
    names: list[str]  # host names that it asked for
    destinations: list[str]  # that it sent packets to, outside this machine: "tcp 192.0.2.1:443"
    home: list[str]  # files below its home folder, relative to it


def run_isolated(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Outcome:
    """Run a command.

    Args:
        command: program and arguments.
        folder: a new folder for its home and the report.
        environment: variables besides PATH and HOME. No other variable of this process is kept: some libraries send
            nothing if CI is set.
    """
    report, home = folder / "report.json", folder / "home"
    home.mkdir(parents=True)
    done = subprocess.run(
        [*NAMESPACES, sys.executable, "-m", "tests.network.recorder", str(report), *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    recorded = json.loads(report.read_text()) if report.exists() else {"names": [], "destinations": []}
    files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())
    return Outcome(status=done.returncode, output=done.stdout, home=files, **recorded)


def missing_requirement() -> str | None:
    """Return why this machine cannot make such a network, or None if it can."""
    for program, package in {"unshare": "util-linux", "mount": "mount", "ip": "iproute2"}.items():
        if not shutil.which(program):
            return f"there is no {program}: on Debian, apt install {package}"
    device = [*NAMESPACES, "ip", "tuntap", "add", "probe", "mode", "tun"]
    done = subprocess.run(device, capture_output=True, text=True)
    return f"this user may not make a network: {done.stderr.strip()}" if done.returncode else None
