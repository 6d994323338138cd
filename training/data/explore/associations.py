"""How strongly two columns go together, whether they hold words or numbers: each pair by the measure that suits it."""

from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

CRAMER: Final = "Cramér's V"
RATIO: Final = "correlation ratio"
SPEARMAN: Final = "|Spearman's rho|"


def cramers_v(one: pd.Series, other: pd.Series) -> float:
    """Cramér's V of two columns of words, corrected for the bias of small tables; 0 (none) to 1.

    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42 (2013).
    NaN where a column has fewer than two values.
    """
    table = pd.crosstab(one, other).to_numpy()
    rows, columns, n = *table.shape, table.sum()
    if min(rows, columns) < 2:
        return float("nan")
    phi2 = stats.chi2_contingency(table, correction=False).statistic / n
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    rows_, columns_ = rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)
    return float(np.sqrt(corrected / min(rows_ - 1, columns_ - 1)))


def correlation_ratio(words: pd.Series, numbers: pd.Series) -> float:
    """Eta: the root of the share of the numbers' variance that lies between groups; 0 (none) to 1.

    Fisher, "Statistical Methods for Research Workers" (1925), section 45. Rows without a number are left out; NaN where
    the numbers do not vary.
    """
    known = numbers.notna()
    words, numbers = words[known], numbers[known]
    total = float(((numbers - numbers.mean()) ** 2).sum())
    if not total:
        return float("nan")
    groups = numbers.groupby(words)
    between = float((groups.size() * (groups.mean() - numbers.mean()) ** 2).sum())
    return float(np.sqrt(between / total))


def associate(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every pair of columns.

    Args:
        table: columns of words (object or str) and of numbers; unknown words are a value, unknown numbers left out.

    Returns:
        The strengths, 0 to 1, and the names of the measures: both with a row and a column for each column.
    """
    columns = list(table.columns)
    strengths = pd.DataFrame(1.0, index=columns, columns=columns)
    measures = pd.DataFrame("", index=columns, columns=columns)
    for position, one in enumerate(columns):
        for other in columns[:position]:
            strength, measure = _associate(table[one], table[other])
            strengths.loc[one, other] = strengths.loc[other, one] = strength
            measures.loc[one, other] = measures.loc[other, one] = measure
    return strengths, measures


def correlate(numbers: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r below the diagonal, Spearman's rho above it; each pair over the rows where both are known."""
    pearson = numbers.corr("pearson").to_numpy()
    spearman = numbers.corr("spearman").to_numpy()
    both = np.tril(pearson, -1) + np.triu(spearman, 1) + np.eye(len(pearson))
    return pd.DataFrame(both, index=numbers.columns, columns=numbers.columns)


def _associate(one: pd.Series, other: pd.Series) -> tuple[float, str]:
    numeric = [pd.api.types.is_numeric_dtype(column) for column in (one, other)]
    if all(numeric):
        return abs(float(one.corr(other, method="spearman"))), SPEARMAN
    if not any(numeric):
        return cramers_v(one, other), CRAMER
    return (correlation_ratio(other, one) if numeric[0] else correlation_ratio(one, other)), RATIO
