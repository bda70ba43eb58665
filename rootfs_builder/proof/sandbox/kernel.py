"""System calls of Linux that Python does not have: namespaces, mounts, capabilities.

Numbers and structures are those of the kernel's headers (linux/sched.h, mount.h, prctl.h,
capability.h); a call that fails is an OSError.
"""

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Iterable
from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 32, 1024, 2048, 4096, 16384
MS_PRIVATE, MS_RELATIME = 1 << 18, 1 << 21
_ST_KEPT = {  # flags of statvfs(3) → those of mount(2), which a remount has to repeat
    os.ST_RDONLY: MS_RDONLY,
    os.ST_NOSUID: MS_NOSUID,
    os.ST_NODEV: MS_NODEV,
    os.ST_NOEXEC: MS_NOEXEC,
    os.ST_NOATIME: MS_NOATIME,
    os.ST_NODIRATIME: MS_NODIRATIME,
    os.ST_RELATIME: MS_RELATIME,
}
_MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_CAPBSET_DROP = 1, 23, 24
_PR_SET_CHILD_SUBREAPER = 36
_NS_GET_USERNS = 0xB701  # linux/nsfs.h
_CAPABILITY_VERSION_3 = 0x20080522

# The numbers of pivot_root and keyctl differ from machine to machine; others have one for all.
_NUMBERS = {  # uname -m: (pivot_root, keyctl)
    "x86_64": (155, 250),
    "i686": (217, 288),
    "armv7l": (218, 311),
    "ppc64le": (203, 271),
    "s390x": (217, 280),
}
_GENERIC = (41, 219)  # asm-generic/unistd.h: aarch64, riscv64, loongarch64
_KEYCTL_JOIN_SESSION_KEYRING = 1

# What is needed of sockets and of linux/if.h to switch one interface on.
_AF_INET, _SOCK_DGRAM, _IFF_UP = 2, 2, 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFREQ = struct.Struct("16sh22x")

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what or None)
    return result


def unshare(flags: int) -> None:
    """Take new namespaces for this process, for CLONE_NEWPID for its next children."""
    _checked(_libc.unshare(flags))


def enter_network(process: int) -> None:
    """Enter the network of a process, with the rights of the user who made it."""
    network = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    users = fcntl.ioctl(network, _NS_GET_USERNS)
    for namespace, kind in ((users, CLONE_NEWUSER), (network, CLONE_NEWNET)):
        _checked(_libc.setns(namespace, kind))
        os.close(namespace)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Put a file system, or a part of one, at a place."""
    done = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        os.fsencode(kind) if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(options) if options else None,
    )
    _checked(done, target)


def bind(source: str, target: str, *, flags: int = 0, recursive: bool = True) -> None:
    """Mount a file or directory at a second place, there with more flags."""
    mount(source, target, flags=MS_BIND | (MS_REC if recursive else 0))
    if flags:
        remount(target, flags)


def remount(target: str, flags: int) -> None:
    """Give a mount more flags; those that it has may be locked, and have to be said again."""
    has = os.statvfs(target).f_flag
    kept = sum(new for old, new in _ST_KEPT.items() if has & old)
    mount("none", target, flags=MS_REMOUNT | MS_BIND | kept | flags)


def enter_root(directory: str) -> None:
    """Make a mount point the root directory, and take all other mounts out of sight."""
    number, _ = _NUMBERS.get(platform.machine(), _GENERIC)
    os.chdir(directory)
    _checked(_libc.syscall(number, b".", b"."), directory)
    _checked(_libc.umount2(b".", _MNT_DETACH), directory)
    os.chdir("/")


def new_keyring() -> None:
    """Leave the session's keys behind; a kernel without keys has none to show."""
    _, number = _NUMBERS.get(platform.machine(), _GENERIC)
    _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent has ended."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0))


def set_host_name(name: str) -> None:
    """Give the machine a name, in this namespace."""
    _checked(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name.encode()))))


def loopback_up() -> None:
    """Switch the loopback interface on."""
    descriptor = _checked(_libc.socket(_AF_INET, _SOCK_DGRAM, 0))
    try:
        found = fcntl.ioctl(descriptor, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0))
        name, flags = _IFREQ.unpack(found)
        fcntl.ioctl(descriptor, _SIOCSIFFLAGS, _IFREQ.pack(name, flags | _IFF_UP))
    finally:
        os.close(descriptor)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def bound_capabilities(kept: Iterable[int]) -> None:
    """Let no program that is executed from now on get capabilities other than these numbers."""
    number, keep = 0, frozenset(kept)
    while _libc.prctl(_PR_CAPBSET_READ, ctypes.c_ulong(number), 0, 0, 0) >= 0:
        if number not in keep:
            _checked(_libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0))
        number += 1


def limit_capabilities(kept: Iterable[int]) -> None:
    """Give up all capabilities that this process has, but these numbers."""
    header = _Header(_CAPABILITY_VERSION_3, 0)
    data: Any = (_Data * 2)()
    _checked(_libc.capget(ctypes.byref(header), data))
    mask = sum(1 << number for number in kept)
    for index, one in enumerate(data):
        part = mask >> (32 * index) & 0xFFFFFFFF
        one.permitted &= part
        one.effective = one.permitted
        one.inheritable = 0
    _checked(_libc.capset(ctypes.byref(header), data))
