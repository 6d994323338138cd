"""A local stack, started and stopped by the command line as a user does it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def running_stack(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """Start `lesion local up` in a folder and yield its URLs by part; afterwards no process is left."""
    command = [str(Path(sys.executable).with_name("lesion")), "local", "up", *options]
    ports = ["--page-port", "0", "--api-port", "0", "--aws-port", "0"]
    with subprocess.Popen([*command, *ports], cwd=folder, stdout=subprocess.PIPE, text=True) as stack:
        assert stack.stdout is not None
        printed = ""
        for line in stack.stdout:
            printed += line
            if "Ctrl-C" in line:
                break
        urls = dict(re.findall(r"^(AWS APIs|API|page) +(http://\S+)", printed, re.MULTILINE))
        assert urls.keys() == {"AWS APIs", "API", "page"}, printed
        parts = psutil.Process(stack.pid).children(recursive=True)
        yield urls
        stack.send_signal(signal.SIGINT)
        assert "stopping" in stack.communicate(timeout=30)[0]
    assert stack.returncode == 0
    assert psutil.wait_procs(parts, timeout=10)[1] == []
