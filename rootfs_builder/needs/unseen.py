"""A closure → a program that loads or starts something, and nothing has shown what.

No file has a name that is computed; one run shows it.
"""

from collections.abc import Iterator

from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure, Program, ProgramKind
from rootfs_builder.paths import absolute, decode, name, printable

_STARTS = frozenset(
    {
        *(b"posix_spawn", b"posix_spawnp", b"fexecve"),
        *(b"execv", b"execve", b"execvp", b"execvpe", b"execl", b"execle", b"execlp"),
    }
)
_CALLS = _STARTS | {b"dlopen", b"dlmopen", b"system", b"popen"}
_SHELLS = ("bash", "busybox", "dash", "sh")


def find(closure: Closure, elf_files: ElfFiles) -> Iterator[Finding]:
    """A hint for the first of the user's programs that calls dlopen or exec, if nothing came of it.

    Whatever was loaded or is there to be started is an answer, whoever asked for it, and so is what
    another hint names. A shell is none to a program that starts others itself, nor is the
    program to itself.
    """
    own = {one.real for one in closure.programs}
    started = (one.real for tree in closure.trees for one in tree.programs)
    there = {name(one) for one in started if one not in own}
    known = any(tree.plugins for tree in closure.trees) or closure.supply.left_out
    if known or not there <= {*_SHELLS}:
        return
    asked = _STARTS if there else _CALLS
    for program in closure.programs:
        if program.kind is not ProgramKind.EXECUTABLE or not program.link_maps:
            continue
        if any(one.calls for one in program.link_maps):
            continue
        calls = {*map(decode, elf_files.imports(program.real, asked))}
        go = elf_files.go_commands(program.real)
        calls |= {"os/exec"} if go.calls and not go.names else set()
        if calls:
            yield _hint(program, min(calls))
            return


def _hint(program: Program, call: str) -> Finding:
    shown = printable(program.display_name)
    what = "loads" if call.startswith("dl") else "starts"
    text = (
        f"{shown} calls {call}, and no file says what it {what}; one run does: "
        f"rootfs-builder trace -- {shown}"
    )
    return hint(Code.UNSEEN, text, *absolute((program.display_name,)))
