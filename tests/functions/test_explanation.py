"""Where in the picture the evidence for a class is."""

import numpy as np

from contract.labels import CODES
from functions.classify.explanation import explain


def test_the_strongest_evidence_is_one_and_evidence_against_the_class_is_zero() -> None:
    class_map = np.zeros((7, 2, 3), np.float32)
    class_map[CODES.index("mel")] = [[-1, 0, 1], [2, 4, -8]]
    assert explain(class_map, "mel", CODES).grid == [[0, 0, 0.25], [0.5, 1, 0]]


def test_a_map_without_evidence_is_zero_and_not_divided_by_zero() -> None:
    assert explain(np.full((7, 1, 2), -3, np.float32), "nv", CODES).grid == [[0, 0]]
