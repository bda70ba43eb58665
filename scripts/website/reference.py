"""The reference pages, each made of what the program itself uses."""

import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import click
import msgspec

from rootfs_builder.commands import VERBS, verb
from rootfs_builder.errors import EXIT_CODES
from rootfs_builder.findings import Code
from rootfs_builder.needs import rules
from scripts.website.sources import CHECKOUT

PARAGRAPH = "\n\n"
CLI = """\
Generated from the help texts. `rootfs-builder COMMAND --help` and `man rootfs-builder` show the
same in a terminal."""
RECIPE = """\
The keys of `rootfs.toml`, and of `[tool.rootfs-builder]` in `pyproject.toml`, generated from
[rootfs.schema.json](../rootfs.schema.json). [Recipes](../recipes.md) explains how to use them."""
RULES = """\
[Rules](../rules.md) explains rules and their keys. `rootfs-builder rules --match PROGRAM` shows
which rules act for a program and why, and `--without NAME` stops one."""
EXIT = """\
A failed command leaves the old output as it was. For `build` the code is that of the failed
images, or 1 if they differ. If a signal interrupts a command, the code is 128 plus the signal's
number: 130 for Ctrl-C."""
JSON = """\
Results are printed on stdout, errors on stderr, with an [exit code](exit-codes.md). These commands
have `--json`: {verbs}.

Each run prints one document: a result, or `{{"error": …}}` with the error's `code`, `message`,
`hint`, `paths` and `exit_code`; [Python](../python.md) lists the codes. `--schema` prints the JSON
Schema of what a command prints; for `build`, whose `--schema` is that of recipes, `--schema
--json`."""
SCHEMA = """\
`rootfs-builder build --schema` prints the [schema of recipes](../rootfs.schema.json). Editors with
Taplo use it if this is the first line of `rootfs.toml`:"""
FINDINGS = """\
Messages of `pack` in addition to the result. Each finding has `level` (`added`, `hint`, `warning`),
`code`, `text` and `paths`. The meaning of a code never changes."""
PROVENANCE = """\
A document in the archive that `why` and `inspect` read. It has `schema_version`, the programs, the
findings, and each path in the image with its reasons. It affects no digest, and contains no paths
of the build machine."""


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(text: str) -> str:
    """A help text: paragraphs are wrapped anew, but those that click keeps as they are."""
    paragraphs = []
    for one in text.split("\n\n"):
        if one.startswith("\b"):
            paragraphs.append("```text\n" + one.removeprefix("\b").strip("\n") + "\n```")
        else:
            paragraphs.append(" ".join(one.split()))
    return PARAGRAPH.join(paragraphs)


def cli() -> str:
    """Every verb with its options, from click."""
    parts = [
        "# Command line",
        CLI,
        table(
            ("command", "what it does"),
            [(f"[`{name}`](#{name})", cell(text)) for name, text in VERBS.items()],
        ),
    ]
    for name in VERBS:
        command = import_module(f"rootfs_builder.commands.{name}").command
        ctx = click.Context(command, info_name=name)
        usage = " ".join(command.collect_usage_pieces(ctx))
        parts += [f"## {name}", f"```text\nrootfs-builder {name} {usage}\n```"]
        parts += [prose(command.help or ""), *options(command, ctx)]
        epilog = (command.epilog or "").replace("\b", "").strip()
        if epilog:
            parts.append(f"```text\n{epilog}\n```")
    return PARAGRAPH.join(parts) + "\n"


