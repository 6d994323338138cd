"""The `lesion` command: adds all commands, and turns every error into one sentence and an exit status."""

import errno
import signal
import sys
import traceback
from types import FrameType

import click

from cli.batch import batch
from cli.cost import cost
from cli.cross_validate import cross_validate
from cli.data import data
from cli.demo import demo
from cli.escape import escape_message
from cli.evaluate import card, evaluate
from cli.local import local
from cli.models.group import models
from cli.prediction.predict import predict
from cli.train import train
from cli.training_jobs.jobs import jobs
from cli.training_jobs.retrain import retrain
from cli.upload import upload
from contract.errors import AnalyzerError
from local.errors import LocalStackError

FAILED, MISUSED = 1, 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="skin-lesion-analyzer")
def cli(debug: bool) -> None:
    """Train, serve and use a classifier of skin lesions. Research software: never a diagnosis."""
    del debug  # _fail() reads it from sys.argv: an error may come before click has parsed the options


data.add_command(upload)
cli.add_command(data)
cli.add_command(train)
cli.add_command(cross_validate)
cli.add_command(evaluate)
cli.add_command(card)
cli.add_command(retrain)
cli.add_command(jobs)
cli.add_command(models)
cli.add_command(predict)
cli.add_command(batch)
cli.add_command(cost)
cli.add_command(local)
cli.add_command(demo)


def main() -> None:
    """Run the command line; exit 0 on success, 1 on failure, 2 on wrong usage, 128 + its number after a signal."""
    received = _handle_signals()
    try:
        status = cli.main(standalone_mode=False)  # a command's own exit status is returned
    except click.UsageError as error:
        error.show()
        sys.exit(MISUSED)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; no incomplete file was left", 128 + (received or [signal.SIGINT])[0])
    except (AnalyzerError, LocalStackError, click.ClickException) as error:
        _fail(error.format_message() if isinstance(error, click.ClickException) else str(error), FAILED)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _fail("the disk is full: free some space and run the command again", FAILED)
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", FAILED)
    sys.exit(status if isinstance(status, int) else 0)


def _handle_signals() -> list[int]:
    """Let SIGTERM and SIGHUP act as Ctrl-C, so that a command stops its programs; return a list for the first of them.

    Only the first raises an error: another one would interrupt the clean-up.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, interrupt)
    return received


def _fail(sentence: str, status: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    click.echo(f"lesion: {escape_message(sentence)}", err=True)
    sys.exit(status)
