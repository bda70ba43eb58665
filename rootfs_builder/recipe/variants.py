"""`platforms` of a recipe: one image as several, a variant for each platform.

In the values of a variant `{platform}` is linux/arm64, `{arch}` arm64, and `{triplet}` what GNU
tools call the machine, aarch64-linux-gnu: where a sysroot and compiled programs are.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from rootfs_builder import platforms
from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import values
from rootfs_builder.recipe.keys import Step, StepResult, Values
from rootfs_builder.recipe.toml_lines import Path
from rootfs_builder.recipe.values import RequestedPlatform

_PLATFORM = "platform"


def parsed(texts: Iterable[str]) -> tuple[RequestedPlatform, ...]:
    """The platforms of a list.

    Raises:
        UsageError: one is none, or is there twice; or the list is empty.
    """
    found = tuple(map(values.platform, texts))
    if not found:
        raise UsageError("empty; which platforms? linux/amd64, linux/arm64 …")
    for one in found:
        if found.count(one) > 1:
            raise UsageError(f"{one} is there twice")
    return found


def words(platform: RequestedPlatform) -> dict[str, str]:
    """What each word in braces stands for."""
    return {
        "{platform}": str(platform),
        "{arch}": platform.architecture,
        "{triplet}": platforms.triplet(platform.architecture, platform.variant),
    }


def _text(text: str, known: Mapping[str, str]) -> str:
    """A text with its words replaced."""
    for word, value in known.items():
        text = text.replace(word, value)
    return text


def _varies(text: str) -> bool:
    """Whether a text has a word that is another for each platform."""
    return any(word in text for word in ("{platform}", "{arch}", "{triplet}"))


class Value(NamedTuple):
    """The value of a key, and where it is: each element, or the value itself as the only one."""

    path: Path
    elements: tuple[tuple[Path, Any], ...]


def steps(steps_: Iterable[Step], platforms_: Iterable[RequestedPlatform]) -> tuple[Step, ...]:
    """The steps; one whose name has a word for the platform is a step for each."""
    found: dict[str, Step] = {}
    for step in steps_:
        several = [*map(words, platforms_)] if _varies(step.name) else [{}]
        for known in several:
            one = msgspec.convert(_filled(msgspec.to_builtins(step), known), Step)
            found.setdefault(one.name, one)
    return tuple(found.values())


def of(
    keys: dict[str, Value], platforms_: Iterable[RequestedPlatform]
) -> Iterator[dict[str, Value]]:
    """An image's keys, once for each platform, or as they are."""
    if not platforms_:
        yield keys
    for platform in platforms_:
        known = words(platform)
        filled = {
            name: Value(
                value.path, tuple((path, _filled(one, known)) for path, one in value.elements)
            )
            for name, value in keys.items()
        }
        path = filled[_PLATFORM].path if _PLATFORM in filled else (_PLATFORM,)
        yield {**filled, _PLATFORM: Value(path, ((path, str(platform)),))}


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value in which each text has the platform's words."""
    if isinstance(value, str):
        return _text(value, known)
    if isinstance(value, StepResult):
        table = _filled(msgspec.to_builtins(value), known)
        return msgspec.convert(table, type(value))
    if isinstance(value, dict):
        return {key: _filled(one, known) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_filled(one, known) for one in value)
    return value


class HasValues(Protocol):
    """An image of a recipe, by the values of its options."""

    @property
    def values(self) -> Values:
        """The values, by the parameters of the options."""


Image = TypeVar("Image", bound=HasValues)


def grouped(images: Iterable[Image]) -> list[tuple[Image, ...]]:
    """The images that one file is to have, together: those of one output and several platforms."""
    by_output: dict[str, list[Image]] = {}
    for one in images:
        by_output.setdefault(one.values.get("output", ""), []).append(one)
    found: list[tuple[Image, ...]] = []
    for several in by_output.values():
        each = [one.values.get("platform") for one in several]
        if all(each) and len({*each}) == len(each):
            found.append(tuple(several))
        else:
            found += ((one,) for one in several)
    return found
