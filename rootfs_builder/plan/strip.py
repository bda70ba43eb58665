"""Plan → the same plan, with programs and libraries that have no symbols and debug sections.

`strip --strip-unneeded` of binutils does it, the target's for another machine. The content that a
loader maps must not change: every PT_LOAD is compared, except for the ELF header and the program
headers themselves, which locate the rest of the file. So build-ids and notes stay, and libraries
resolve as before. A file that strip would damage is left as it is: one with data after its end
(self-extracting programs), or one laid out by other tools.
"""

import io
import os
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from msgspec.structs import replace

from rootfs_builder import elf, tools
from rootfs_builder.errors import ElfError, Mistake, NotFoundError, OutputError
from rootfs_builder.filesystem.root import DirectoryRoot, Source, read
from rootfs_builder.findings import Code, warning
from rootfs_builder.paths import ImagePath, decode, encode, printable
from rootfs_builder.plan import Plan

_DEBUG = (".debug", ".zdebug", ".stab")


def plan(full: Plan, scratch: str) -> Plan:
    """The plan with stripped content, which lies in the directory `scratch` as long as it is used.

    Raises:
        NotFoundError: there is no strip, or none for the machine; what to install.
        OutputError: `scratch` cannot be written.
    """
    findings = list(full.findings)
    done: dict[Source, Source] = {}  # names of one file stay names of one
    for entry in full.entries:
        content = entry.content
        if content is None or content in done or not _is_linked(content):
            continue
        shown = printable(entry.path)
        found = _strip(shown, read(content), scratch, len(done))
        if isinstance(found, str):
            text = f"{shown}: not stripped: {found}"
            findings.append(warning(Code.NOT_STRIPPED, text, entry.path))
        done[content] = found if found is not None and not isinstance(found, str) else content
    entries = tuple(
        entry
        if entry.content is None
        else replace(entry, content=done.get(entry.content, entry.content))
        for entry in full.entries
    )
    return replace(full, entries=entries, findings=tuple(findings))


def _is_linked(content: Source) -> bool:
    """Whether it is a program or shared library of a machine; object files and bytecode are not."""
    with content.open() as data:
        try:
            head = elf.header(data)
        except ElfError:
            return False
    return head.type in {elf.ET_EXEC, elf.ET_DYN} and bool(head.platform.architecture)


def _strip(shown: str, data: bytes, scratch: str, number: int) -> Source | str | None:
    """The stripped content; None if there is nothing to strip, or why it cannot be."""
    try:
        file = ELFFile(io.BytesIO(data))
        sections = list(file.iter_sections())
        if not any(
            one["sh_type"] == "SHT_SYMTAB" or one.name.startswith(_DEBUG) for one in sections
        ):
            return None
        end = _end(file, sections)
    except (ELFError, UnicodeDecodeError, ValueError) as error:
        return f"its sections cannot be read: {error!r}"
    if data[end:].strip(b"\0"):
        return f"{len(data) - end:,} bytes follow its end, and strip would drop them"
    try:
        result, failure = _run(shown, elf.header(data), data, scratch, number)
        if failure:
            return failure
        with open(encode(f"{scratch}{result}"), "rb") as stream:
            stripped = stream.read()
    except OSError as error:
        raise OutputError(
            Mistake("--strip", f"{error.strerror} in {scratch}; TMPDIR names another directory")
        ) from error
    if not _loads_the_same(file, ELFFile(io.BytesIO(stripped))):
        return "strip would change what is loaded of it"
    return DirectoryRoot(scratch).open(result) if len(stripped) < len(data) else None


def _run(
    shown: str, head: elf.Header, data: bytes, scratch: str, number: int
) -> tuple[ImagePath, str]:
    """The path of the stripped file in `scratch`, and why strip failed, "" if it did not."""
    source, result = f"{scratch}/{number}.full", ImagePath(f"/{number}")
    target = head.platform.triplet
    tool = tools.find(f"{target}-strip", "strip")
    advice = f"apt-get install binutils-{target.replace('_', '-')}"
    if tool is None:
        raise NotFoundError(Mistake("--strip", f"there is no strip here for {shown}; {advice}"))
    with open(encode(source), "wb") as stream:
        stream.write(data)
    done = tools.run(tool, "--strip-unneeded", "-o", f"{scratch}{result}", source)
    os.unlink(encode(source))
    if done.code and not tool.endswith(f"{target}-strip") and _is_foreign(head, tool):
        text = f"{tool} is not for the machine of {shown}; {advice}"
        raise NotFoundError(Mistake("--strip", text))
    return result, done.output.replace(source, shown) if done.code else ""


def _is_foreign(head: elf.Header, tool: str) -> bool:
    """Whether a tool without a target in its name runs on a machine of another family."""
    path = ImagePath(decode(os.path.realpath(encode(tool))))
    with DirectoryRoot().open(path).open() as data:
        try:
            own = elf.header(data)
        except ElfError:  # a script, which may be for any
            return False
    return own.platform.strip_family != head.platform.strip_family


def _end(file: Any, sections: list[Any]) -> int:
    """Where an ELF file ends according to its headers."""
    ends = [file["e_shoff"] + file["e_shnum"] * file["e_shentsize"]]
    ends += [one["p_offset"] + one["p_filesz"] for one in file.iter_segments()]
    ends += [
        one["sh_offset"] + one["sh_size"] for one in sections if one["sh_type"] != "SHT_NOBITS"
    ]
    return int(max(ends))


def _loads_the_same(old: Any, new: Any) -> bool:
    """Whether a loader maps the same bytes to the same addresses."""
    if old["e_entry"] != new["e_entry"] or old.num_segments() != new.num_segments():
        return False
    for before, after in zip(old.iter_segments(), new.iter_segments(), strict=True):
        place = {key: after[key] for key in ("p_offset", "p_filesz")}
        if {**before.header, **place} != {**after.header}:
            return False
        if before["p_type"] == "PT_LOAD":
            blank = [(start - before["p_offset"], size) for start, size in _headers(old)]
            if _mapped(before, blank) != _mapped(after, blank):
                return False
    return True


def _headers(file: Any) -> list[tuple[int, int]]:
    """The offset and size of each of a file's headers."""
    return [(0, file["e_ehsize"])] + [
        (file[f"e_{table}off"], file[f"e_{table}num"] * file[f"e_{table}entsize"])
        for table in ("ph", "sh")
    ]


def _mapped(segment: Any, blank: list[tuple[int, int]]) -> bytes:
    """The content of a PT_LOAD, with zeros over `blank`; zeros follow in memory."""
    data = bytearray(segment.data())
    for start, size in blank:
        end = min(start + size, len(data))
        if 0 <= start < end:
            data[start:end] = bytes(end - start)
    return bytes(data.rstrip(b"\0"))
