"""The bytes of an ELF file → how it is hardened: what linkers and compilers do against exploits.

Segments tell of RELRO, PIE and writable code. That a compiler has put stack protectors in shows in
the symbols that they call, or on x86 in how they load the canary: at %fs:0x28, or %gs:0x14 with 32
bits (System V ABI supplements; gcc, -mstack-protector-guard=tls). A static program shows the
protectors of its libc, too.
"""

import re

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.elf import ET_DYN, ET_EXEC, PT_LOAD, Buffer
from rootfs_builder.elf.headers import header
from rootfs_builder.elf.segments import Segment, segments_of

_PT_GNU_STACK, _PT_GNU_RELRO = 0x6474E551, 0x6474E552
_PF_X, _PF_W = 1, 2
_DT_JMPREL, _DT_BIND_NOW, _DT_FLAGS, _DT_FLAGS_1 = 23, 24, 30, 0x6FFFFFFB
_DF_BIND_NOW, _DF_1_NOW = 0x8, 0x1
_CANARY = re.compile(
    rb"__stack_chk_(?:fail|guard)"
    rb"|\x64[\x48\x4c][\x8b\x2b\x33\x3b][\x04\x0c\x14\x1c\x24\x2c\x34\x3c]\x25\x28\0\0\0"
    rb"|\x65(?:\xa1|[\x8b\x2b\x33\x3b][\x05\x0d\x15\x1d\x25\x2d\x35\x3d])\x14\0\0\0"
)
_WINDOW, _OVERLAP = 1 << 20, 32  # bytes


class Hardening(Struct, frozen=True):
    """How a program or library is hardened.

    `relro` is whether its relocations are read-only once they are done, `bound_now` whether that is
    so of those for functions, too; `writable_code` says what is writable and executable at once.
    """

    relro: bool
    bound_now: bool
    position_independent: bool
    stack_protector: bool
    writable_code: tuple[str, ...] = ()


def read(data: Buffer, *, stack_protector: bool = True) -> Hardening | None:
    """Read a program or shared object; None for ELF files of other types.

    Without `stack_protector` the whole file need not be read, and it counts as there.

    Raises:
        ElfError: the file is not an ELF file, or its tables contradict each other.
    """
    head = header(data)
    if head.type not in (ET_EXEC, ET_DYN):
        return None
    segments = segments_of(data, head)
    loads = [one for one in segments if one.type == PT_LOAD]
    relocated = any(one.flags & _PF_W for one in loads)
    wrong = [
        f"a segment at {one.address:#x} is writable and executable"
        for one in loads
        if one.flags & _PF_W and one.flags & _PF_X
    ]
    if any(one.type == _PT_GNU_STACK and one.flags & _PF_X for one in segments):
        wrong.append("it asks for an executable stack")
    return Hardening(
        relro=not relocated or any(one.type == _PT_GNU_RELRO for one in segments),
        bound_now=_is_bound_now(data),
        position_independent=head.type == ET_DYN,
        stack_protector=not stack_protector or _has_canary(data, loads),
        writable_code=tuple(wrong),
    )


def _is_bound_now(data: Buffer) -> bool:
    """Whether no relocation is left for later; where there are none for later, none is."""
    dynamic = elf.dynamic(data)
    tags = {} if dynamic is None else dynamic.tags
    now = tags.get(_DT_FLAGS, 0) & _DF_BIND_NOW or tags.get(_DT_FLAGS_1, 0) & _DF_1_NOW
    return bool(now) or _DT_BIND_NOW in tags or _DT_JMPREL not in tags


def _has_canary(data: Buffer, loads: list[Segment]) -> bool:
    """Whether a protector is called or loads its canary; a file without code needs none."""
    if not any(one.flags & _PF_X and one.size for one in loads):
        return True
    return any(
        _CANARY.search(data[max(at - _OVERLAP, 0) : at + _WINDOW])
        for at in range(0, len(data), _WINDOW)
    )
