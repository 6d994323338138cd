"""`lesion data`: make, check and split the labelled pictures."""

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
    """Make, check and split the labelled pictures.

    FOLDER holds HAM10000_metadata.csv and images/, or the two published folders HAM10000_images_part_1 and _2. Without
    it, the environment variable HAM10000_DIR says where they lie, or else they are in data/ham10000.
    """


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
@json_option
def split(folder: Path, seed: int, as_json: bool) -> None:
    """Deal the lesions into training, validation and test, and count what each part has of each class."""
    from training.data.ham10000 import read_dataset
    from training.data.split import count_parts, shared_lesions, split_by_lesion

    dataset = read_dataset(folder)
    dealt = split_by_lesion(dataset, seed)
    parts, shared = count_parts(dataset, dealt), shared_lesions(dataset, dealt)
    if as_json:
        print_json(
            {
                "folder": str(dataset.folder),
                "dataset_sha256": dataset.sha256,
                "split_sha256": dealt.sha256,
                "seed": seed,
                "parts": parts,
                "shared_lesions": shared,
            }
        )
        return
    _print_parts(parts)
    click.echo(f"{len(shared)} lesions are in more than one part." if shared else "No lesion is in more than one part.")


def _print_report(report: "Report") -> None:
    click.echo(f"{report.pictures} pictures of {report.lesions} lesions in {report.folder}")
    for code, found in report.per_class.items():
        click.echo(f"  {code:<6} {found.pictures:>6} pictures {found.lesions:>6} lesions")
    click.echo("sizes: " + (", ".join(f"{size} ({pictures})" for size, pictures in report.sizes.items()) or "none"))
    click.echo(
        f"unknown: {report.unknown_ages} ages, {report.unknown_sexes} sexes, {report.unknown_sites} sites; "
        f"pictures without a row, left out: {len(report.without_row)}"
    )
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
