"""One process at a time, and no lock file left."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import Timeout

from training.file_lock import lock_file


def test_a_second_holder_is_refused_and_the_file_is_removed_by_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    refused: list[BaseException] = []

    def second() -> None:
        try:
            with lock_file(path, wait=False):
                pass
        except Timeout as error:
            refused.append(error)

    with lock_file(path, wait=False):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert len(refused) == 1
        assert path.exists()
    assert not path.exists()


def test_many_waiting_holders_never_overlap(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", 0, 0

    def hold() -> None:
        nonlocal inside, most
        for _ in range(5):
            with lock_file(path, wait=True):
                inside += 1
                most = max(most, inside)
                time.sleep(0.005)
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not path.exists()


def test_an_error_in_the_block_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), lock_file(tmp_path / "lock", wait=False):
        raise ValueError("no")
    with lock_file(tmp_path / "lock", wait=False):
        pass


def test_a_killed_process_releases_the_lock(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from training.file_lock import lock_file\n"
        "with lock_file(Path(sys.argv[1]), wait=False): os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "lock"], check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert (tmp_path / "lock").exists()
    with lock_file(tmp_path / "lock", wait=False):
        pass
    assert list(tmp_path.iterdir()) == []
