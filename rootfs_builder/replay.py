"""Closure + image → whether the loader finds in the image what it found in the source.

The same rules, asked of another Root with nothing remembered: for each program and hwcaps level,
the list of (name asked for, path opened, content) must be the same, in the same order. The
environment of the build (-L) is gone; only what the image holds counts.
"""

from rootfs_builder import process
from rootfs_builder.collector import Closure, Program
from rootfs_builder.errors import InputError, RootfsError
from rootfs_builder.link_map import LinkMap, Loaded
from rootfs_builder.paths import OpenedPath, decode, printable
from rootfs_builder.placement import Placement
from rootfs_builder.plan import Finding
from rootfs_builder.process import Objects
from rootfs_builder.root import Root, Source

_Trace = list[tuple[str, str, Source]]


def check(closure: Closure, root: Root) -> tuple[Finding, ...]:
    """What differs when the closure's programs are resolved again in `root`; () is a proof."""
    placement = Placement(closure)
    objects = Objects(root)
    findings: list[Finding] = []
    for program in closure.programs:
        for link_map in program.link_maps:
            if link_map.loader is not None:
                findings += _compare(program, link_map, placement, objects)
    return tuple(findings)


def _compare(
    program: Program, link_map: LinkMap, placement: Placement, objects: Objects
) -> list[Finding]:
    expected: _Trace = []
    for loaded in link_map.objects:
        move = placement.of(loaded, loaded.candidate, program)
        opened = loaded.opened if move is None else move.respell(loaded.opened)
        if loaded.by is None:
            opened = OpenedPath(placement.image_path(program))
        expected.append((loaded.requested, opened, loaded.source))
    try:
        found = _trace(_again(program, link_map, placement, objects))
    except RootfsError as error:
        return [Finding("warning", f"{printable(program.shown)}: {error}")]
    # The program is asked for by another name here; what it is decides.
    if found[1:] == expected[1:] and found[0][1:] == expected[0][1:]:
        return []
    return [_difference(program, expected, found)]


def _trace(link_map: LinkMap) -> _Trace:
    return [(one.requested, one.opened, one.source) for one in link_map.objects]


def _again(program: Program, link_map: LinkMap, placement: Placement, objects: Objects) -> LinkMap:
    path = placement.image_path(program)
    walk = objects.walker.walk(path)
    if walk.node is None:
        raise InputError(f"{printable(path)} is not in the image")
    file = objects.file(walk.real)
    loaded = Loaded(path, OpenedPath(path), walk, objects.source(walk.real), file)
    interpreter = OpenedPath(decode(file.interpreter or b""))
    loader = process.loader(interpreter, objects)
    if loader is None:
        raise InputError(f"{printable(interpreter)} is not in the image")
    started = process.start(
        loaded, loader, objects, hwcaps=link_map.hwcaps, platform=link_map.platform
    )
    if link_map.startup == len(link_map.objects):
        return started
    return process.dlopen(started, link_map.resolutions[0].request.name, started.program, objects)


def _difference(program: Program, expected: _Trace, found: _Trace) -> Finding:
    wanted = {name: path for name, path, _ in expected}
    got = {name: path for name, path, _ in found}
    shown = printable(program.shown)
    for name, path in wanted.items():
        if name in list(wanted)[1:] and got.get(name) != path:
            return Finding(
                "warning",
                f"{shown}: {printable(name)} would be {got.get(name) or 'missing'} in the image, "
                f"not {printable(path)}",
            )
    return Finding("warning", f"{shown}: its libraries would be loaded differently in the image")
