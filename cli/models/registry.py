"""The registry of a stack, for the commands of `lesion models`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.account import Stack
    from operations.registry.packages import ModelRegistry


def open_registry(account: "Stack") -> "ModelRegistry":
    """Open the model registry of a stack."""
    from operations.registry.packages import ModelRegistry

    return ModelRegistry(account, account.deployment.model_package_group)
