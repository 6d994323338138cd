"""`lesion predict`: ask about pictures, over HTTP or with a model bundle on this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from cli.console import print_json, progress_bars
from cli.local import FOLDER, default_bundle
from contract.api import MAX_BODY_BYTES, Prediction, Problem
from contract.errors import AnalyzerError, ModelUnavailableError

TIMEOUT_S = 35.0  # API Gateway gives up after 30
RETRIES = 5

Ask = Callable[[bytes], Prediction | Problem]


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--url", help="Ask this API; one on AWS is asked with your AWS credentials.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Ask this model, in the Lambda emulator.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a table, .csv or .parquet, a row a picture; run again if interrupted.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), help="Pictures asked about at once  [default: a core each]")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
def predict(
    pictures: tuple[Path, ...],
    url: str | None,
    bundle: Path | None,
    out: Path | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Classify PICTURES (JPEG, PNG or WebP; with --out, folders too). Never a diagnosis.

    Without --url or --bundle, the local stack is asked if it runs, else the newest model on this machine.
    """
    if url and bundle:
        raise click.UsageError("Give --url or --bundle, not both.")
    if out:
        from cli.predict_table import predict_table

        predict_table(pictures, out, url=url, bundle=bundle, workers=workers, as_json=as_json)
        return
    if folders := [picture for picture in pictures if picture.is_dir()]:
        raise click.UsageError(f"{folders[0]} is a folder: name a table for its answers with --out.")
    with asking(url, bundle) as (ask, _), progress_bars() as on_progress:
        answers = {}
        for number, picture in enumerate(pictures, start=1):
            answers[picture] = ask(picture.read_bytes())
            if len(pictures) > 1:
                on_progress("asking", number, len(pictures))
    if as_json:
        print_json([{"picture": str(picture), **answer.model_dump()} for picture, answer in answers.items()])
    else:
        for picture, answer in answers.items():
            click.echo(describe(picture.name, answer))
        disclaimers = {answer.disclaimer for answer in answers.values() if isinstance(answer, Prediction)}
        click.echo("\n".join(sorted(disclaimers)))
    if any(isinstance(answer, Problem) for answer in answers.values()):
        raise click.exceptions.Exit(1)


def describe(name: str, answer: Prediction | Problem) -> str:
    """Word an answer in a few lines."""
    if isinstance(answer, Problem):
        return f"{name}: {answer.detail}"
    lines = [f"{name}: {answer.outcome.replace('_', ' ')}, malignant {answer.malignant_probability:.1%}"]
    lines += [f"    {item.probability:6.1%}  {item.code:<5}  {item.name}" for item in answer.classes]
    lines += [f"    {finding.message}" for finding in answer.image.quality]
    return "\n".join(lines)


@contextmanager
def asking(url: str | None, bundle: Path | None, *, workers: int = 1) -> Iterator[tuple[Ask, str]]:
    """Find whom to ask, as `predict` says; also tell who it is: an address, or a model's version."""
    from infra.local.stack import read_state

    if url is None and bundle is None and (state := read_state(FOLDER)):
        url = state["urls"].get("api")
    if url:
        yield partial(ask_api, url), url
        return
    with _function(bundle or default_bundle(), workers) as (ask, version):
        yield ask, version


def ask_api(url: str, encoded: bytes) -> Prediction | Problem:
    """Send a picture to an API and read its answer.

    Raises:
        AnalyzerError: it cannot be reached, or it answers nothing that can be read.
    """
    import urllib3

    target = f"{url.rstrip('/')}/v1/predictions"
    headers = {"Content-Type": "application/octet-stream", **_signature(target, encoded)}
    retries = urllib3.Retry(
        RETRIES,
        connect=0,
        read=0,
        status_forcelist=(429, 502, 504),  # what API Gateway says when too much is asked at once
        allowed_methods=None,  # asking twice changes nothing
        backoff_factor=0.5,
        backoff_jitter=0.5,
        raise_on_status=False,
    )
    try:
        answer = urllib3.request("POST", target, body=encoded, headers=headers, timeout=TIMEOUT_S, retries=retries)
    except urllib3.exceptions.HTTPError as error:
        raise ModelUnavailableError(f"{url} does not answer: check the address, and that the API is up.") from error
    return _read(answer.status, answer.data)


def _read(status: int, body: str | bytes) -> Prediction | Problem:
    try:
        return Prediction.model_validate_json(body) if status == 200 else Problem.model_validate_json(body)
    except ValueError as error:
        raise AnalyzerError(f"The API answered {status} with nothing that this version can read.") from error


def _signature(url: str, body: bytes) -> dict[str, str]:
    """Sign a request to an API on AWS, which lets in only those whom IAM allows."""
    host = url.split("/")[2]
    if not host.endswith(".amazonaws.com"):
        return {}
    import botocore.session
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    credentials = botocore.session.Session().get_credentials()
    if credentials is None:
        raise AnalyzerError("There are no AWS credentials to sign the request with: set them up, or use --bundle.")
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/octet-stream"})
    SigV4Auth(credentials, "execute-api", host.split(".")[2]).add_auth(request)
    return dict(request.headers.items())


@contextmanager
def _function(bundle: Path, workers: int) -> Iterator[tuple[Ask, str]]:
    """Run the very function that is deployed, around a bundle on this machine."""
    import tempfile

    from contract.bundle import read_bundle
    from infra.local.emulator import Function, FunctionFailedError

    manifest = read_bundle(bundle)
    with tempfile.TemporaryDirectory(prefix="lesion-") as folder:
        environment = {"MODEL_URI": bundle.resolve().as_uri(), "MODEL_CACHE": f"{folder}/models"}
        function = Function(environment=environment, logs=Path(folder), limit=workers)

        def ask(encoded: bytes) -> Prediction | Problem:
            if len(encoded) > MAX_BODY_BYTES:
                encoded = encoded[: MAX_BODY_BYTES + 1]  # the function refuses it as it would the whole
            try:
                result = function.invoke(_event(encoded))
            except FunctionFailedError as error:
                raise AnalyzerError(f"The function gave no answer: {error}.") from error
            return _read(result["statusCode"], result["body"])

        try:
            yield ask, manifest.version
        finally:
            function.stop()


def _event(encoded: bytes) -> dict[str, Any]:
    from werkzeug.test import EnvironBuilder
    from werkzeug.wrappers import Request

    from infra.local.gateway import event_of

    request = EnvironBuilder("/v1/predictions", method="POST", data=encoded, content_type="application/octet-stream")
    return event_of(Request(request.get_environ()))
