"""The text of a command → its arguments: exec form, since an image has no shell."""

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import values

_SHELL = set("|&;<>()")


def parse(text: str) -> tuple[str, ...]:
    """The arguments of a JSON array of strings, or of words as a shell would quote them.

    Raises:
        UsageError: it is empty, or only a shell would understand it.
    """
    if text.lstrip().startswith("["):
        import json

        try:
            found = json.loads(text)
        except ValueError:
            raise UsageError(f"{text!r} is not a JSON array of strings") from None
        if not found or not all(isinstance(word, str) for word in found):
            raise UsageError(f"{text!r} is not a JSON array of strings")
        if not found[0]:
            raise UsageError("its first word is empty")
        return tuple(map(values.plain, found))
    import shlex

    if is_for_a_shell(text):
        raise UsageError(
            f"{text!r} is for a shell, and the image has no shell; give the program and its "
            'arguments, as words or as a JSON array: ["/usr/local/bin/app", "--flag"]'
        )
    try:
        found = shlex.split(text)
    except ValueError:
        raise UsageError(f"{text!r} has a quote that is not closed") from None
    if not found or not found[0]:
        raise UsageError("it is empty")
    return tuple(map(values.plain, found))


def is_for_a_shell(text: str) -> bool:
    """Whether a shell would do more with the text than split it at blanks."""
    quote, escaped = "", False
    for character in text:
        if escaped or (quote == "'" and character != "'"):
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "$`" or (not quote and character in _SHELL):
            return True
        elif character in (quote or "'\""):
            quote = "" if quote else character
    return False
