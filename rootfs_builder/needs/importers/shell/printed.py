"""What commands print that a shell script uses for places: dirname, readlink, pwd and the like."""

from rootfs_builder.needs.image_files import ImageFiles
from rootfs_builder.needs.importers.shell.script import Step
from rootfs_builder.needs.importers.shell.values import (
    Expander,
    Scope,
    Value,
    Values,
    base,
    directory,
    real,
)
from rootfs_builder.paths import join, name

_SAYING = frozenset(("echo", "print", "printf"))
_UNAME = {"": "Linux", "-s": "Linux", "-o": "GNU/Linux"}


def values(steps: tuple[Step, ...], scope: Scope, files: ImageFiles, expander: Expander) -> Values:
    """What the last of some steps prints; nothing where that is not known."""
    if not steps:
        return ()
    step = steps[-1]
    if step.kind == "and":
        return values(step.steps[1], scope, files, expander)
    if step.kind == "or":
        sides = [values(one, scope, files, expander) for one in step.steps]
        return tuple(dict.fromkeys(one for each in sides for one in each))
    if step.kind == "subshell":
        return values(step.steps[0], scope, files, expander)
    if step.kind != "command":
        return ()
    words = expander.arguments(step.words, scope)
    called = name(_text(words[:1]))
    options = [v.text for one in words[1:] for v in one[:1] if v.text.startswith("-")]
    rest = [one for one in words[1:] if not (one and one[0].text.startswith("-"))]
    return _Printer(scope, files).values(called, options, rest)


def _text(words: list[Values]) -> str:
    return words[0][0].text if words and len(words[0]) == 1 else ""


class _Printer:
    def __init__(self, scope: Scope, files: ImageFiles) -> None:
        self._scope = scope
        self._files = files

    def values(self, called: str, options: list[str], rest: list[Values]) -> Values:
        first = rest[0] if rest else ()
        if called == "dirname":
            return tuple(map(directory, first))
        if called == "basename":
            ending = _text(rest[1:2])
            return tuple(base(one, ending) for one in first)
        if called in ("readlink", "realpath"):
            links = called == "readlink" and not any("f" in one or "e" in one for one in options)
            return self._link(first) if links else real(self._absolute(first), self._files)
        if called == "pwd":
            here = self._scope.get("PWD")
            return real(here, self._files) if "-P" in options else here
        if called == "uname":
            known = _UNAME.get("".join(options))
            return (Value(known),) if known and not rest else ()
        if called in ("command", "which", "type"):
            return self._in_path(first)
        if called in _SAYING:
            return self._said(called, rest)
        return ()

    def _absolute(self, paths: Values) -> Values:
        here = self._scope.get("PWD")
        found = [one for one in paths if one.text.startswith("/")]
        found += [
            Value(join(top.text, one.text), top.place or one.place)
            for one in paths
            for top in here
            if not one.text.startswith("/")
        ]
        return tuple(found)

    def _link(self, paths: Values) -> Values:
        """The text of a link that is the script's own name: what follows takes it for the file."""
        return real(tuple(one for one in paths if one.text.startswith("/")), self._files)

    def _in_path(self, names: Values) -> Values:
        found = []
        for one in names:
            for top in self._scope.get("PATH")[:1]:
                each = (f"{place.rstrip('/')}/{one.text}" for place in top.text.split(":"))
                found += [Value(path) for path in each if self._files.is_file(path)][:1]
        return tuple(found)

    @staticmethod
    def _said(called: str, rest: list[Values]) -> Values:
        if called == "printf":
            rest = rest[1:]
        if not rest or not all(len(one) == 1 for one in rest):
            return rest[0] if len(rest) == 1 else ()
        place = next((one[0].place for one in rest if one[0].place), "")
        return (Value(" ".join(one[0].text for one in rest), place),)
