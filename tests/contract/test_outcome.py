"""From the output of the model to the outcome for a person."""

import numpy as np
import pytest

from contract.bundle import Manifest, read_bundle
from contract.labels import CODES
from contract.outcome import decide, malignant_probability, rank_classes
from contract.quality import Finding
from tests.tiny_bundle import write_tiny_bundle

BLURRED = Finding(code="blurred", message="The picture is blurred.", value=1.0, threshold=4.0)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("bundle")
    return read_bundle(write_tiny_bundle(folder, malignant_threshold=0.3, unfamiliar_threshold=0.6))


def probabilities(**shares: float) -> np.ndarray:
    return np.array([shares.get(code, 0.0) for code in CODES], np.float32)


@pytest.mark.parametrize(
    ("shares", "unfamiliar_score", "findings", "outcome"),
    [
        ({"nv": 0.9, "mel": 0.1}, 0.1, [], "low_risk"),
        ({"nv": 0.7, "mel": 0.3}, 0.1, [], "see_a_doctor"),
        ({"nv": 0.7, "mel": 0.1, "bcc": 0.1, "akiec": 0.1}, 0.1, [], "see_a_doctor"),
        ({"nv": 0.39, "bkl": 0.35, "df": 0.26}, 0.1, [], "inconclusive"),
        ({"nv": 0.3, "bkl": 0.3, "mel": 0.4}, 0.1, [], "see_a_doctor"),
        ({"nv": 1.0}, 0.1, [BLURRED], "inconclusive"),
        ({"mel": 1.0}, 0.1, [BLURRED], "see_a_doctor"),
        ({"mel": 1.0}, 0.61, [], "see_a_doctor"),
        ({"nv": 0.7, "mel": 0.3}, 0.61, [BLURRED], "see_a_doctor"),
        ({"nv": 1.0}, 0.61, [BLURRED], "unfamiliar"),
        ({"nv": 1.0}, 0.6, [], "low_risk"),
    ],
)
def test_each_outcome_has_its_rule(
    manifest: Manifest, shares: dict[str, float], unfamiliar_score: float, findings: list[Finding], outcome: str
) -> None:
    values = probabilities(**shares)
    decided = decide(
        rank_classes(values, CODES),
        malignant=malignant_probability(values, manifest),
        unfamiliar_score=unfamiliar_score,
        findings=findings,
        manifest=manifest,
    )
    assert decided == outcome


def test_classes_come_likeliest_first_and_ties_in_model_order() -> None:
    ranked = rank_classes(probabilities(nv=0.5, mel=0.25, bcc=0.25), CODES)
    assert [item.code for item in ranked][:3] == ["nv", "bcc", "mel"]
    assert [item.malignant for item in ranked][:3] == [False, True, True]
