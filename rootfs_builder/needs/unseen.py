"""A closure → a program that loads or starts something, and nothing has shown what.

No file has a name that is computed; one run shows it.
"""

from collections.abc import Iterator

from rootfs_builder.findings import Code, Finding, hint
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.needs.closure import Closure, Program, ProgramKind
from rootfs_builder.paths import absolute, printable

_CALLS = frozenset(
    {
        *(b"dlopen", b"dlmopen", b"system", b"popen", b"posix_spawn", b"posix_spawnp"),
        *(b"execv", b"execve", b"execvp", b"execvpe", b"execl", b"execle", b"execlp", b"fexecve"),
    }
)


def find(closure: Closure, elf_files: ElfFiles) -> Iterator[Finding]:
    """A hint for the first of the user's programs that calls dlopen or exec, if nothing came of it.

    Whatever was loaded or is there to be started is an answer, whoever asked for it.
    """
    if any(tree.programs or tree.plugins for tree in closure.trees):
        return
    for program in closure.programs:
        if program.kind is not ProgramKind.EXECUTABLE or not program.link_maps:
            continue
        if any(one.calls for one in program.link_maps):
            continue
        calls = elf_files.imports(program.real, _CALLS)
        if calls:
            yield _hint(program, min(calls).decode())
            return


def _hint(program: Program, call: str) -> Finding:
    shown = printable(program.display_name)
    what = "loads" if call.startswith("dl") else "starts"
    text = (
        f"{shown} calls {call}, and no file says what it {what}; one run does: "
        f"rootfs-builder trace -- {shown}"
    )
    return hint(Code.UNSEEN, text, *absolute((program.display_name,)))
