"""Tags every resource that takes tags with its project and stack, so that bills and the console show the owner."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import pulumi

from infra.config import PROJECT, StackConfig

KEYS: Final = ("Project", "Stack", "Stage", "ManagedBy")


def tags_of(config: StackConfig, stack: str) -> dict[str, str]:
    """Write the tags of a stack."""
    own = {"Project": PROJECT, "Stack": stack, "Stage": config.stage, "ManagedBy": "pulumi"}
    return {**config.extra_tags, **own}


def tag_everything(tags: Mapping[str, str]) -> None:
    """Add the tags to every taggable resource that is registered from now on; a resource's own tags win.

    The provider's default tags would do the same, but tests and policies would not see them.
    """

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not _takes_tags(type(args.resource)):
            return None
        own: Any = args.props.get("tags") or {}
        props = {**args.props, "tags": {**tags, **own}}
        return pulumi.ResourceTransformationResult(props=props, opts=args.opts)

    pulumi.runtime.register_stack_transformation(add)


def _takes_tags(kind: type[pulumi.Resource]) -> bool:
    init = getattr(kind, "_internal_init", None)  # of pulumi-aws's classes; it names every argument
    return init is not None and "tags" in inspect.signature(init).parameters
