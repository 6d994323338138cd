"""`lesion data`: fetch, make, check, split, explore and decode the labelled pictures."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_bars
from contract.errors import DatasetError

if TYPE_CHECKING:
    from training.data.check import Report

folder_argument = click.argument(
    "folder", envvar="HAM10000_DIR", default="data/ham10000", type=click.Path(file_okay=False, path_type=Path)
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group()
def data() -> None:
    """Fetch, make, check, split, explore and decode the labelled pictures.

    FOLDER holds HAM10000_metadata.csv and images/, or the two published folders HAM10000_images_part_1 and _2. Without
    it, the environment variable HAM10000_DIR says where they lie, or else they are in data/ham10000.
    """


@data.command()
@folder_argument
@click.option("--accept-licence", is_flag=True, help="Agree to the licence without being asked.")
@click.option("--from", "sources", multiple=True, metavar="ARCHIVE", type=click.Path(path_type=Path),
              help="Take a file that you have, and download nothing: an archive of pictures, the table, or Kaggle's "
              "archive of both. Name each.")  # fmt: skip
@click.option("--url", default="https://dataverse.harvard.edu", show_default=True, help="The Dataverse to ask.")
@json_option
def fetch(folder: Path, accept_licence: bool, sources: tuple[Path, ...], url: str, as_json: bool) -> None:
    """Bring HAM10000 into FOLDER from its archive of record, doi:10.7910/DVN/DBW86T: 2.8 GB, unpacked as much again.

    An interrupted download goes on where it stopped when the command is run again.
    """
    from training.atomic_folder import refuse_nonempty
    from training.data.fetch import fetch as fetch_published
    from training.data.published.archive import unpack
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
    click.echo(f"{unpacked.pictures} pictures are in {unpacked.folder}; {unpacked.left_out} other files were left out.")
    click.echo(f"To use them: export HAM10000_DIR={unpacked.folder}")


def _ask_for_agreement() -> None:
    try:
        agreed = click.confirm("Do you agree, and will you use it for non-commercial purposes only?", err=True)
    except click.Abort as error:  # no one is there to answer, or they pressed Ctrl-C
        raise click.UsageError("The licence was not agreed to: pass --accept-licence to agree to it.") from error
    if not agreed:
        raise click.UsageError("The licence was not agreed to, so nothing was downloaded.")


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=350, show_default=True, type=click.IntRange(min=1), help="How many pictures.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0), help="Another paints other lesions.")
@json_option
def sample(folder: Path, images: int, seed: int, as_json: bool) -> None:
    """Paint a synthetic set of the seven classes into FOLDER, to try everything without the real pictures."""
    from training.data.synthesize import write_sample

    with progress_bars() as on_progress:
        written = write_sample(folder, images, seed, on_progress)
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
    """Open every picture, hold the table against them, and say what is wrong; exit 1 if anything is."""
    from training.data.check import check as check_pictures

    with progress_bars() as on_progress:
        report = check_pictures(folder, on_progress)
    if as_json:
        print_json({**report.model_dump(), "sound": report.sound})
    else:
        _print_report(report)
    if not report.sound:
        raise DatasetError(f"{report.folder} is not sound: mend what is listed and check again.")


@data.command()
@folder_argument
@click.option("--seed", default=42, show_default=True, type=click.IntRange(min=0), help="Another deals them otherwise.")
@click.option("--folds", type=click.IntRange(min=2), metavar="K", help="Cross-validation: K folds instead of 3 parts.")
@json_option
def split(folder: Path, seed: int, folds: int | None, as_json: bool) -> None:
    """Deal the lesions into training, validation and test, or into folds, and count what each has of each class."""
    from training.data.ham10000 import read_dataset
    from training.data.split import count_folds, count_parts, k_folds, shared_lesions, split_by_lesion

    dataset = read_dataset(folder)
    told: dict[str, Any] = {"folder": str(dataset.folder), "dataset_sha256": dataset.sha256, "seed": seed}
    if folds is not None:
        dealt = k_folds(dataset, folds, seed)  # refuses to return folds that share a lesion
        told |= {"folds": count_folds(dataset, dealt), "shared_lesions": []}
    else:
        parts = split_by_lesion(dataset, seed)
        told |= {"split_sha256": parts.sha256, "parts": count_parts(dataset, parts)}
        told |= {"shared_lesions": shared_lesions(dataset, parts)}
    if as_json:
        print_json(told)
        return
    _print_parts(told["folds"] if folds is not None else told["parts"])
    shared, of = len(told["shared_lesions"]), "fold" if folds is not None else "part"
    click.echo(f"{shared} lesions are in more than one {of}." if shared else f"No lesion is in more than one {of}.")


@data.command()
@folder_argument
@click.option("--out", default="artifacts/explore", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where the report goes.")  # fmt: skip
@click.option("--pictures", default=2100, show_default=True, type=click.IntRange(min=7), help="How many to measure.")
@click.option("--seed", default=42, show_default=True, type=click.IntRange(min=0), help="Another chooses others.")
@json_option
def explore(folder: Path, out: Path, pictures: int, seed: int, as_json: bool) -> None:
    """Describe the pictures and their table: a page that needs no other file, and its figures as PNG."""
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
              help="Side of the square that the model sees.")  # fmt: skip
@click.option("--cache", default=".cache", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Where decoded pictures are kept, as `lesion train` has it.")  # fmt: skip
@json_option
def cache(folder: Path, size: int, cache: Path, as_json: bool) -> None:
    """Decode every picture once, as training will want it, and say how fast that went.

    An interrupted build goes on where it stopped when the command is run again.
    """
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

        began = time.perf_counter()
        pixels = open_cache(dataset, size, cache, on_progress)
        seconds = time.perf_counter() - began
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
        click.echo("They had been decoded before.")
        return
    before = len(pixels) - decoded
    click.echo(
        f"Decoded {decoded} of them in {seconds:.1f} s: {rate:.0f} pictures/s, {rate / cores:.0f} for each of {cores} "
        "cores." + (f" {before} were there from an interrupted build." if before else "")
    )


def _print_report(report: "Report") -> None:
    click.echo(f"{report.pictures} pictures of {report.lesions} lesions in {report.folder}")
    for code, found in report.per_class.items():
        click.echo(f"  {code:<6} {found.pictures:>6} pictures {found.lesions:>6} lesions")
    click.echo("sizes: " + (", ".join(f"{size} ({pictures})" for size, pictures in report.sizes.items()) or "none"))
    click.echo(f"pictures without a row, left out: {len(report.without_row)}")
    for line in (*report.cleaning.lines, *report.anomalies):
        click.echo(line)
    within, across = len(report.duplicates.within_lesions), len(report.duplicates.across_lesions)
    click.echo(f"pairs of nearly the same picture: {within} within a lesion, {across} across lesions")
    for image_id, reason in report.corrupt.items():
        click.echo(f"corrupt: {image_id}: {reason}")
    for problem in report.problems:
        click.echo(f"problem: {problem}")
    if report.sound:
        click.echo("sound: every picture was decoded, and the table agrees with them.")


def _print_parts(parts: dict[str, dict[str, Any]]) -> None:
    click.echo("lesions / pictures" + "".join(f"{part:>18}" for part in parts))
    for name in next(iter(parts.values())):
        cells = (f"{counts[name]['lesions']} / {counts[name]['pictures']}" for counts in parts.values())
        click.echo(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells))
