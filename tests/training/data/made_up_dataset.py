"""Tables without picture files, for tests of splits."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from contract.labels import CODES
from training.data.ham10000 import Dataset


def dataset_of(pictures: dict[str, list[int]]) -> Dataset:
    """Make a dataset from the number of pictures of each lesion, by class."""
    rows = [
        {"lesion_id": f"{code}{lesion}", "image_id": f"{code}{lesion}-{picture}", "dx": code}
        for code, lesions in pictures.items()
        for lesion, count in enumerate(lesions)
        for picture in range(count)
    ]
    rows = [rows[position] for position in np.random.default_rng(1).permutation(len(rows))]
    table = pd.DataFrame(rows).assign(dx_type="histo", age=50.0, sex="female", localization="back", path="")
    return Dataset("made up", Path(), table.assign(class_index=[CODES.index(dx) for dx in table["dx"]]))


datasets = st.fixed_dictionaries({code: st.lists(st.integers(1, 6), min_size=3, max_size=40) for code in CODES}).map(
    dataset_of
)
