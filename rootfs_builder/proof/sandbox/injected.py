"""The files that engines put over those of an image: hosts, resolv.conf, hostname.

Without a network they know this container and nothing of the machine; with the machine's network
they are the machine's.
"""

from contextlib import suppress

from rootfs_builder.proof.sandbox.command import Command, host_name

_HOSTS = """\
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
ff00::0	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
"""
PATHS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def files(command: Command) -> dict[str, bytes]:
    """The content of each of PATHS."""
    found = {
        "/etc/hosts": _HOSTS.encode(),
        "/etc/hostname": f"{host_name(command.network)}\n".encode(),
        "/etc/resolv.conf": b"",
    }
    if command.network == "host":
        for path in ("/etc/hosts", "/etc/resolv.conf"):
            with suppress(OSError), open(path, "rb") as file:
                found[path] = file.read()
    for name, address in command.hosts:
        found["/etc/hosts"] += f"{address}\t{name}\n".encode()
    if command.dns:
        found["/etc/resolv.conf"] = b"".join(
            b"nameserver %s\n" % one.encode() for one in command.dns
        )
    return found
