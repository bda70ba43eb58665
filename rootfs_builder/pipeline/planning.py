"""Recipe → a Plan that is proved: collect, lay out, and resolve once more inside the plan.

Which architecture an image is for comes from the program's ELF header, never from the machine that
packs it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from rootfs_builder import elf
from rootfs_builder.cache.file_facts import FileFacts
from rootfs_builder.errors import Mistake, UsageError, VerificationError
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.findings import Code, Finding, warning
from rootfs_builder.image import Platform, layers
from rootfs_builder.loader import preload
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs import absent, additions, collector, unseen
from rootfs_builder.needs.closure import Closure
from rootfs_builder.needs.rules import Rules
from rootfs_builder.packages import Owners
from rootfs_builder.paths import printable
from rootfs_builder.plan import (
    Plan,
    PlanRoot,
    budget,
    bytecode,
    duplicates,
    inheritance,
    planner,
    replay,
    split,
)
from rootfs_builder.plan.inheritance import Inherited
from rootfs_builder.plan.layout import lay_out
from rootfs_builder.recipe import Recipe
from rootfs_builder.recipe.values import RequestedPlatform


class Planned(NamedTuple):
    """A plan, what it was made from, and the platform that the image is for."""

    closure: Closure
    plan: Plan
    platform: Platform


def plan(
    recipe: Recipe,
    sources: Sources,
    *,
    rules: Rules,
    facts: FileFacts | None = None,
    owners: Owners | None = None,
    base: Inherited | None = None,
) -> Planned:
    """The plan of a recipe; over the tree of a `base`, if there is one.

    Raises:
        RootfsError: see users.resolve, collector.collect and planner.plan.
        VerificationError: the image would resolve differently; what and how.
    """
    facts = FileFacts() if facts is None else facts
    of_layers = owners if recipe.layers > 1 else None
    owners = owners or Owners(sources, facts)
    recipe = additions.placed(recipe, sources)
    closure = collector.collect(recipe, sources, rules=rules, facts=facts, owners=owners)
    platform = _platform(recipe, closure)
    layout = lay_out(closure, recipe, sources)
    result = planner.plan(
        closure, layout, recipe, sources, facts=facts, owners=of_layers, base=base
    )
    whole, preloaded = inheritance.whole(result, base), preload.of(recipe)
    root = PlanRoot(whole)
    differences = replay.check(closure, layout, root, preload=preloaded, facts=facts)
    if differences:
        raise VerificationError("\n".join(finding.text for finding in differences))
    later = replay.check_added(closure, layout, root, preload=preloaded, facts=facts)
    findings = (*result.findings, *later, *_of_format(recipe))
    there = {entry.path for entry in whole.entries if entry.kind != "dir"}
    lacking = absent.find(closure, there, findings, owners)
    can_run = not sources.sysroot and not recipe.exercises
    unknown = unseen.find(closure, ElfFiles(sources, facts)) if can_run else ()
    return Planned(closure, replace(result, findings=(*findings, *lacking, *unknown)), platform)


def trimmed(recipe: Recipe, plan: Plan, scratch: str, *, epoch: int) -> Plan:
    """What is new in the plan, stripped where the recipe says so, and no larger than it says.

    `scratch` is a directory for stripped files, that must last as long as the plan is used; `epoch`
    is every file's time, in seconds since 1970.

    Raises:
        RootfsError: see bytecode.plan, strip.plan and budget.check.
    """
    own = bytecode.plan(inheritance.own(plan), epoch)
    return _in_budget(recipe, _stripped(recipe, own, scratch))


def layered(
    recipe: Recipe, plan: Plan, scratch: str, *, epoch: int, facts: FileFacts
) -> tuple[Plan, tuple[Plan, ...]]:
    """The plan as it is packed, and its layers, the lowest first: what a base has is in none.

    The rest is as for `trimmed`, and so are the errors; files are read to see which are equal.
    """
    own = _stripped(recipe, bytecode.plan(inheritance.own(plan), epoch), scratch)
    parts = split.by_change(own, budget=recipe.layers) if own.entries else ()
    own, parts = duplicates.linked(own, parts, unit=layers.UNIT, facts=facts)
    return inheritance.rejoined(plan, _in_budget(recipe, own)), parts


def _stripped(recipe: Recipe, plan: Plan, scratch: str) -> Plan:
    if not recipe.strip:
        return plan
    from rootfs_builder.plan import strip

    return strip.plan(plan, scratch)


def _in_budget(recipe: Recipe, plan: Plan) -> Plan:
    if recipe.max_size is not None:
        budget.check(plan, recipe.max_size)
    return plan


def _of_format(recipe: Recipe) -> Iterator[Finding]:
    """What not every engine takes from an image of this format."""
    if recipe.health is not None and not recipe.docker_types:
        text = (
            "--health-cmd: docker alone takes it from an OCI image; from --format hybrid podman too"
        )
        yield warning(Code.HEALTH_CHECK_IGNORED, text)


def _platform(recipe: Recipe, closure: Closure) -> Platform:
    """The platform that the programs are for.

    Raises:
        UsageError: `--platform`, or another program, contradicts the first program.
    """
    found: dict[RequestedPlatform, str] = {}
    abi = None
    for program in closure.programs:
        if program.link_maps:
            header = program.link_maps[0].program.elf.header
            wanted_by = _of_header(program.display_name, header)
            found.setdefault(wanted_by, program.display_name)
            abi = abi or header.platform.abi(header.flags)
    if len(found) > 1:
        each = ", ".join(f"{printable(shown)} is for {one}" for one, shown in found.items())
        raise UsageError(
            f"one image is for one platform, and {each}; pack them separately, "
            "and join them with `rootfs-builder index`"
        )
    wanted = recipe.platform
    actual = next(iter(found), wanted or RequestedPlatform("amd64"))
    if wanted is not None and (
        wanted.architecture != actual.architecture
        or (wanted.variant and abi is not None and not abi.may_be(wanted.variant))
    ):
        text = f"{printable(found[actual])} is for {actual}"
        raise UsageError(Mistake("--platform", text, str(wanted)))
    variant = (wanted.variant if wanted else "") or actual.variant
    return Platform(actual.architecture, "linux", variant or UNSET)


def _of_header(shown: str, header: elf.Header) -> RequestedPlatform:
    machine = header.platform
    if not machine.architecture:
        raise UsageError(
            f"{printable(shown)}: no image platform is known for its machine, "
            f"e_machine {header.machine} with {header.bits} bits"
        )
    return RequestedPlatform(machine.architecture, machine.abi(header.flags).variant)
