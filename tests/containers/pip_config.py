"""How this machine reaches its package index, for a build to reach it likewise: nothing of it stays in an image."""

import os
import re
import subprocess
import sys
from pathlib import Path

IN_THE_BUILD = "/etc/pip.conf"
CERTIFICATES = Path("/etc/ssl/certs")
_LINE = re.compile(r"^(?:global|install|site|user|:env:)\.(?P<name>[a-z-]+)='(?P<value>.*)'$")
_LEFT_OUT = {"constraint", "require-virtualenv", "user", "target", "python"}  # what is about this machine alone


def pip_configuration(listed: str) -> str:
    """Word what `pip config list` prints as the pip.conf of a build; the environment goes before the files."""
    said = [match.group("name", "value") for line in listed.splitlines() if (match := _LINE.match(line))]
    listed_last = {name: value for name, value in said if name not in _LEFT_OUT}
    from_env = [line for line in listed.splitlines() if line.startswith(":env:")]
    for line in from_env:
        if (match := _LINE.match(line)) and match["name"] not in _LEFT_OUT:
            listed_last[match["name"]] = match["value"]
    lines = [f"{name} = {value}" for name, value in sorted(listed_last.items()) if value]
    return "\n".join(["[global]", *lines, ""])


def volumes(folder: Path) -> list[str]:
    """Write that pip.conf into a folder, and list what a build must see for it to hold: buildah's `--volume`s."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    text = pip_configuration(listed)
    configuration = folder / "pip.conf"
    configuration.write_text(text)
    seen = {CERTIFICATES} if CERTIFICATES.is_dir() else set()
    for scheme, named in re.findall(r"(file://|(?<=[\s=]))(/[^\s=]+)", text):
        path = Path(named).parent if scheme else Path(named)  # an index of files links to folders beside it
        if path.exists() and len(path.parts) > 1:
            seen.add(path)
    outermost = [path for path in seen if not any(path != other and path.is_relative_to(other) for other in seen)]
    mounts = [(configuration, Path(IN_THE_BUILD)), *((path, path) for path in sorted(outermost))]
    return [f"--volume={os.fspath(source)}:{os.fspath(target)}:ro" for source, target in mounts]
