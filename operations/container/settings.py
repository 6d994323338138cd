"""The hyperparameters of a job, which SageMaker passes as text: the training run, and where its model is published."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from contract.errors import TrainingError
from training.config import IMAGENET, TrainingConfig

PUBLISH_TO: Final = "publish_to"  # s3://<bucket>: the bundle is published there
GROUP: Final = "model_package_group"  # the published model is registered there


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """The parsed hyperparameters of a job."""

    config: TrainingConfig
    publish_to: str | None = None
    group: str | None = None


def parse_hyperparameters(hyperparameters: dict[str, str], weights: str | None = None) -> JobSettings:
    """Parse and validate hyperparameters.

    Args:
        hyperparameters: fields of `TrainingConfig`, and the two names above.
        weights: the file in the channel weights, if there is such a channel.

    Raises:
        TrainingError: a name is unknown, a value is out of range, or there are two sources of weights.
    """
    rest = dict(hyperparameters)
    publish_to, group = rest.pop(PUBLISH_TO, None), rest.pop(GROUP, None)
    if weights is not None:
        if rest.get("weights", IMAGENET) != IMAGENET:
            raise TrainingError("There is both a channel and a hyperparameter weights: give one of them.")
        rest["weights"] = weights
    if group and not publish_to:
        raise TrainingError(f"Only a published model can be registered: give {PUBLISH_TO} too, or no {GROUP}.")
    try:
        config = TrainingConfig(**rest)  # type: ignore[arg-type]  # validation turns texts into numbers
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "unexpected_keyword_argument":
            raise TrainingError(f"There is no hyperparameter {name}: training/config.py has all.") from error
        reason = first["msg"].removeprefix("Value error, ")
        where = (
            f"The hyperparameter {name} cannot be {rest.get(name)!r}" if name else "The hyperparameters are not valid"
        )
        raise TrainingError(f"{where}: {reason}.") from error
    return JobSettings(config=config, publish_to=publish_to or None, group=group or None)
