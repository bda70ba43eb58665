"""Services of the name service switch → the text of an nsswitch.conf, and the other way round.

Source: nsswitch.conf(5). `files` and `dns` are inside glibc since 2.34, every other service is a
module, libnss_NAME.so.2.
"""

import re

from rootfs_builder.paths import ImagePath

PATH = ImagePath("/etc/nsswitch.conf")
BUILT_IN = ("files", "dns")
_DATABASES = ("passwd", "group", "shadow", "hosts", "networks", "protocols", "services", "rpc")
_LINE = re.compile(r"(?m)^[ \t]*([a-z]+)[ \t]*:[ \t]*([^#\n]*)")


def text(services: tuple[str, ...]) -> str:
    """A switch that asks the files first, then these services, and DNS for hosts."""
    own = [one for one in services if one not in BUILT_IN]
    lines = []
    for database in _DATABASES:
        chain = ["files", *own] if database in ("passwd", "group", "shadow", "hosts") else ["files"]
        lines.append(f"{database}: {' '.join(chain + ['dns'] * (database == 'hosts'))}\n")
    return "".join(lines)


def module(service: str) -> str:
    """The library that a service is in."""
    return f"libnss_{service}.so.2"


def service(module: str) -> str:
    """The service that a library is for."""
    return module.removeprefix("libnss_").removesuffix(".so.2")


def kept(conf: str) -> str:
    """The lines of a root's own nsswitch.conf, without its comments."""
    return "".join(f"{name}: {' '.join(rest.split())}\n" for name, rest in _LINE.findall(conf))


def services(conf: str) -> tuple[str, ...]:
    """The services that an nsswitch.conf names, in their order, less what is built in.

    `compat` reads nis unless it is told otherwise.
    """
    words = [
        word for _, rest in _LINE.findall(conf) for word in re.sub(r"\[[^\]]*\]", " ", rest).split()
    ]
    words += ["nis"] if "compat" in words else []
    return tuple(word for word in dict.fromkeys(words) if word not in BUILT_IN)