def options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """The options of a verb, in the groups of its help."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record:
            group = verb.group(param.name or "")
            groups.setdefault(group, []).append((f"`{cell(record[0])}`", cell(record[1])))
    for group in [one for one in verb.GROUPS if one in groups]:
        yield f"**{group}**"
        yield table(("option", "meaning"), groups[group])


def recipe() -> str:
    """The keys of a recipe, from its schema."""
    schema = json.loads((CHECKOUT / "docs/rootfs.schema.json").read_text())["$defs"]
    parts = [
        "# Recipe keys",
        RECIPE,
    ]
    for name, about in schema.items():
        parts.append(f"## {TITLES.get(name, name)}")
        required = about.get("required", [])
        rows = [
            (
                f"`{key}`" + (" (required)" if key in required else ""),
                cell(kind(value)),
                cell(value.get("description", "")),
            )
            for key, value in about["properties"].items()
        ]
        parts.append(table(("key", "type", "meaning"), rows))
    return PARAGRAPH.join(parts) + "\n"


TITLES = {
    "Recipe": "A recipe",
    "Image": "[[image]]: one of several images",
    "Step": "[[step]]: what runs first",
    "StepResult": "An executable that a step makes",
    "AddedResult": "A file or directory that a step makes",
}


def kind(value: dict[str, Any]) -> str:
    """The type of a key."""
    if "$ref" in value:
        return TITLES.get(value["$ref"].rpartition("/")[2], "table").lower()
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(kind(one) for one in value["anyOf"]))
    if value.get("type") == "array":
        return f"array of: {kind(value['items'])}" if "items" in value else "array"
    return {"object": "table"}.get(str(value.get("type")), str(value.get("type", "any")))


def all_rules() -> str:
    """Every rule that comes with the program, from its TOML."""
    parts = [
        "# All rules",
        RULES,
    ]
    rows = []
    for rule in sorted(rules.load(()), key=lambda one: one.name):
        data = msgspec.to_builtins(rule)
        about = data["hint"] or data["because"] or "(see the rules of its file)"
        rows.append((f"`{data['name']}`", cell(about), cell(data["source"])))
    parts.append(table(("rule", "reason or hint", "source"), rows))
    return PARAGRAPH.join(parts) + "\n"


def exit_codes() -> str:
    """What a command ends with."""
    rows = [(str(code), cell(meaning)) for code, meaning in EXIT_CODES.items()]
    return (
        PARAGRAPH.join(
            [
                "# Exit codes",
                table(("code", "meaning"), rows),
                EXIT,
            ]
        )
        + "\n"
    )


def as_json() -> str:
    """What is printed with --json, and the schemas."""
    text = (CHECKOUT / "docs/python.md").read_text()
    known = dict(re.findall(r"(?m)^\| (`[^|]+`) \| (.*) \|$", text))
    meanings = {code: known[keys] for keys in known for code in re.findall(r"`([\w-]+)`", keys)}
    rows = [(f"`{code}`", meanings.get(code.value, "")) for code in Code]
    return (
        PARAGRAPH.join(
            [
                "# JSON output and schemas",
                JSON.format(verbs=", ".join(f"`{name}`" for name in with_json())),
                *schemas(),
                SCHEMA,
                "```toml\n#:schema ./rootfs.schema.json\n```",
                "## Findings",
                FINDINGS,
                table(("code", "meaning"), rows),
                "## rootfs-builder.json",
                PROVENANCE,
            ]
        )
        + "\n"
    )


def with_json() -> Iterator[str]:
    """The verbs that print JSON."""
    for name in VERBS:
        command = import_module(f"rootfs_builder.commands.{name}").command
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        if any("--json" in param.opts for part in parts for param in part.params):
            yield name


def schemas() -> Iterator[str]:
    """The schemas of documents, each by its title."""
    yield "## Schemas"
    lines = []
    for path in sorted((CHECKOUT / "docs").glob("*.schema.json")):
        title = json.loads(path.read_text()).get("title", path.stem)
        lines.append(f"- [{path.name}](../{path.name}): {title}")
    yield "\n".join(lines)


def glossary() -> str:
    """The words of the project, from CONTRIBUTING.md."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text()
    section = text.split("\n## Glossary\n", 1)[1].split("\n## ", 1)[0]
    return f"# Glossary\n{section}"


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli,
    "reference/recipe.md": recipe,
    "reference/rules.md": all_rules,
    "reference/exit-codes.md": exit_codes,
    "reference/json.md": as_json,
    "reference/glossary.md": glossary,
}
