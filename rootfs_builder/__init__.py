"""Pack a program and exactly the files it needs into a container image.

    import rootfs_builder

    recipe = rootfs_builder.Recipe.of("./hello", tag="hello:1.0")
    result = rootfs_builder.pack(recipe, "hello.tar")
    print(result.image.digest)

These names are the public face; everything below `rootfs_builder.` may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rootfs_builder.version import __version__

if TYPE_CHECKING:  # each is imported when it is used: the command line must start quickly
    from rootfs_builder.cache import Cache
    from rootfs_builder.errors import (
        ChangedError,
        InputError,
        NotFoundError,
        OutputError,
        PolicyError,
        RootfsError,
        UsageError,
        VerificationError,
    )
    from rootfs_builder.findings import Finding
    from rootfs_builder.image import Image
    from rootfs_builder.pipeline import Result, make_plan, pack, stage
    from rootfs_builder.plan import Entry, Plan, Reason
    from rootfs_builder.recipe import Recipe

__all__ = [
    "Cache",
    "ChangedError",
    "Entry",
    "Finding",
    "Image",
    "InputError",
    "NotFoundError",
    "OutputError",
    "Plan",
    "PolicyError",
    "Reason",
    "Recipe",
    "Result",
    "RootfsError",
    "UsageError",
    "VerificationError",
    "__version__",
    "make_plan",
    "pack",
    "stage",
]
_HOMES = {
    "Cache": "cache",
    "Entry": "plan",
    "Finding": "findings",
    "Image": "image",
    "Plan": "plan",
    "Reason": "plan",
    "Recipe": "recipe",
    "Result": "pipeline",
    "make_plan": "pipeline",
    "pack": "pipeline",
    "stage": "pipeline",
}


def __getattr__(name: str) -> Any:
    """A public name, from the module that defines it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
