"""What a job is asked to do, as text that crosses SageMaker: the training run, and where its model goes."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from contract.errors import TrainingError
from training.config import IMAGENET, TrainingConfig

PUBLISH_TO: Final = "publish_to"  # s3://<bucket>, under which the bundle is published
GROUP: Final = "model_package_group"  # in which the published model is registered


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """A job's hyperparameters, understood."""

    config: TrainingConfig
    publish_to: str | None = None
    group: str | None = None


def parse_hyperparameters(told: dict[str, str], weights: str | None = None) -> JobSettings:
    """Understand hyperparameters.

    Args:
        told: names and texts: fields of `TrainingConfig`, and the two names above.
        weights: a file of weights that came as a channel, if one did.

    Raises:
        TrainingError: a name is unknown, a value out of range, or there are two sources of weights.
    """
    rest = dict(told)
    publish_to, group = rest.pop(PUBLISH_TO, None), rest.pop(GROUP, None)
    if weights is not None:
        if rest.get("weights", IMAGENET) != IMAGENET:
            raise TrainingError("There are a channel weights and a hyperparameter weights: give one of them.")
        rest["weights"] = weights
    if group and not publish_to:
        raise TrainingError(f"A model is registered where it is published: give {PUBLISH_TO} too, or no {GROUP}.")
    try:
        config = TrainingConfig(**rest)  # type: ignore[arg-type]  # validation turns texts into numbers
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "unexpected_keyword_argument":
            raise TrainingError(
                f"There is no hyperparameter {name}: see training/config.py for those there are."
            ) from error
        reason = first["msg"].removeprefix("Value error, ")
        where = f"The hyperparameter {name} cannot be {rest.get(name)!r}" if name else "The hyperparameters are refused"
        raise TrainingError(f"{where}: {reason}.") from error
    return JobSettings(config=config, publish_to=publish_to or None, group=group or None)
