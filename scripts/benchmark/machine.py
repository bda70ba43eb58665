"""The machine and the packers' versions, as text."""

import os
import platform
import re
from pathlib import Path

from scripts.benchmark.measure import Bench
from scripts.benchmark.packers import PACKERS


def about() -> dict[str, str | int]:
    """What the figures depend on."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    release = platform.freedesktop_os_release()
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "distribution": release["PRETTY_NAME"],
        "python": platform.python_version(),
    }


def versions(bench: Bench) -> dict[str, str]:
    """Of every packer."""
    found = {}
    for name, packer in PACKERS.items():
        said = bench.tool("sh", "-eu", "-c", packer.version)
        version = re.search(r"\d+\.\d[\w.+~-]*", said)
        found[name] = version[0] if version else said.strip()
    return found
