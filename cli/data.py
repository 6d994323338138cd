"""`lesion data`: get, check, split, explore and decode the labelled pictures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from contract.errors import DatasetError
from training.data.layout import metadata_path

if TYPE_CHECKING:
    from training.data.check import Report

folder_argument = click.argument(
    "folder", envvar="HAM10000_DIR", default="data/ham10000", type=click.Path(file_okay=False, path_type=Path)
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def data() -> None:
    """Get, check, split, explore and decode the labelled pictures.

    FOLDER contains HAM10000_metadata.csv and images/, or the two published folders HAM10000_images_part_1 and _2. Its
    default is the environment variable HAM10000_DIR, or data/ham10000 if that is not set.
    """


@data.command()
@folder_argument
@click.option("--accept-licence", is_flag=True, help="Agree to the licence without a question.")
@click.option("--from", "sources", multiple=True, metavar="ARCHIVE", type=click.Path(path_type=Path),
              help="Use a downloaded file: an archive of pictures, the table, or Kaggle's archive of both. Repeat the "
              "option for each file; nothing is downloaded.")  # fmt: skip
@click.option("--url", default="https://dataverse.harvard.edu", show_default=True, help="The Dataverse server.")
@json_option
def fetch(folder: Path, accept_licence: bool, sources: tuple[Path, ...], url: str, as_json: bool) -> None:
    """Download HAM10000 into FOLDER.

    The source is Harvard Dataverse, doi:10.7910/DVN/DBW86T. The disk needs 6 GB during the download, and 3 GB
    afterwards. Run the command again to continue an interrupted download.
    """
    from training.atomic_folder import refuse_nonempty
    from training.data.published.archive import unpack
    from training.data.published.fetch import fetch as fetch_published
    from training.data.published.licence import TERMS

    refuse_nonempty(folder)
    click.echo(TERMS, err=True)
    if not sources and not accept_licence:
        _ask_for_agreement()
    with progress_bars() as on_progress:
        unpacked = unpack(sources, folder, on_progress) if sources else fetch_published(folder, url, on_progress)
    if as_json:
        print_json({"folder": str(unpacked.folder), "pictures": unpacked.pictures, "left_out": unpacked.left_out})
        return
    click.echo(f"{unpacked.pictures} pictures are in {unpacked.folder}; {unpacked.left_out} other files were ignored.")
    click.echo(f"To use them: export HAM10000_DIR={unpacked.folder}")


def _ask_for_agreement() -> None:
    try:
        agreed = click.confirm("Do you agree, and will you use it for non-commercial purposes only?", err=True)
    except click.Abort as error:  # no terminal, or Ctrl-C
        raise click.UsageError("You did not agree to the licence: pass --accept-licence to agree.") from error
    if not agreed:
        raise click.UsageError("You did not agree to the licence, so nothing was downloaded.")


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=350, show_default=True, type=click.IntRange(min=1), help="Number of pictures.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@json_option
def sample(folder: Path, images: int, seed: int, as_json: bool) -> None:
    """Paint a synthetic data set into FOLDER.

    It has all seven classes, to try everything without the real pictures.
    """
    from training.data.synthetic.dataset import write_synthetic_dataset

    with progress_bars() as on_progress:
        written = write_synthetic_dataset(folder, images, seed, on_progress)
    if as_json:
        print_json(
            {
                "folder": str(written.folder),
                "pictures": len(written.rows),
                "lesions": written.lesions,
                "per_class": written.per_class,
                "seed": seed,
                "sha256": written.sha256,
            }
        )
        return
    click.echo(f"{len(written.rows)} synthetic pictures of {written.lesions} lesions are in {written.folder}.")
    click.echo(f"To use them: export HAM10000_DIR={written.folder}")


@data.command()
@folder_argument
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Check the table and every picture.

    Decodes every picture, compares the pictures with the table, and lists all problems. Exits with 1 if there is one.
    """
    metadata_path(folder)
    from training.data.check import check as check_pictures

    with progress_bars() as on_progress:
        report = check_pictures(folder, on_progress)
    if as_json:
        print_json({**report.model_dump(), "sound": report.sound})
    else:
        _print_report(report)
    if not report.sound:
        raise DatasetError(f"{report.folder} has problems: correct them, and run the check again.")


