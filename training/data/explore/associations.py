"""Measure the association of two columns, with a measure that fits their types: categorical or numeric."""

from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

CRAMER: Final = "Cramér's V"
RATIO: Final = "correlation ratio"
SPEARMAN: Final = "|Spearman's rho|"


def cramers_v(first: pd.Series, second: pd.Series) -> float:
    """Cramér's V of two categorical columns, corrected for the bias of small tables; 0 (none) to 1.

    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42 (2013).
    `scipy.stats.contingency.association` has no such correction. NaN if a column has fewer than two values.
    """
    table = pd.crosstab(first, second).to_numpy()
    rows, columns, n = *table.shape, table.sum()
    if min(rows, columns) < 2:
        return float("nan")
    phi2 = stats.chi2_contingency(table, correction=False).statistic / n
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows_, columns_ = rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)
    return float(np.sqrt(corrected / min(rows_ - 1, columns_ - 1)))


def correlation_ratio(categories: pd.Series, numbers: pd.Series) -> float:
    """Eta: the square root of the share of the numbers' variance that is between the categories; 0 (none) to 1.

    Fisher, "Statistical Methods for Research Workers" (1925), section 45. Rows without a number are ignored; NaN if the
    numbers do not vary.
    """
    known = numbers.notna()
    categories, numbers = categories[known], numbers[known]
    total = float(numbers.var(ddof=0))
    if not total:
        return float("nan")
    between = float(numbers.groupby(categories).transform("mean").var(ddof=0))
    return float(np.sqrt(between / total))


def associate(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every pair of columns.

    Args:
        table: categorical columns (object or str), where "unknown" is a category, and numeric columns, where NaN is
            ignored.

    Returns:
        The strengths, 0 to 1, and the names of the measures: both with a row and a column for each column of the table.
    """
    columns = list(table.columns)
    strengths = pd.DataFrame(1.0, index=columns, columns=columns)
    measures = pd.DataFrame("", index=columns, columns=columns)
    for first, second in combinations(columns, 2):
        strength, measure = _associate(table[first], table[second])
        strengths.loc[first, second] = strengths.loc[second, first] = strength
        measures.loc[first, second] = measures.loc[second, first] = measure
    return strengths, measures


def correlate(numbers: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r below the diagonal, Spearman's rho above it; each pair over the rows with both numbers."""
    pearson = numbers.corr("pearson").to_numpy()
    spearman = numbers.corr("spearman").to_numpy()
    both = np.tril(pearson, -1) + np.triu(spearman, 1) + np.eye(len(pearson))
    return pd.DataFrame(both, index=numbers.columns, columns=numbers.columns)


def _associate(first: pd.Series, second: pd.Series) -> tuple[float, str]:
    match pd.api.types.is_numeric_dtype(first), pd.api.types.is_numeric_dtype(second):
        case True, True:
            return abs(float(first.corr(second, method="spearman"))), SPEARMAN
        case True, False:
            return correlation_ratio(second, first), RATIO
        case False, True:
            return correlation_ratio(first, second), RATIO
        case _:
            return cramers_v(first, second), CRAMER
