"""The tables of docs/inference.md agree with the code."""

import json
from pathlib import Path

from contract.quality import MESSAGES
from tests.inference_page import FALSE_ALARMS, MEASURES, PAGE, changed_pictures, take_changed_pictures, with_tables
from tests.low_risk_shares import low_risk_shares


def test_the_tables_are_up_to_date() -> None:
    assert PAGE.read_text() == with_tables(PAGE.read_text()), "run python -m tests.inference_page"


def test_every_finding_is_explained() -> None:
    assert list(MESSAGES) == list(MEASURES) == list(FALSE_ALARMS)


def test_the_results_of_two_reports_stand_side_by_side(tmp_path: Path) -> None:
    for name, share in (("before", 0.35), ("after", 0.012345678)):
        report = tmp_path / f"{name}-metrics.json"
        robustness = low_risk_shares({"dark_circle_1.0": share}).model_dump()
        report.write_text(json.dumps({"metrics": {}, "robustness": robustness}))
        take_changed_pictures(name, report, tmp_path / "robustness")
    page = changed_pictures(tmp_path / "robustness")
    assert "- **Before:** 100 malignant pictures of 60 lesions; 100 pictures of all classes are turned. 1 of 35" in page
    assert "- **After:** 100 malignant pictures of 60 lesions; 100 pictures of all classes are turned. 0 of 35" in page
    assert "| change | `low_risk`, before | `low_risk`, after | noticed, before |" in page
    assert "| dark circle, diameter 1.0 | **35.0 (35.0 to 36.0)%** | 1.2 (1.2 to 2.2)% | 0.0% | 0.0% |" in page
