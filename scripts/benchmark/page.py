"""The data → docs/benchmarks.md."""

from collections.abc import Iterator
from typing import Any

from scripts.benchmark import limits
from scripts.benchmark.packers import OURS

INTRODUCTION = """\
# Benchmarks

Written by `scripts/bench`, which measured all of it in one run on one machine; the figures are in
[benchmarks.json](benchmarks.json). `tests/unit/test_benchmark.py` fails when this page, the picture
or the jobs are not those of the figures.

![Seconds to pack hello and ffmpeg](benchmarks.svg)
"""
READING = """\
## How to read the tables

Every packer does its whole job once in each round, one behind the other, in an empty folder: so a
machine that gets slower slows all of them. All files are in memory before the first round. There
are {rounds} rounds; who has taken {seconds} seconds in them, and done two, is left out of the rest.

- **wall**: seconds, the median of the rounds.
- **ours = 1**: the wall time divided by ours of the same round; the median of these ratios, with
  the least and the greatest.
- **CPU**: seconds, user and system, of all processes of the job, and of dockerd and containerd
  where the job speaks to docker (in steps of 0.01).
- **peak**: the memory of the job's largest process. What dockerd uses is not counted.
- **read, written**: what the job's processes ask of files and pipes, the page cache included (rchar
  and wchar of proc_pid_io(5)).
- **bytes**: of the archive. An image in docker or podman is no archive.
- **same digest**: whether every round gave the same manifest (for docker and podman: the same image
  id).
- **docker**: whether `docker load` takes the archive, or only skopeo brings it to docker.
"""
HONESTY = """\
## What is not comparable

- We and dockerize2 find the files ourselves, and write more than what `ldd` names: certificates,
  names of services, users. Those that take what `ldd` prints pack fewer files, and their curl
  trusts nobody. The sizes above each table say how many.
- `ldd` runs the program's loader. We run nothing of what is packed, and resolve the finished image
  once more before it is written.
- An image in docker's or podman's store is not yet a file that can be sent; docker stores layers
  uncompressed. buildah and umoci end in an archive, as we do; buildah compresses only when told.
- Nobody has a cache from an earlier run; ours is empty, and filled by the measured run. `again` is
  a second run with what the first left there, where nothing has changed, and the archive is left
  as it is; before `output removed` the archive was removed, and is written again; before `program
  changed` a program of 1 MB that needs all that ffmpeg needs has.
- docker was already running.
- The floors only read and compress the files of our image. They find nothing and write no image.
- umoci's archive is its layout in a tar, with the blobs of its intermediate steps.
"""


def text(data: dict[str, Any]) -> str:
    """The page."""
    return "\n".join(_parts(data))


def tables(data: dict[str, Any]) -> str:
    """The part of the page with the figures."""
    return "\n".join(
        line for name, program in data["programs"].items() for line in _program(name, program)
    )


def _parts(data: dict[str, Any]) -> Iterator[str]:
    yield INTRODUCTION
    yield _machine(data)
    verdicts = list(limits.judge(data, limits.LIMITS))
    if verdicts:
        yield "## What must hold\n"
        for verdict in verdicts:
            yield f"- {'ok' if verdict.holds else '**failed**'}: {_cell(limits.sentence(verdict))}"
        yield ""
    yield tables(data)
    yield READING.format(rounds=data["rounds"], seconds=data["seconds"])
    yield HONESTY
    yield from _jobs(data)


def _machine(data: dict[str, Any]) -> str:
    machine = data["machine"]
    return (
        f"Measured on: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory'] / 1e9:.0f} GB, Linux {machine['kernel']}, {machine['distribution']}, "
        f"Python {machine['python']}.\n"
    )


def _program(name: str, program: dict[str, Any]) -> Iterator[str]:
    made = f", made by `{program['make']}`" if program["make"] else ""
    command = " ".join([f"docker run {name}", *program["arguments"]])
    yield f"## {name}\n"
    yield (
        f"{program['about']}, `{program['path']}`{made}. Our image has {_files(program['ours'])}; "
        f"the program and what `ldd` names are {_files(program['ldd'])}. "
        f"Every image was run, as by `{command}`.\n"
    )
    yield (
        "| | wall s | ours = 1 | CPU s | peak MB | read, written MB | bytes | same digest | docker "
        "| rounds |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|---|---|--:|"
    for packer, figures in program["packers"].items():
        yield f"| {_cell(packer)} | {' | '.join(_row(packer, figures))} |"
    yield ""


def _files(contents: dict[str, int]) -> str:
    word = "file" if contents["files"] == 1 else "files"
    return f"{contents['files']:,} {word}, {contents['bytes']:,} bytes"


def _row(packer: str, figures: dict[str, Any]) -> Iterator[str]:
    if "error" in figures:
        yield from ("failed", *[""] * 8)
        return
    yield f"{figures['wall']:.3f}"
    yield "1" if packer == OURS else _ratio(figures["ratio"])
    yield f"{figures['cpu']:.3f}"
    yield f"{figures['memory'] / 1e6:.0f}"
    yield f"{figures['read'] / 1e6:.0f}, {figures['written'] / 1e6:.0f}"
    yield "-" if figures["bytes"] is None else f"{figures['bytes']:,}"
    yield {True: "yes", False: "no", None: "-"}[figures["same"]]
    yield figures["docker"] or "-"
    yield str(len(figures["rounds"]))


def _ratio(spread: list[float] | None) -> str:
    if spread is None:  # ours failed
        return "-"
    median, least, most = spread
    return f"{median:.2f} ({least:.2f} to {most:.2f})"


def _jobs(data: dict[str, Any]) -> Iterator[str]:
    yield "## The jobs\n"
    yield (
        "Each is run by `sh -eu` in an empty folder, with an empty `XDG_CACHE_HOME`. `$program` is "
        "the path of the program, `$name` the last word of it, `$image` a name for the image, and "
        "`$files` what `rootfs-builder stage` wrote, for the floors.\n"
    )
    for name, packer in data["packers"].items():
        yield f"**{name}** ({packer['version']})\n"
        before = (
            f"# first, not measured:\n{packer['before']}\n# then:\n" if packer["before"] else ""
        )
        yield f"```text\n{before}{packer['job'].rstrip()}\n```\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
