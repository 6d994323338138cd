"""Describe a folder of labelled pictures in a report: one self-contained HTML page, and its figures as PNG."""

import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from contract.labels import BY_CODE, CLASSES, CODES
from training.atomic_folder import atomic_folder
from training.data.clean import UNKNOWN
from training.data.explore import charts
from training.data.explore.associations import associate, correlate
from training.data.explore.pictures import (
    MEASURED_PX,
    STATISTICS,
    choose_examples,
    measure_pictures,
    sample_classes,
)
from training.data.ham10000 import COLUMNS, Dataset, read_dataset
from training.progress import OnProgress, ignore_progress
from training.reporting.page import PAGE, Chart, as_data_url, write_page
from training.reporting.style import CLASS_COLOURS

MEASURED: Final = 2_100  # default number of pictures whose brightness, colour and sharpness are measured
HEAD_ROWS: Final = 8  # of the table that the page shows


def explore(
    folder: Path, out: Path, pictures: int = MEASURED, seed: int = 42, on_progress: OnProgress = ignore_progress
) -> Path:
    """Write `out/report.html` and `out/figures/*.png` about the pictures in `folder`. An error removes them.

    Args:
        folder: with the table and the pictures, for `read_dataset`.
        out: the target, absent or empty; its parent folders are made.
        pictures: about how many to measure, evenly from all classes.
        seed: of the random choice of pictures.
        on_progress: called as (step, number done, total).

    Returns:
        The path of the page.

    Raises:
        DatasetError: the pictures cannot be read, or `out` is not empty.
        OSError: `out` cannot be written.
    """
    with atomic_folder(out) as partial:
        dataset = read_dataset(folder)
        measured = sample_classes(dataset, pictures, seed)
        statistics = measure_pictures(measured, on_progress)
        examples = choose_examples(dataset, seed, on_progress)
        malignant = [lesion_class.code for lesion_class in CLASSES if lesion_class.malignant]
        write_page(
            partial,
            "training.data.explore",
            _draw(dataset, measured, statistics),
            on_progress,
            dataset=dataset,
            lesions=_lesions(dataset),
            measured=len(measured.rows),
            seed=seed,
            classes=_class_table(dataset, measured, statistics),
            head=dataset.rows[list(COLUMNS)].head(HEAD_ROWS).astype({"age": object}).fillna("").to_numpy().tolist(),
            examples={code: [as_data_url(square) for square in squares] for code, squares in examples.items()},
            columns=COLUMNS,
            malignant=int(dataset.rows["dx"].isin(malignant).sum()),
            today=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
    return out.absolute() / PAGE


def _lesions(dataset: Dataset) -> pd.DataFrame:
    """One row for each lesion: its first picture, and the number of its pictures."""
    lesions = dataset.rows.drop_duplicates("lesion_id").reset_index(drop=True)
    return lesions.assign(pictures=lesions["lesion_id"].map(dataset.rows["lesion_id"].value_counts()))


def _draw(dataset: Dataset, measured: Dataset, statistics: pd.DataFrame) -> list[Chart]:
    rows, lesions = dataset.rows, _lesions(dataset)
    n, n_lesions, n_measured = f"{len(rows):,}", f"{len(lesions):,}", f"{len(statistics):,}"
    ages = {code: lesions.loc[lesions["dx"] == code, "age"].dropna().to_numpy() for code in CODES}
    known_ages = f"{sum(map(len, ages.values())):,}"
    sites = _crosstab(lesions, "localization")
    sites = sites[sites.sum().sort_values(ascending=False).index]
    strengths, _ = associate(_mixed(lesions))
    numbers = statistics.assign(age=measured.rows["age"])
    per_class = lesions["dx"].value_counts()
    missing = pd.Series(dataset.cleaning.unknown).reindex(["age", "sex", "localization", "dx_type"]).fillna(0)
    figures = [
        Chart("classes", "Classes are unequal", f"Pictures (n = {n}) and lesions (n = {n_lesions}) of each class.",
               charts.class_distribution(list(dataset.per_class.values()), [int(per_class.get(c, 0)) for c in CODES])),
        Chart("per-lesion", "Some lesions have several pictures", f"Lesions by their number of pictures "
               f"(n = {n_lesions} lesions). All pictures of a lesion are in the same part of every split.",
               charts.pictures_per_lesion(lesions["pictures"].value_counts().sort_index())),
        Chart("age", "Age when the picture was taken", f"Years, for each lesion with a known age (n = {known_ages} of "
               f"{n_lesions} lesions). Line: median; box: quartiles; whiskers: 1.5 interquartile ranges. Ages were "
               "published in steps of five years.", charts.boxes(ages, "age (years)")),
        Chart("sex", "Sex", f"Share of each class's lesions (n = {n_lesions}).",
               charts.shares(_crosstab(lesions, "sex"))),
        Chart("dx-type", "How the diagnosis was made", f"Share of each class's lesions (n = {n_lesions}). A model "
               "could recognise a class with a single diagnosis method by that method: never train on this column.",
               charts.shares(_crosstab(lesions, "dx_type"))),
        Chart("missing", "Unknown values", f"Pictures (n = {n}) with an unknown value, after cleaning. "
               "Nothing is imputed.", charts.missing_values(missing.astype(int), len(rows))),
        Chart("site", "Body site", f"Percent of each class's lesions at each site (rows add up to 100; "
               f"n = {n_lesions} lesions).",
               charts.heatmap(sites.div(sites.sum(axis="columns").replace(0, 1), axis="index"), percent=True)),
        Chart("associations", "Associations between columns", "Strength of association, 0 to 1, over lesions "
               f"(n = {n_lesions}): Cramér's V with bias correction between categories, the correlation ratio "
               "between a category and a number, the absolute Spearman correlation between numbers.",
               charts.heatmap(strengths)),
        Chart("correlations", "Correlations between numbers", f"Over the measured pictures (n = {n_measured}): "
               "Pearson's r below the diagonal, Spearman's rho above it. Blue is positive, orange negative.",
               charts.heatmap(correlate(numbers))),
    ]  # fmt: skip
    for name, label in STATISTICS.items():
        of_class = {code: statistics.loc[measured.rows["dx"] == code, name].to_numpy() for code in CODES}
        caption = f"Centre square at {MEASURED_PX} px, in a sample from all classes (n = {n_measured} pictures)."
        title = label.partition(" (")[0]
        figures.append(Chart(name, title, caption, charts.boxes(of_class, label, log=name == "sharpness")))
    return figures


def _crosstab(lesions: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count lesions: a row for each class in the model's order, a column for each value, most frequent first."""
    table = pd.crosstab(lesions["dx"], lesions[column]).reindex(list(CODES), fill_value=0)
    totals = table.sum().to_dict()
    order = sorted(totals, key=lambda value: (value == UNKNOWN, -totals[value]))  # "unknown" last
    return table[order]


def _mixed(lesions: pd.DataFrame) -> pd.DataFrame:
    columns = {"dx": "diagnosis", "dx_type": "confirmed by", "sex": "sex", "localization": "site", "age": "age"}
    return lesions[[*columns, "pictures"]].rename(columns=columns)


def _class_table(dataset: Dataset, measured: Dataset, statistics: pd.DataFrame) -> list[dict[str, Any]]:
    lesions = _lesions(dataset)
    table = []
    for code in CODES:
        of_class, measured_of_class = lesions[lesions["dx"] == code], statistics[measured.rows["dx"] == code]
        quartiles = of_class["age"].quantile([0.25, 0.5, 0.75]).tolist()
        sexes = of_class["sex"][of_class["sex"] != UNKNOWN]
        table.append(
            {
                "code": code,
                "name": BY_CODE[code].name,
                "malignant": BY_CODE[code].malignant,
                "colour": CLASS_COLOURS[code],
                "pictures": dataset.per_class[code],
                "share": dataset.per_class[code] / len(dataset.rows),
                "lesions": len(of_class),
                "age": None if np.isnan(quartiles[1]) else [round(age) for age in quartiles],
                "female": float((sexes == "female").mean()) if len(sexes) else None,
                "histology": float((of_class["dx_type"] == "histo").mean()) if len(of_class) else None,
                "measured": len(measured_of_class),
                **{name: _median(measured_of_class[name]) for name in STATISTICS},
            }
        )
    return table


def _median(values: pd.Series) -> float | None:
    return float(values.median()) if len(values) else None
