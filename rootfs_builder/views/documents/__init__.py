"""What `--json` prints: for each verb the types of its documents, and their JSON Schema.

Every run prints one document: a result, or what went wrong.
"""

from collections.abc import Iterable
from importlib import import_module
from inspect import cleandoc
from typing import Any

from msgspec import Struct, json

from rootfs_builder.errors import EXECUTABLE, RootfsError

_IMAGES, _PROGRAMS = "views.documents.images", "views.documents.programs"
_TYPES = {  # what each verb prints one of: the module and the name of a type
    "pack": ((_IMAGES, "Packed"), (_IMAGES, "Planned")),
    "build": ((_IMAGES, "Built"), (_IMAGES, "BuiltIndex"), (_IMAGES, "NotBuilt")),
    "stage": ((_IMAGES, "Staged"),),
    "index": ((_IMAGES, "Joined"),),
    "debug": ((_IMAGES, "Debugged"),),
    "minimize": ((_IMAGES, "Smaller"),),
    "tree": ((_PROGRAMS, "Tree"),),
    "why": ((_PROGRAMS, "Why"),),
    "trace": ((_PROGRAMS, "Traced"),),
    "rules": (
        (_PROGRAMS, "RuleList"),
        (_PROGRAMS, "Matched"),
        ("needs.rules.explanation", "Explanation"),
    ),
    "verify": ((_PROGRAMS, "Verified"),),
    "inspect": (("views.inspection", "Inspection"),),
    "diff": (("views.comparison", "Comparison"),),
    "check": (("views.policy.checking", "Checked"),),
}
VERBS = tuple(_TYPES)
_ARRAYS = ("build", "verify", "inspect")  # verbs that print an array of their documents
_FILES = frozenset(  # options whose value is a path
    (EXECUTABLE, "", "-L", "-o", "--add", "--base", "--policy", "--rules", "--sysroot")
)


class Failure(Struct, frozen=True):
    """What went wrong.

    `code` is the kind of error, as the page about Python lists them; `message` is what people
    read, and `hint` the part of it that says what to do, if it does. `paths` are the files that it
    is about, as far as they are known. `exit_code` is the command's.
    """

    code: str
    message: str
    hint: str
    paths: tuple[str, ...]
    exit_code: int


class Failed(Struct, frozen=True):
    """The document of a run that failed before there was a result."""

    error: Failure


def failure(error: RootfsError, exit_code: int) -> Failure:
    """An error as a value."""
    hints = dict.fromkeys(one.hint for one in error.mistakes if one.hint)
    values = (one.value for one in error.mistakes if one.option in _FILES and one.value)
    paths = tuple(dict.fromkeys((*error.paths, *values)))
    return Failure(error.code, str(error), "\n".join(hints), paths, exit_code)


def schema(verb: str) -> str:
    """The JSON Schema of what a verb prints with `--json`."""
    types = [
        getattr(import_module(f"rootfs_builder.{module}"), name) for module, name in _TYPES[verb]
    ]
    references, definitions = json.schema_components(
        [*types, Failed], ref_template="#/$defs/{name}"
    )
    for one in definitions.values():
        if "description" in one:  # some versions of msgspec leave a docstring's indentation
            one["description"] = cleandoc(one["description"])
    *results, failed = references
    found = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What rootfs-builder {verb} --json prints",
        "anyOf": [*_each(results, array=verb in _ARRAYS), failed],
        "$defs": definitions,
    }
    return json.format(json.encode(found), indent=2).decode() + "\n"


def _each(results: Iterable[dict[str, Any]], *, array: bool) -> list[dict[str, Any]]:
    if not array:
        return [*results]
    each = [*results]
    return [{"type": "array", "items": each[0] if len(each) == 1 else {"anyOf": each}}]
