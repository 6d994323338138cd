"""The build gets pip's configuration of this machine, and only what it needs of it."""

from pathlib import Path

from tests.containers.pip_config import pip_configuration, volumes

LISTED = """\
:env:.cert='/ca/one.pem'
:env:.default-timeout='180'
global.cert='/ca/two.pem'
global.constraint='/etc/constraints.txt'
global.extra-index-url='file:///srv/a/simple https://packages.example/simple'
"""


def test_environment_variables_take_precedence_and_machine_specific_options_are_excluded() -> None:
    assert pip_configuration(LISTED).splitlines() == [
        "[global]",
        "cert = /ca/one.pem",
        "default-timeout = 180",
        "extra-index-url = file:///srv/a/simple https://packages.example/simple",
    ]


def test_without_a_configuration_the_pip_conf_is_empty() -> None:
    assert pip_configuration("") == "[global]\n"


def test_all_volumes_are_read_only(tmp_path: Path) -> None:
    options = volumes(tmp_path)
    assert f"--volume={tmp_path / 'pip.conf'}:/etc/pip.conf:ro" in options
    assert all(volume.endswith(":ro") for volume in options)
