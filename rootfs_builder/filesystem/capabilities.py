"""File capabilities: the text that setcap(8) takes ↔ the bytes of the xattr security.capability.

The text is that of cap_from_text(3): clauses such as `cap_net_raw,cap_net_admin+ep`. The bytes are
the kernel's `struct vfs_cap_data` of revision 2 (capabilities(7), "File capability extended
attribute versioning"): two sets, and one bit for whether they are effective from the start.
"""

import errno
import os
import re
import struct

from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.paths import printable

ATTRIBUTE = "security.capability"
NAMES = (  # by their numbers, linux/capability.h
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
)

_ALL = (1 << len(NAMES)) - 1
_BITS = 64
_REVISION, _REVISION_2, _REVISION_3 = 0xFF000000, 0x02000000, 0x03000000
_EFFECTIVE = 1
_DATA = struct.Struct("<5I")  # revision and effective bit; permitted, inheritable: low, then high
_ROOTID = 4  # bytes that revision 3 has behind the others
_CLAUSE = re.compile(r"([^=+-]*)(=[eip]*(?:[+-][eip]+)*|(?:[+-][eip]+)+)")


def parse(text: str) -> bytes:
    """The xattr that setcap(8) writes for `text`.

    Raises:
        UsageError: it is not such a text, or says what an xattr cannot hold.
    """
    sets = {"e": 0, "i": 0, "p": 0}
    for clause in text.split():
        found = _CLAUSE.fullmatch(clause)
        if found is None or (not found[1] and not re.fullmatch("=[eip]*", found[2])):
            if all(one in NAMES for one in text.lower().split(",")):
                what = f"does not say which sets; did you mean {text.lower()}+ep?"
            else:
                what = "is not a valid text of capabilities: cap_net_bind_service+ep"
            raise UsageError(f"{text!r} {what}")
        mask = _mask(found[1])
        for action in re.findall("[=+-][eip]*", found[2]):
            for flag in "eip":
                lowered = action[0] == "=" or (action[0] == "-" and flag in action)
                raised = action[0] != "-" and flag in action
                sets[flag] = (sets[flag] & ~mask if lowered else sets[flag]) | mask * raised
    if not text.strip():
        raise UsageError("it names no capabilities: cap_net_bind_service+ep, or none")
    if sets["e"] not in (0, sets["p"] | sets["i"]):
        raise UsageError(
            f"{text!r}: a file has one effective bit for all; give e to every capability in it, "
            "with p or i, or to none"
        )
    return _pack(sets["p"], sets["i"], effective=bool(sets["e"]))


def _mask(names: str) -> int:
    """The bits of a list of names; of an empty one, all."""
    if not names:
        return _ALL
    mask = 0
    for name in names.lower().split(","):
        if name == "all":
            mask |= _ALL
        elif name in NAMES:
            mask |= 1 << NAMES.index(name)
        elif name.isascii() and name.isdigit() and int(name) < _BITS:
            mask |= 1 << int(name)
        else:
            raise UsageError(f"{name!r} is not a capability{_nearest(name)}")
    return mask


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(f"cap_{name.removeprefix('cap_')}", NAMES, 1)
    return f"; did you mean {near[0]}?" if near else ": capabilities(7) names them"


def _pack(permitted: int, inheritable: int, *, effective: bool) -> bytes:
    low, high = (1 << 32) - 1, 32
    return _DATA.pack(
        _REVISION_2 | (_EFFECTIVE if effective else 0),
        permitted & low,
        inheritable & low,
        permitted >> high,
        inheritable >> high,
    )


def normal(attribute: bytes) -> bytes:
    """An xattr as one of revision 2.

    Revision 3 says for which user namespace it counts, by a uid of the machine that wrote it. What
    an image holds counts where its container runs: that is left out, as `docker commit` does.

    Raises:
        InputError: it has another form.
    """
    revision = int.from_bytes(attribute[:4], "little")
    if revision & _REVISION == _REVISION_3 and len(attribute) == _DATA.size + _ROOTID:
        attribute = _DATA.pack(
            revision ^ _REVISION_3 | _REVISION_2, *_DATA.unpack(attribute[:-_ROOTID])[1:]
        )
    elif revision & _REVISION != _REVISION_2 or len(attribute) != _DATA.size:
        raise InputError("its file capabilities have a form that is not known")
    return attribute


def of(descriptor: int, path: str) -> bytes:
    """The xattr of an open file as `normal` gives it, empty where there is none.

    Raises:
        InputError: it has another form; the message names `path`.
        OSError: it cannot be read.
    """
    try:
        return normal(os.getxattr(descriptor, ATTRIBUTE))
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return b""
        raise
    except InputError as error:
        shown = printable(path)
        text = f"{shown}: {error}; `setcap -r {shown}` takes them off"
        raise InputError(text, paths=(path,)) from error


def text(attribute: bytes) -> str:
    """Text for what `normal` gives: one clause for all capabilities that have the same flags."""
    permitted, inheritable, effective = _sets(attribute)
    clauses: dict[str, list[str]] = {}
    for bit in range(_BITS):
        in_p, in_i = permitted >> bit & 1, inheritable >> bit & 1
        if in_p or in_i:
            flags = "e" * effective + "i" * in_i + "p" * in_p
            clauses.setdefault(flags, []).append(_name(bit))
    return " ".join(f"{','.join(names)}={flags}" for flags, names in clauses.items()) or "="


def required(attribute: bytes) -> tuple[str, ...]:
    """Without which of its capabilities a process cannot start the file.

    See capabilities(7), "Safety checking for capability-dumb binaries".
    """
    permitted, _, effective = _sets(attribute)
    return tuple(_name(bit) for bit in range(_BITS) if effective and permitted >> bit & 1)


def _sets(attribute: bytes) -> tuple[int, int, bool]:
    """What is permitted, what is inheritable, and whether it is effective."""
    revision, low_p, low_i, high_p, high_i = _DATA.unpack(attribute)
    return high_p << 32 | low_p, high_i << 32 | low_i, bool(revision & _EFFECTIVE)


def _name(bit: int) -> str:
    return NAMES[bit] if bit < len(NAMES) else str(bit)
