"""The system calls and writes of exercises → what a container of theirs may do, and no more.

A call that is not allowed is not there (ENOSYS): libc then takes another, as on an older kernel.
"""

import json
import os
from collections.abc import Iterable, Iterator

from msgspec import Struct, convert

from rootfs_builder.paths import decode

_ENOSYS = 38


class Known(Struct, frozen=True):
    """Calls that are needed whatever a program does."""

    engine: tuple[str, ...]
    libc: tuple[str, ...]


def seccomp(calls: Iterable[str]) -> bytes:
    """A profile for docker's and podman's --security-opt seccomp=FILE, and for Kubernetes."""
    known = _known()
    names = sorted({*calls, *known.engine, *known.libc})
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
    }
    return json.dumps(profile, indent=1).encode() + b"\n"


def security_context(
    user: str, *, seccomp_file: str, written: Iterable[str], capabilities: Iterable[str]
) -> bytes:
    """A container's part of a Kubernetes pod, and the pod's volumes, as YAML.

    `user` is UID or UID:GID, "" for root; `written` are directories that a run wrote to, which are
    all that it may write to; `capabilities` are those of files that stay.
    """
    lines = [*_context(user, seccomp_file, sorted(capabilities)), *_volumes(sorted(written))]
    return "\n".join(lines).encode() + b"\n"


def _context(user: str, seccomp_file: str, capabilities: list[str]) -> Iterator[str]:
    uid, _, gid = user.partition(":")
    yield "# in the container:"
    yield "securityContext:"
    yield "  allowPrivilegeEscalation: " + ("true" if capabilities else "false")
    yield "  readOnlyRootFilesystem: true"
    if uid not in ("", "0"):
        yield "  runAsNonRoot: true"
        yield f"  runAsUser: {uid}"
        yield f"  runAsGroup: {gid or 0}"
    yield "  capabilities:"
    yield "    drop: [ALL]"
    if capabilities:
        yield f"    add: [{', '.join(capabilities)}]"
    yield "  seccompProfile:"
    if seccomp_file:
        yield "    type: Localhost"
        yield f"    localhostProfile: {json.dumps(os.path.basename(seccomp_file))}"
    else:
        yield "    type: RuntimeDefault"


def _volumes(written: list[str]) -> Iterator[str]:
    if not written:
        return
    yield "volumeMounts:"
    for number, path in enumerate(written, 1):
        yield f"  - {{name: written-{number}, mountPath: {json.dumps(path)}}}"
    yield "# in the pod:"
    yield "volumes:"
    for number in range(1, len(written) + 1):
        yield f"  - {{name: written-{number}, emptyDir: {{}}}}"


def _known() -> Known:
    import tomli

    file = os.path.join(os.path.dirname(__file__), "least_privilege.toml")
    with open(file, "rb") as stream:
        return convert(tomli.loads(decode(stream.read())), Known)
