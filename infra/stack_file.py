"""Reads the configuration file of a stack, Pulumi.<stack>.yaml, without Pulumi."""

import json
from pathlib import Path

import yaml

from infra.config import ConfigurationError


def read_stack_file(folder: Path, stack: str) -> dict[str, str]:
    """Read a stack's configuration as Pulumi hands it to the program.

    Returns:
        the values by "namespace:key"; each is text, and an object or a number is JSON.
    Raises:
        ConfigurationError: the file does not exist, or it is not the configuration of a stack.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    try:
        config = yaml.safe_load(path.read_text())["config"]
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no {path}: name a stack that has one.") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not the configuration of a stack.") from error
