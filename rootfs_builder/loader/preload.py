"""LD_PRELOAD → the names that a loader takes from it (ld.so(8); musl, ldso/dynlink.c)."""

from rootfs_builder.paths import below
from rootfs_builder.recipe import Recipe


def names(text: str) -> tuple[str, ...]:
    """The names in the variable's text."""
    return tuple(text.replace(":", " ").split())


def of(recipe: Recipe) -> tuple[str, ...]:
    """What LD_PRELOAD names inside the image, and no added tree puts there."""
    places = tuple(one.destination for one in recipe.added)
    found = names(dict(recipe.env).get("LD_PRELOAD", ""))
    return tuple(one for one in found if not any(below(one, place) for place in places))
