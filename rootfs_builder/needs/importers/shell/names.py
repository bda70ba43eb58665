"""Names that a shell knows without a program, and programs whose arguments are another command."""

from msgspec import Struct

from rootfs_builder.paths import SourcePath, name

_POSIX = """
. : [ alias bg break cd command continue echo eval exec exit export false fc fg getopts hash jobs
kill local printf pwd read readonly return set shift test time times trap true type ulimit umask
unalias unset wait { } ! if then else elif fi do done case esac while until for in
"""
_MORE = """
[[ ]] autoload bind bindkey builtin caller compctl compdef compgen complete compopt coproc declare
dirs disable disown emulate enable float function functions help history integer let logout
mapfile nameref noglob popd print pushd readarray rehash select setopt shopt source suspend typeset
unfunction unsetopt whence where zle zmodload zparseopts zstyle
"""
_SMALL = ("ash", "busybox", "dash", "posh", "sh", "yash")  # shells with no more than POSIX has


class Wrapper(Struct, frozen=True):
    """Which of its options take a word, and how many words stand before the command.

    Where no command follows it runs its `default`, if it has one.
    """

    valued: str = ""
    words: int = 0
    default: str = ""

    def wrapped(self, rest: list[str]) -> list[str]:
        """What follows its options and words: the command that it runs."""
        before = self.words
        while rest and (rest[0].startswith("-") or before):
            if not rest[0].startswith("-"):
                rest, before = rest[1:], before - 1
            else:
                rest = rest[2:] if rest[0] in self.valued.split() else rest[1:]
        return rest or self.default.split()


WRAPPERS = {
    "builtin": Wrapper(),
    "catchsegv": Wrapper(),
    "chroot": Wrapper(words=1),
    "chrt": Wrapper("-T -P -D", 1),
    "command": Wrapper(),
    "doas": Wrapper("-u -C"),
    "env": Wrapper("-u --unset -C --chdir"),
    "exec": Wrapper("-a"),
    "fakeroot": Wrapper("-l -s -i"),
    "flock": Wrapper("-w -E --timeout", 1),
    "gosu": Wrapper(words=1),
    "ionice": Wrapper("-c -n"),
    "nice": Wrapper("-n --adjustment"),
    "nocache": Wrapper(),
    "noglob": Wrapper(),
    "nohup": Wrapper(),
    "setarch": Wrapper(words=1),
    "setpriv": Wrapper(),
    "setsid": Wrapper(),
    "stdbuf": Wrapper("-i -o -e"),
    "su-exec": Wrapper(words=1),
    "sudo": Wrapper("-u -g -C -h -p -r -t"),
    "taskset": Wrapper(words=1),
    "time": Wrapper("-f -o"),
    "timeout": Wrapper("-k -s --signal", 1),
    "xargs": Wrapper("-a -d -E -I -L -n -P -s --max-args --max-procs --delimiter", default="echo"),
}
ASKING = frozenset(("command", "hash", "type", "which"))  # where a program is
OF_THE_SHELL = frozenset(("builtin", "command", "exec", "noglob"))
SHELLS = frozenset(("ash", "bash", "dash", "ksh", "ksh93", "mksh", "sh", "zsh"))


def built_in(shell: SourcePath | str) -> frozenset[str]:
    """The commands that a shell, by the path of its program, has itself."""
    called = name(SourcePath(shell))
    return frozenset((_POSIX if called in _SMALL else _POSIX + _MORE).split())
