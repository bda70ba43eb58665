"""docs/article.md, from what was measured."""

import platform
import subprocess
from typing import Any

from scripts.quest.replay import Row, rows

ARTICLE = "https://jpetazzo.github.io/2020/02/01/quest-minimal-docker-images-part-1"
MEGA = 1_000_000


def said(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def machine() -> dict[str, str]:
    """The machine and what compiled and counted."""
    return {
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}",
        "gcc": said("gcc", "-dumpfullversion"),
        "go": said("go", "env", "GOVERSION").removeprefix("go"),
        "docker": said("docker", "version", "-f", "{{.Server.Version}}").partition("+")[0],
    }


def size(count: int) -> str:
    """Bytes as docker writes them."""
    return f"{count / MEGA:.2f} MB" if count >= MEGA else f"{count / 1e3:.0f} kB"


def outcome(found: dict[str, Any]) -> str:
    """Runs or fails, in a cell."""
    return "runs" if found["runs"] else "**fails**"


def cells(row: Row, found: dict[str, Any]) -> str:
    """A row of the first table."""
    here, ours = found["here"], found["ours"]
    return (
        f"| {row.title} | {row.article} | {size(here['image'])}, {outcome(here)} "
        f"| **{size(ours['image'])}**, {outcome(ours)} | {size(ours['archive'])} "
        f"| `{row.pack[0]}` |"
    )


def pitfall(row: Row, found: dict[str, Any]) -> str:
    """A section about a pitfall."""
    here, ours = found["here"], found["ours"]
    message = (
        here["says"].rpartition("unable to start container process: ")[2].removesuffix(": unknown.")
    )
    message = message or f"(no message; the exit code is {row.code})"
    where = "Here it says:" if row.build or row.fails is not None else "Here it runs:"
    typed = "\n".join([*row.pack, *row.use])
    return f"""\
### {row.title}

The article: {row.article}. {where}

```text
{row.dockerfile.strip().replace("base:", "")}

{message}
```

Type this instead (image {size(ours["image"])}, archive {size(ours["archive"])}); the container then
prints the last line:

```text
{typed}

{ours["says"]}
```

{row.note}
""".rstrip()


def render(data: dict[str, Any]) -> str:
    """The page."""
    table, pitfalls = rows()
    known = data["machine"]
    programs, archives = data["small"]["programs"], data["small"]["archives"]
    lines = "\n".join(cells(row, data["rows"][row.tag]) for row in table)
    sections = "\n\n".join(pitfall(row, data["pitfalls"][row.tag]) for row in pitfalls)
    costs = "\n".join(
        f"| `{name} -o hello hello.c` | {size(count)} |" for name, count in programs.items()
    )
    small = "\n".join(
        f"| `{name or 'no options'}` | {size(count)} |" for name, count in archives.items()
    )
    musl = data["rows"]["musl-alpine"]["ours"]
    best = min(archives, key=lambda name: archives[name])
    return f"""\
# The Quest, replayed

[The Quest for Minimal Docker Images, part 1][article] takes a hello world in C and in Go and
shrinks its image step by step. `scripts/article` builds and runs each of its rows, and next to
it the image that rootfs-builder makes. What fails in the article must fail here too, or the script
does.

[article]: {ARTICLE}

Base images are made of Debian's packages: `debian` replaces `ubuntu`, `compiler` for an
`ubuntu` with gcc. `alpine` is busybox and musl. So sizes differ from the article's where a base is
included. All sizes of images are as docker counts them. Measured on {known["system"]}, with
gcc {known["gcc"]}, Go {known["go"]} and docker {known["docker"]}.

## The rows

Every image of ours is made by two lines: the one in the last column, and
`rootfs-builder pack ./hello -o hello.tar`. There is no Dockerfile and no base image, and a program
that is linked dynamically stays so.

| row | article | replayed | rootfs-builder | archive | compiled by |
|---|---:|---:|---:|---:|---|
{lines}

## A dynamic hello world in less than 940 kB

940 kB is the article's *static* program on scratch. A dynamic one needs glibc and its loader, 2.2
MB in the image, and still travels in less:

| `rootfs-builder pack ./hello -o hello.tar` | archive |
|---|---:|
{small}

So the options are `{best}`; [Formats](formats.md) lists which engines
read zstd. With musl the same program is {size(musl["image"])} in the image and
{size(musl["archive"])} in the archive, without any option.

## What static linking costs

The program alone, in bytes on disk:

| command | program |
|---|---:|
{costs}

One static program is smaller than one dynamic program with its libraries. Of several programs each
carries its own copy of libc, and a static glibc cannot load name services, locales or plugins of
another version. `pack` takes both kinds.

## The pitfalls

{sections}
"""
