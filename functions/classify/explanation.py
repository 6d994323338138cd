"""Shows where in the picture the evidence for a class is."""

from collections.abc import Sequence

import numpy as np

from contract.api import Explanation


def explain(class_map: np.ndarray, code: str, labels: Sequence[str]) -> Explanation:
    """Explain a class by its class activation map, scaled so that the largest value is 1.

    The map is the dense head applied to each position of the last feature map (Zhou et al., CVPR 2016,
    arXiv:1512.04150), which the model computes in any case.

    Args:
        class_map: float32 (7, h, w), logits by position.
        code: the class to explain.
        labels: class codes in the order of the map.
    """
    evidence = np.maximum(class_map[labels.index(code)], 0)
    strongest = float(evidence.max())
    grid = evidence / strongest if strongest > 0 else evidence
    return Explanation(code=code, grid=np.round(grid.astype(np.float64), 3).tolist())
