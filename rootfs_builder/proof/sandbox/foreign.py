"""A command for another architecture → the same through qemu-user, where this machine has one.

The kernel does it by itself where binfmt_misc knows the architecture. Else the emulator is started
by its name, and a program that starts others cannot: only the kernel could emulate those.
"""

import os
from contextlib import suppress

from msgspec.structs import replace

from rootfs_builder import platforms, tools
from rootfs_builder.elf import headers
from rootfs_builder.errors import ElfError, NotFoundError
from rootfs_builder.filesystem.content import chunks
from rootfs_builder.filesystem.root import Root
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.paths import OpenedPath, decode
from rootfs_builder.proof.sandbox import isolation
from rootfs_builder.proof.sandbox.command import Command

_QEMU = {  # Go's word for an architecture: qemu's
    "386": "i386",
    "amd64": "x86_64",
    "arm": "arm",
    "arm64": "aarch64",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
    "mipsle": "mipsel",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_ALSO = {("amd64", "386"), ("arm64", "arm")}  # what a kernel runs besides its own
_BINFMT = "/proc/sys/fs/binfmt_misc"
_LINE = 256  # bytes of a #! line that the kernel reads (binfmt_script)
_NESTED = 4  # interpreters that are scripts


def emulated(command: Command, root: Root) -> tuple[Command, str]:
    """The command to start and the emulator that it needs; itself and "" if it needs none.

    Raises:
        NotFoundError: it needs one, and there is none.
    """
    here = platforms.architecture(os.uname().machine)
    walker = Walker(root)
    argv = _interpreted(command, walker)
    wanted = _architecture(argv[0], walker) or command.architecture or here
    known = wanted == here or (here, wanted) in _ALSO or wanted not in _QEMU
    if known or _kernel_knows(_QEMU[wanted]):
        return command, ""
    name = f"qemu-{_QEMU[wanted]}"
    found = tools.find(f"{name}-static", name)
    if found is None:
        raise NotFoundError(
            f"a program for {wanted} needs {name} on this machine, which is {here}; "
            "Debian's package is qemu-user"
        )
    return replace(command, argv=(isolation.EMULATOR, "-0", command.argv[0], *argv)), found


def _kernel_knows(qemu: str) -> bool:
    """Whether binfmt_misc has an emulator that works in any root."""
    with suppress(OSError):
        for name in os.listdir(_BINFMT):
            with open(os.path.join(_BINFMT, name), encoding="utf-8") as file:
                lines = file.read().splitlines()
            fields = dict(line.partition(" ")[::2] for line in lines)
            if f"qemu-{qemu}" in fields.get("interpreter", "") and "F" in fields.get("flags:", ""):
                return lines[0] == "enabled"
    return False


def _interpreted(command: Command, walker: Walker) -> tuple[str, ...]:
    """The program's path and its arguments, behind the interpreters that scripts name."""
    found = (place for place in _places(command) if _start(place, walker))
    words = (next(found, command.argv[0]), *command.argv[1:])
    for _ in range(_NESTED):
        start = _start(words[0], walker)
        if not start.startswith(b"#!"):
            break
        line = decode(start[2:].partition(b"\n")[0]).strip()
        words = (*(one for one in line.split(None, 1)), *words)
    return words


def _places(command: Command) -> list[str]:
    """Where a command may be, as runtimes look it up."""
    name = command.argv[0]
    if "/" in name:
        return [os.path.join(command.workdir, name)]
    return [f"{one}/{name}" for one in dict(command.env).get("PATH", "").split(":")]


def _start(path: str, walker: Walker) -> bytes:
    """How a file begins; b"" if there is none."""
    walk = walker.walk(OpenedPath(path)) if path.startswith("/") else None
    if walk is None or walk.node is None or walk.node.kind != "file":
        return b""
    return next(chunks(walker.root.open(walk.real), _LINE), b"")


def _architecture(path: str, walker: Walker) -> str:
    """Go's word for the machine that a program is for; "" for one that is no ELF file."""
    try:
        return headers.header(_start(path, walker)).platform.architecture
    except ElfError:
        return ""
