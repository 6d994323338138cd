"""Gives a build the pip configuration of this machine, so that it reaches the same package index."""

import os
import re
import subprocess
import sys
from pathlib import Path

PATH_IN_BUILD = "/etc/pip.conf"
CERTIFICATES = Path("/etc/ssl/certs")
_LINE = re.compile(r"^(?:global|install|site|user|:env:)\.(?P<name>[a-z-]+)='(?P<value>.*)'$")
_EXCLUDED = {"constraint", "require-virtualenv", "user", "target", "python"}  # valid only on this machine


def pip_configuration(listed: str) -> str:
    """Convert the output of `pip config list` to a pip.conf. Environment variables take precedence over files."""
    lines = listed.splitlines()
    options: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):  # the environment last
        if (match := _LINE.match(line)) and match["name"] not in _EXCLUDED:
            options[match["name"]] = match["value"]
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in sorted(options.items()) if value), ""])


def volumes(folder: Path) -> list[str]:
    """Write the pip.conf into `folder`; return buildah's `--volume` options for it and for the paths that it names."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    text = pip_configuration(listed)
    configuration = folder / "pip.conf"
    configuration.write_text(text)
    paths = {CERTIFICATES} if CERTIFICATES.is_dir() else set()
    for scheme, name in re.findall(r"(file://|(?<=[\s=]))(/[^\s=]+)", text):
        path = Path(name).parent if scheme else Path(name)  # the pages of a file:// index link to its sibling folders
        if path.exists() and len(path.parts) > 1:
            paths.add(path)
    outermost = [path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths)]
    mounts = [(configuration, Path(PATH_IN_BUILD)), *((path, path) for path in sorted(outermost))]
    return [f"--volume={os.fspath(source)}:{os.fspath(target)}:ro" for source, target in mounts]
