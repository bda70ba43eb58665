"""A file that the kernel is asked to start → its ELF, or the words of its `#!` line.

What is neither gets a sentence that says what it is instead, since "exec format error" in a
container is where most people start to guess. Source: execve(2), fs/binfmt_script.c.
"""

import re

from msgspec import Struct

from rootfs_builder import elf
from rootfs_builder.errors import EXECUTABLE, ElfError, InputError, Mistake
from rootfs_builder.filesystem.walk import Walk
from rootfs_builder.loader import kinds
from rootfs_builder.loader.elf_files import ElfFiles
from rootfs_builder.loader.kinds import Kind
from rootfs_builder.paths import OpenedPath, decode, join, name, parent, printable

_SHEBANG_BYTES = 256  # BINPRM_BUF_SIZE
_LINES_BYTES = 4200  # one line more, with a path in it
SECOND_LINE = re.compile(  # where the first would be too long, or has a space
    rb"#![ \t]*/bin/sh\n'''exec' (?P<quote>['\"]?)(?P<path>/[^'\"\n]+?)(?P=quote)(?: -\w+)*"
    rb" \"\$0\" \"\$@\"\n"
)
_SPLIT = re.compile(r"-[iv0]*S\s*|--split-string[=\s]\s*")
_TAKING_A_WORD = ("-u", "--unset", "-C", "--chdir", "-a", "--argv0")


class Script(Struct, frozen=True):
    """The `#!` line: an absolute path, and the rest of the line as one argument.

    `second` is the interpreter that the first starts in a script of pip's or uv's.
    """

    interpreter: str
    argument: str
    second: str = ""

    @property
    def looked_up(self) -> str | None:
        """The command that env(1) would look up in PATH, where env is the interpreter, or a path.

        The kernel gives env the rest of the line as one argument; only -S makes words of it.
        """
        if name(self.interpreter) != "env":
            return self.second or None
        split = _SPLIT.match(self.argument)
        if split is None:
            return None if self.argument.startswith("-") else self.argument or None
        import shlex  # for a rare line

        try:
            words = iter(shlex.split(self.argument[split.end() :]))
        except ValueError:
            return None
        for word in words:
            if word in _TAKING_A_WORD:
                next(words, None)
            elif not word.startswith("-") and "=" not in word:
                return word
        return None


def look(named: str, walk: Walk, elf_files: ElfFiles) -> elf.ElfFile | Script:
    """What the kernel would make of the file at the end of `walk`.

    Raises:
        InputError: it is nothing that can be started: a mistake about `named`.
    """
    if walk.node is None or walk.node.kind != "file":
        node = walk.node.kind if walk.node else ""
        what = "a directory" if node == "dir" else "a FIFO, socket or device"
        raise _mistake(named, f"{what}; name the compiled program itself")
    with elf_files.source(walk.real).open() as content:
        head = content[0:_SHEBANG_BYTES]
        second = SECOND_LINE.match(content[0:_LINES_BYTES])
    if head.startswith(b"#!"):
        return _script(named, head, decode(second["path"]) if second else "")
    kind = kind_of(named, walk, elf_files)
    if kind is not None and not kind.starts:
        raise _mistake(named, kind.sentence(named))
    try:
        type_ = elf_files.header(walk.real).type
        if type_ == elf.ET_REL:
            raise _mistake(named, "an object file, not linked yet; link it into a program")
        if type_ == elf.ET_CORE:
            raise _mistake(named, "a core dump; name the program that left it")
        file = elf_files.file(walk.real)
    except ElfError as error:
        raise _mistake(named, f"a damaged ELF file: {error}; build or copy it again") from error
    if not file.loads:
        raise _mistake(named, "an ELF file without code; is it a file of debug symbols?")
    if file.interpreter is None and (file.dependencies or not file.header.entry):
        raise _mistake(
            named,
            "a shared library, not a program; name the program that loads it, "
            "and the library with --include-lib",
        )
    return file


def kind_of(named: str, walk: Walk, elf_files: ElfFiles) -> Kind | None:
    """What else the file at the end of `walk` is than a program or script as they should be."""
    folder = parent(walk.real)

    def exists(beside: str) -> bool:
        return elf_files.walker.walk(OpenedPath(join(folder, beside))).node is not None

    return kinds.sample(elf_files.source(walk.real), named).kind(exists)


def _mistake(named: str, text: str) -> InputError:
    return InputError(Mistake(EXECUTABLE, text, named))


def _script(named: str, head: bytes, second: str) -> Script:
    line = head[2:].partition(b"\n")[0].partition(b"\0")[0].strip(b" \t")
    words = [decode(word) for word in line.split(None, 1)]
    if line.endswith(b"\r") and (len(words) == 1 or name(words[0]) == "env"):
        raise _mistake(
            named,
            "a script with Windows line ends, whose interpreter the kernel would not "
            r"find; convert it: sed -i 's/\r$//'",
        )
    if not words:
        raise _mistake(named, "its first line names no interpreter after #!")
    if not words[0].startswith("/"):
        raise _mistake(
            named, f"its interpreter {printable(words[0])} is not an absolute path; write #!/…"
        )
    script = Script(words[0], words[1] if len(words) > 1 else "", second)
    if name(words[0]) == "env" and script.looked_up is None:
        raise _mistake(named, "its first line does not say which program env is to start")
    if script.looked_up is not None and re.search(r"\s", script.looked_up):
        raise _mistake(
            named,
            f"its first line makes env look for {printable(script.looked_up)!r}, in one "
            "word; write env -S",
        )
    return script
