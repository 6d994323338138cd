"""A build reaches the package index as this machine does, and nothing else of it."""

from pathlib import Path

from tests.containers.pip_config import pip_configuration, volumes

LISTED = """\
:env:.cert='/ca/one.pem'
:env:.default-timeout='180'
global.cert='/ca/two.pem'
global.constraint='/etc/constraints.txt'
global.extra-index-url='file:///srv/a/simple https://packages.example/simple'
"""


def test_the_environment_goes_before_the_files_and_limits_of_this_machine_stay_here() -> None:
    assert pip_configuration(LISTED).splitlines() == [
        "[global]",
        "cert = /ca/one.pem",
        "default-timeout = 180",
        "extra-index-url = file:///srv/a/simple https://packages.example/simple",
    ]


def test_a_machine_without_a_configuration_gives_an_empty_one() -> None:
    assert pip_configuration("") == "[global]\n"


def test_everything_is_lent_read_only(tmp_path: Path) -> None:
    lent = volumes(tmp_path)
    assert f"--volume={tmp_path / 'pip.conf'}:/etc/pip.conf:ro" in lent
    assert all(volume.endswith(":ro") for volume in lent)
