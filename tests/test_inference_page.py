"""The tables of docs/inference.md agree with the code."""

from contract.quality import MESSAGES
from tests.inference_page import FALSE_ALARMS, MEASURES, PAGE, with_tables


def test_the_tables_are_up_to_date() -> None:
    assert PAGE.read_text() == with_tables(PAGE.read_text()), "run python -m tests.inference_page"


def test_every_finding_is_explained() -> None:
    assert list(MESSAGES) == list(MEASURES) == list(FALSE_ALARMS)
