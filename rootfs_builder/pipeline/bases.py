"""Images that a build reads from: as the root of system files, or as the base of the image.

Nothing of an image is unpacked but what is compressed, into a file without a name. Of an image for
several platforms the one is taken that the programs are for.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.errors import (
    ElfError,
    InputError,
    LimitError,
    Mistake,
    NotFoundError,
    UsageError,
)
from rootfs_builder.filesystem.content import BytesSource
from rootfs_builder.filesystem.root import DirectoryRoot, Root
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, warning
from rootfs_builder.image import Image, Platform, found, from_base
from rootfs_builder.image.limits import LIFTED
from rootfs_builder.image.unpack import Unpacked
from rootfs_builder.needs import users
from rootfs_builder.paths import decode, encode, printable
from rootfs_builder.pipeline import compatibility, inputs, planning
from rootfs_builder.pipeline.inputs import Opened
from rootfs_builder.pipeline.planning import Planned
from rootfs_builder.plan import Plan, PlanRoot, inheritance
from rootfs_builder.plan.inheritance import Inherited
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.values import RequestedPlatform

_HEADER = 64  # bytes: no ELF header is longer


class Base(Struct, frozen=True):
    """A base image: `image` as it was read, `tree` what its layers add up to, `path` its file."""

    image: Image
    tree: Inherited
    path: str


@contextmanager
def opened(
    recipe: Recipe, sysroot: str | None, base: str | None, *, record: Opened
) -> Iterator[tuple[Recipe, Sources, Base | None, tuple[str, ...]]]:
    """The fields of `reading.Inputs`; see `reading.opened`."""
    machine = record(DirectoryRoot(), "/")
    files = []
    with ExitStack() as stack:
        root: Root | None = None
        directory, here = "/", ""
        if sysroot is not None and inputs.is_image(sysroot):
            _, unpacked = stack.enter_context(image(sysroot, "--sysroot", recipe))
            root, here = inputs.linked(PlanRoot(unpacked.plan)), decode(os.getcwdb())
            directory = decode(os.path.realpath(encode(_place(sysroot))))
            files.append(directory)
        elif sysroot is not None and (real := inputs.directory(sysroot)) != "/":
            root = inputs.linked(record(DirectoryRoot(real), real))
            directory = real
        lower, below = None, None
        if base is not None:
            lower = _base(base, *stack.enter_context(image(base, "--base", recipe)))
            below = PlanRoot(lower.tree.plan)
            files.append(decode(os.path.realpath(encode(_place(base)))))
        sources = Sources(machine, root, directory, here=here, base=below)
        wanted = recipe if lower is None else _with_settings(recipe, lower.image, sources)
        yield wanted, sources, lower, tuple(files)


def _base(path: str, image_: Image, unpacked: Unpacked) -> Base:
    return Base(image_, Inherited(unpacked.plan, unpacked.numbers, path), path)


def _with_settings(recipe: Recipe, base: Image, sources: Sources) -> Recipe:
    """The recipe, with the variables, the user and the directory that it inherits."""
    settings = base.config.config
    return replace(
        recipe,
        env=tuple((settings.environment | dict(recipe.env)).items()),
        user=recipe.user or _known_user(settings.user or "", sources),
        workdir=recipe.workdir or settings.working_dir or "",
    )


def _known_user(user: str, sources: Sources) -> str:
    """The user of the base, if the accounts there know it."""
    try:
        if user:
            users.resolve(user, sources)
    except (InputError, NotFoundError):
        return ""
    return user


def plan(recipe: Recipe, sources: Sources, base: Base, **options: Any) -> Planned:
    """The plan of a recipe over its base.

    Raises:
        UsageError: the base is for another platform, or has another libc than a program.
        InputError: the base has another file at a path.
        VerificationError: a library of the base is older than a program needs.
        RootfsError: see planning.plan.
    """
    inheritance.check_named(recipe, sources, base.tree)
    fits = compatibility.Base(PlanRoot(base.tree.plan), base.image.platform, base.path)
    compatibility.check(recipe, sources, fits)
    found = planning.plan(recipe, sources, base=base.tree, **options)
    return found._replace(plan=_remarked(found.plan, base))


def _remarked(plan_: Plan, base: Base) -> Plan:
    """The plan, with what is to be said of its base."""
    triggers = from_base.triggers(base.image)
    if not triggers:
        return plan_
    text = (
        f"--base {printable(base.path)}: its ONBUILD triggers are kept and not run: "
        f"{printable('; '.join(triggers))}"
    )
    return replace(plan_, findings=(*plan_.findings, warning(Code.TRIGGERS_NOT_RUN, text)))


@contextmanager
def image(path: str, option: str, recipe: Recipe | None) -> Iterator[tuple[Image, Unpacked]]:
    """The image that an option names, for the platform of the recipe's programs, and its tree.

    Raises:
        UsageError: it has several images, and nothing says which is meant.
        NotFoundError, InputError: there is none, or a damaged one.
        LimitError: reading it would cost more than it may.
    """
    if not path or path == "-":
        raise UsageError(Mistake(option, "name a file or directory that has an image", path))
    if not os.path.exists(encode(_place(path))):
        text = "no such file or directory; for an image in an engine: docker save NAME -o FILE"
        raise NotFoundError(Mistake(option, text, path))
    with ExitStack() as stack:
        try:
            read = stack.enter_context(found.at(_place(path), "inspect"))
            if not read.images:
                text = "a directory without an image: name an archive or an OCI layout"
                raise UsageError(Mistake(option, text, path))
            one = _chosen(read.images, path, option, recipe)
            reader = stack.enter_context(read.reader())
            unpacked = reader.unpacked(one.layers)
        except (NotFoundError, InputError, LimitError) as error:
            text = str(error).removeprefix(f"{printable(_place(path))}: ")
            raise type(error)(Mistake(option, text.removesuffix(LIFTED), path)) from error
        files = stack.pop_all()
    try:
        yield one, unpacked
    finally:
        files.close()  # what goes wrong with them open is not about the image


def _place(path: str) -> str:
    """The file or directory that a spelling names: oci:DIR is DIR."""
    return path.removeprefix("oci:")


def _chosen(images: tuple[Image, ...], path: str, option: str, recipe: Recipe | None) -> Image:
    """The image that is meant, of those in an archive."""
    if len(images) == 1:
        return images[0]
    wanted = None if recipe is None else recipe.platform or _of_programs(recipe.executables)
    fits = [one for one in images if wanted is None or _is_for(one.platform, wanted)]
    if len(fits) == 1:
        return fits[0]
    each = ", ".join(dict.fromkeys(str(one.platform) for one in images))
    if wanted is not None and not fits:
        text = f"an image for {wanted} is needed, and it has {each}"
    elif len({one.platform for one in fits}) > 1:
        text = f"it has images for {each}; --platform says which is meant"
    else:
        names = ", ".join(printable(name) for one in fits for name in one.names)
        text = f"it has {len(fits)} images ({names}); save the one that is meant by itself"
    raise UsageError(Mistake(option, text, path))


def _is_for(platform: Platform, wanted: RequestedPlatform) -> bool:
    variant = platform.variant or ""
    same = platform.architecture == wanted.architecture
    return same and (not wanted.variant or not variant or variant == wanted.variant)


def _of_programs(executables: Iterable[str]) -> RequestedPlatform | None:
    """The platform of the first program that is an ELF file of this machine."""
    for path in executables:
        with suppress(OSError, ElfError), open(encode(path), "rb") as file:
            content = BytesSource(file.read(_HEADER))
            header = elf.header(content.open())
            machine = header.platform
            return RequestedPlatform(machine.architecture, machine.abi(header.flags).variant)
    return None
