"""An Image as one file or directory, in the shapes that other programs use.

What we write is `written`. A shape that we read is a module with a function `read(members)`, which
gives its images, or None where the members are not of its shape.

To add one: write the module and put its name into `_READ`; to write one, its documents in
`written`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rootfs_builder.errors import InputError

if TYPE_CHECKING:  # imported when it is used: who writes an archive reads none
    from rootfs_builder.image.archives.packed import Members, Packed

_READ = ("oci", "skopeo_dir", "docker")


def read(members: "Members") -> "tuple[Packed, ...]":
    """The images among the members of an archive or directory; () where it has none.

    Raises:
        InputError: its documents are damaged.
    """
    try:
        for name in _READ:
            images: tuple[Packed, ...] = import_module(f"{__name__}.{name}").read(members)
            if images:
                return images
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"its documents are not those of an image: {error!r}") from error
    return ()
