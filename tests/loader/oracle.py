"""What the real loaders do, in a root that holds nothing but what a test put there.

glibc tells in trace mode (LD_TRACE_LOADED_OBJECTS), where it maps everything and runs nothing; a
library that it does not find is in its list as "not found". Musl has to start the program, so that
one prints what dl_iterate_phdr gives it. Traps: an LD_* variable must be in the environment of the
loader alone, so the chroot is this process's own fork and no program; the program is given by its
resolved path, as the kernel would; what `LD_TRACE_LOADED_OBJECTS` stands for is not read by musl.
"""

import ctypes
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.loader import loading, missing
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.link_map import LinkMap
from rootfs_builder.loader.resolution import Loaded, RequestKind
from rootfs_builder.paths import ImagePath, OpenedPath, decode

GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
_NOT_THERE = (  # the error of the last place that musl looked at
    "No such file or directory",
    "Not a directory",
    "Filename too long",
    "Symbolic link loop",
    "No error information",
)
_CLONE_NEWUSER = 0x10000000
_LINE = re.compile(r"\t(.*) => (.*) \(0x[0-9a-f]+\)|\t(.*) => (not found)|\t(.*) \(0x[0-9a-f]+\)")
_VDSO = re.compile(r"linux-(vdso|gate)\S*\.so\.1")


@dataclass(frozen=True)
class Trace:
    """What a loader did: (name, path opened) in its order, the names it missed, its last words."""

    found: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    error: str = ""


def _enter(root, directory):
    """For a fork: be in `root`, as a user who may not in a user namespace of its own."""

    def enter():
        if os.geteuid() and ctypes.CDLL(None).unshare(_CLONE_NEWUSER):
            os._exit(126)
        os.chroot(root)
        os.chdir(directory)

    return enter


def in_root(root, command, *, env=None, cwd="/"):
    """Run a command of the root in it."""
    return subprocess.run(
        command,
        env={name: str(value) for name, value in (env or {}).items()},
        preexec_fn=_enter(root, cwd),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


def trace(output):
    """(found, missing) of trace mode's list."""
    found, missing = [], []
    for line in output.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        name, path, lost, _, alone = match.groups()
        if lost is not None:
            missing.append(lost)
        elif not _VDSO.fullmatch(name or alone):
            found.append((name or alone, path or alone))
    return tuple(found), tuple(sorted(missing))


def _last_words(text, program):
    """The error of a loader that gave up, without the name of the program."""
    text = text.replace(f"{program}: error while loading shared libraries: ", "", 1)
    return text.replace(f"{program}: {program}: ", f"{program}: ").removeprefix(f"{program}: ")


def glibc(root, program, *, library_path=None, cwd="/", loader=GLIBC, arguments=()):
    """What glibc's loader in `root` does for `program`."""
    env = {"LD_TRACE_LOADED_OBJECTS": 1}
    if library_path is not None:
        env["LD_LIBRARY_PATH"] = library_path
    done = in_root(root, [loader, *arguments, program], env=env, cwd=cwd)
    found, missing = trace(done.stdout)
    return Trace(found, missing, _last_words(done.stderr.strip(), program))


def musl(root, program, *, library_path=None, dlopen=()):
    """What musl's loader in `root` does for `program`, which prints what it has loaded."""
    env = {} if library_path is None else {"LD_LIBRARY_PATH": library_path}
    done = in_root(root, [program, *dlopen], env=env)
    paths = done.stdout.splitlines()
    assert (done.returncode, bool(paths)) in ((0, True), (127, False)), done
    errors = re.findall(r"Error loading shared library (.*): (.*) \(needed by (.*)\)", done.stderr)
    missing = sorted(name for name, why, _ in errors if why in _NOT_THERE)
    broken = [f"{name}: {why}" for name, why, _ in errors if why not in _NOT_THERE]
    return Trace(tuple((path, path) for path in paths), tuple(missing), "\n".join(broken))


def start(
    root, program, *, loader=None, library_path=None, hwcaps=(), platform=None, dlopen=None
) -> LinkMap:
    """Ours: the link map of a program in a root."""
    objects = ElfFiles(DirectoryRoot(str(root)))
    walk = objects.walker.walk(OpenedPath(program))
    source, file = objects.source(walk.real), objects.file(walk.real)
    loaded = Loaded(program, OpenedPath(program), walk, source, file)
    interpreter = loader or (decode(file.interpreter) if file.interpreter else GLIBC)
    rules = objects.loader(OpenedPath(interpreter))
    assert rules is not None, interpreter
    link_map = loading.start(
        loaded,
        rules,
        objects,
        hwcaps=hwcaps,
        platform=platform,
        library_path=rules.library_path(library_path) if library_path is not None else (),
        preload=rules.preload,
    )
    if dlopen is not None:
        name, by = dlopen
        caller = next(one for one in link_map.objects if by in (one.requested, one.opened))
        link_map = loading.dlopen(link_map, name, caller, objects)
    return link_map


def ours(link_map):
    """A link map as a Trace."""
    found = tuple((one.name or one.requested, one.opened) for one in link_map.objects if one.by)
    lost, errors = [], []
    for one in link_map.resolutions:
        if one.fatal is not None and one.request.kind in (RequestKind.NEEDED, RequestKind.FILTER):
            errors.append(f"{_where(one)}: {one.fatal}")
        elif one.found is None and one.fatal is None:
            lost.append(one.request.name)
    errors += map(missing.text, missing.versions(link_map))
    return Trace(found, tuple(sorted(lost)), "\n".join(errors))


def _where(resolution):
    return resolution.candidate.path if resolution.candidate else resolution.request.name


def copy(root, path):
    """Put a file of this machine into a root, at the same path and with the links on the way."""
    steps = ElfFiles(DirectoryRoot("/")).walker.walk(OpenedPath(path)).steps
    for step in steps:
        inside = Path(f"{root}{step}")
        if os.path.lexists(inside) or step == "/":
            continue
        if os.path.islink(step):
            inside.symlink_to(os.readlink(step))
        elif os.path.isdir(step):
            inside.mkdir()
        else:
            inside.write_bytes(Path(step).read_bytes())
            inside.chmod(0o755)
    return ImagePath(steps[-1])
