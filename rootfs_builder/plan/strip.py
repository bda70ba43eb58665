"""Plan → the same plan, with programs and libraries that have no symbols and debug sections.

`strip --strip-unneeded` of binutils does it, the target's for another machine. The content that a
loader maps must not change: every PT_LOAD is compared, except for the ELF header and the program
headers themselves, which locate the rest of the file. So build-ids and notes stay, and libraries
resolve as before. A file that strip would damage is left as it is: one with data after its end
(self-extracting programs), or one laid out by other tools; so is one whose format strip does not
know. What else goes wrong with strip depends on more than the file, so it is an error.
"""

import errno
import io
import os
from contextlib import suppress
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from msgspec.structs import replace

from rootfs_builder import elf, temporary, tools
from rootfs_builder.errors import ElfError, Mistake, NotFoundError, OutputError
from rootfs_builder.filesystem.content import Source, read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.findings import Code, warning
from rootfs_builder.paths import ImagePath, decode, encode, printable
from rootfs_builder.plan import Plan

_DEBUG = (".debug", ".zdebug", ".stab")
_REFUSED = 1  # the exit code of strip for a file that it does not take, and for all else
_SECONDS = 600  # no strip takes that long but one that waits for something
_BYTES_A_SECOND = 1 << 20  # a hundredth of what it does


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
    except (ELFError, UnicodeDecodeError, ValueError, OverflowError) as error:
        return f"its sections cannot be read: {error!r}"
    if data[end:].strip(b"\0"):
        return f"{len(data) - end:,} bytes follow its end, and strip would drop them"
    result = ImagePath(f"/{number}")
    with temporary.disk_errors("where stripped files are kept", "--strip"):
        refusal = _run(shown, elf.header(data), data, f"{scratch}{result}")
        if refusal:
            return refusal
        stripped = _content(f"{scratch}{result}")
    if not _loads_the_same(file, _whole(shown, stripped, f"{scratch}{result}")):
        return "strip would change what is loaded of it"
    return DirectoryRoot(scratch).open(result) if len(stripped) < len(data) else None


def _run(shown: str, head: elf.Header, data: bytes, result: str) -> str:
    """Write the stripped file to `result`; why strip does not take it, "" if it does.

    Raises:
        NotFoundError: there is no strip for it.
        OutputError: strip failed.
        OSError: the disk is full, or the like.
    """
    source = f"{result}.full"
    target = head.platform.triplet
    tool = tools.find(f"{target}-strip", "strip")
    advice = f"apt-get install binutils-{target.replace('_', '-')}"
    if tool is None:
        raise NotFoundError(Mistake("--strip", f"there is no strip here for {shown}; {advice}"))
    with open(encode(source), "wb") as stream:
        stream.write(data)
    arguments = ("--strip-unneeded", "-o", result, source)
    seconds = _SECONDS + len(data) / _BYTES_A_SECOND
    done = tools.run(tool, *arguments, seconds=seconds)
    if done.code == _REFUSED:  # so it may say of a read that failed; of a file it says it again
        done = tools.run(tool, *arguments, seconds=seconds)
    with suppress(OSError):  # the directory is removed in the end
        os.unlink(encode(source))
    if not done.code and done.code is not None:
        return ""
    if done.code == _REFUSED and not tool.endswith(f"{target}-strip") and _is_foreign(head, tool):
        text = f"{tool} is not for the machine of {shown}; {advice}"
        raise NotFoundError(Mistake("--strip", text))
    said = done.output.replace(source, shown).replace(result, shown)
    if done.code != _REFUSED or not said or any(one in said for one in _of_the_system()):
        what = f"{tool}: {said.removeprefix(f'{tool}: ')}" if said else f"{tool} {done.end}"
        raise _failure(shown, what, result)
    return said


def _failure(shown: str, what: str, result: str) -> OutputError:
    where = printable(os.path.dirname(os.path.dirname(result)))
    advice = f"set TMPDIR to another directory than {where}, or leave out --strip"
    return OutputError(Mistake("--strip", f"{shown}: {what}; {advice}"))


def _of_the_system() -> set[str]:
    """What strip says where not the file but the system is why it fails.

    EINVAL is left out: damaged files make it seek to where nothing can be.
    """
    return {"memory exhausted", "out of memory"} | {
        os.strerror(number) for number in errno.errorcode if number != errno.EINVAL
    }


def _content(path: str) -> bytes:
    """The bytes of a file; none if it is not there."""
    try:
        with open(encode(path), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return b""


def _whole(shown: str, stripped: bytes, result: str) -> Any:
    """What strip wrote, as an ELF file.

    Raises:
        OutputError: it is none, or not all of one.
    """
    try:
        file = ELFFile(io.BytesIO(stripped))
        if _end(file, list(file.iter_sections())) <= len(stripped):
            return file
    except (ELFError, UnicodeDecodeError, ValueError):
        pass
    raise _failure(shown, "strip did not write a whole ELF file", result)


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
