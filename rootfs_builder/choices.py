"""The values of each option that takes one of a few: for the command line, recipes and Python.

Nothing heavy is imported, so that --help is quick.
"""

from typing import Literal, get_args

Hwcaps = Literal["all", "baseline"]
Dlopen = Literal["required", "recommended", "suggested", "none"]
Compression = Literal["gzip", "zstd", "none"]
Compare = Literal["exit", "stdout", "none"]  # what of an exercise has to be the same
Format = Literal["hybrid", "oci", "docker"]  # of an archive: hybrid is both of the others
Network = Literal["none", "host"]
Success = Literal["stdout", "exit"]  # of a trial: the same output and exit code 0, or that alone
Way = Literal["bubblewrap", "unshare", "chroot"]

EPOCH = 1  # every time in an image where nobody says one: to some programs 0 is no time at all

HWCAPS: tuple[Hwcaps, ...] = get_args(Hwcaps)
DLOPEN: tuple[Dlopen, ...] = get_args(Dlopen)
COMPARES: tuple[Compare, ...] = get_args(Compare)
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
FORMATS: tuple[Format, ...] = get_args(Format)
NETWORKS: tuple[Network, ...] = get_args(Network)
SUCCESSES: tuple[Success, ...] = get_args(Success)
WAYS: tuple[Way, ...] = get_args(Way)
