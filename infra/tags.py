"""Every resource that can carry tags says whose it is: AWS's bill, its console and `lesion cost` go by that."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import pulumi

from infra.config import PROJECT, StackConfig

KEYS: Final = ("Project", "Stack", "Stage", "ManagedBy")


def tags_of(config: StackConfig, stack: str) -> dict[str, str]:
    """Make the tags of a stack."""
    own = {"Project": PROJECT, "Stack": stack, "Stage": config.stage, "ManagedBy": "pulumi"}
    return {**config.extra_tags, **own}


def tag_everything(tags: Mapping[str, str]) -> None:
    """Add the tags to every resource registered from here on that takes tags; its own win.

    Here and not as the provider's default tags, so that tests and policies see what will be sent.
    """

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not _takes_tags(type(args.resource)):
            return None
        own: Any = args.props.get("tags") or {}
        props = {**args.props, "tags": {**tags, **own}}
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts)

    pulumi.runtime.register_stack_transformation(add)


def _takes_tags(kind: type[pulumi.Resource]) -> bool:
    init = getattr(kind, "_internal_init", None)  # what pulumi-aws's classes call with every argument by name
    return init is not None and "tags" in inspect.signature(init).parameters