@data.command()
@folder_argument
@click.option("--seed", default=42, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="Make K folds for cross-validation instead.")
@json_option
def split(folder: Path, seed: int, folds: int | None, as_json: bool) -> None:
    """Show the split by lesion.

    Splits the lesions into training, validation and test set, or into folds, and counts each part by class.
    """
    metadata_path(folder)
    from training.data.folds import count_folds, k_folds
    from training.data.ham10000 import read_dataset
    from training.data.split import count_parts, shared_lesions, split_by_lesion

    dataset = read_dataset(folder)
    result: dict[str, Any] = {"folder": str(dataset.folder), "dataset_sha256": dataset.sha256, "seed": seed}
    if folds is not None:
        counts = count_folds(dataset, k_folds(dataset, folds, seed))
        shared: list[str] = []  # k_folds raises an error if there are any
        result |= {"folds": counts, "shared_lesions": shared}
    else:
        parts = split_by_lesion(dataset, seed)
        counts, shared = count_parts(dataset, parts), shared_lesions(dataset, parts)
        result |= {"split_sha256": parts.sha256, "parts": counts, "shared_lesions": shared}
    if as_json:
        print_json(result)
        return
    _print_counts(counts)
    where = "in more than one part" if folds is None else "in more than one fold"
    click.echo(f"{len(shared)} lesions are {where}." if shared else f"No lesion is {where}.")


@data.command()
@folder_argument
@click.option("--out", default="artifacts/explore", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the report.")  # fmt: skip
@click.option("--pictures", default=2100, show_default=True, type=click.IntRange(min=7), help="Pictures to measure.")
@click.option("--seed", default=42, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@json_option
def explore(folder: Path, out: Path, pictures: int, seed: int, as_json: bool) -> None:
    """Write a report about the pictures.

    The report is one HTML page that needs no other file, and its figures as PNG.
    """
    metadata_path(folder)
    from training.data.explore.report import explore as write_report
    from training.reporting.page import FIGURES

    with progress_bars() as on_progress:
        page = write_report(folder, out, pictures, seed, on_progress)
    figures = page.parent / FIGURES
    if as_json:
        print_json({"page": str(page), "figures": [str(path) for path in sorted(figures.iterdir())]})
        return
    click.echo(f"The report is in {page}, its figures in {figures}.")


@data.command()
@folder_argument
@click.option("--size", default=224, show_default=True, metavar="PX", type=click.IntRange(min=32, max=1024),
              help="Side of the model's input square.")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the decoded pictures, as for `lesion train`.")  # fmt: skip
@json_option
def cache(folder: Path, size: int, cache: Path, as_json: bool) -> None:
    """Decode every picture for training.

    Writes the cache that `lesion train` uses, and prints the speed. Run the command again to continue an interrupted
    build.
    """
    metadata_path(folder)
    from training.data.cache import open_cache
    from training.data.decode import usable_cores
    from training.data.ham10000 import read_dataset

    dataset = read_dataset(folder)
    decoded = 0
    with progress_bars() as show:

        def on_progress(what: str, done: int, total: int) -> None:
            nonlocal decoded
            decoded += 1
            show(what, done, total)

        start = time.perf_counter()
        pixels = open_cache(dataset, size, cache, on_progress)
        seconds = time.perf_counter() - start
    cores = usable_cores()
    rate = decoded / seconds
    if as_json:
        print_json(
            {
                "file": str(pixels.filename),
                "bytes": pixels.nbytes,
                "pictures": len(pixels),
                "decoded": decoded,
                "seconds": round(seconds, 3),
                "pictures_per_s": round(rate, 1),
                "pictures_per_s_per_core": round(rate / cores, 1),
                "cores": cores,
            }
        )
        return
    click.echo(f"{len(pixels)} pictures at {size} px, {pixels.nbytes / 1e6:,.0f} MB, are in {pixels.filename}.")
    if not decoded:
        click.echo("They were already decoded.")
        return
    resumed = len(pixels) - decoded
    click.echo(
        f"Decoded {decoded} of them in {seconds:.1f} s: {rate:.0f} pictures/s, {rate / cores:.0f} for each of {cores} "
        "cores." + (f" {resumed} were kept from an interrupted build." if resumed else "")
    )


def _print_report(report: "Report") -> None:
    click.echo(f"{report.pictures} pictures of {report.lesions} lesions in {report.folder}")
    for code, found in report.per_class.items():
        click.echo(f"  {code:<6} {found.pictures:>6} pictures {found.lesions:>6} lesions")
    click.echo("sizes: " + (", ".join(f"{size} ({pictures})" for size, pictures in report.sizes.items()) or "none"))
    click.echo(f"pictures without a row, ignored: {len(report.without_row)}")
    for line in (*report.cleaning.lines, *report.anomalies):
        click.echo(line)
    within, across = len(report.duplicates.within_lesions), len(report.duplicates.across_lesions)
    click.echo(f"near-duplicate pairs: {within} within a lesion, {across} across lesions")
    for image_id, reason in report.corrupt.items():
        click.echo(f"corrupt: {image_id}: {reason}")
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    if report.sound:
        click.echo("OK: every picture was decoded, and the table matches the pictures.")


def _print_counts(parts: dict[str, dict[str, Any]]) -> None:
    click.echo("lesions / pictures" + "".join(f"{part:>18}" for part in parts))
    for name in next(iter(parts.values())):
        cells = (f"{counts[name]['lesions']} / {counts[name]['pictures']}" for counts in parts.values())
        click.echo(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells))
