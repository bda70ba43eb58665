"""What people read of the project → paragraphs: pages, help texts, messages, rules."""

import ast
import re
import tomllib
from dataclasses import dataclass
from importlib import import_module

import click

from rootfs_builder.commands import VERBS
from tests.pages import CHECKOUT, FENCED, PAGES

_RULES = CHECKOUT / "rootfs_builder/needs/rules"
_SAID = ("because", "hint", "more", "missing", "source")
_GENERATED = re.compile(r"(?s)<!-- written by .*?<!-- end -->")  # it quotes other programs
_CODE = re.compile(r"``[^`]+``|`[^`]+`")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, a cell of a table, or a message, on one line."""

    place: str
    text: str


def pages():
    """The paragraphs of the documentation: code, generated tables and quotations aside."""
    for page in PAGES:
        text = _GENERATED.sub("", FENCED.sub("", (CHECKOUT / page).read_text()))
        for part in re.split(r"\n\s*\n|\n(?=\s*[-|#\d])", text):
            for cell in re.split(r"(?<!\\)\|", part) if part.lstrip().startswith("|") else [part]:
                yield Paragraph(str(page), plain(cell))


def plain(text):
    """Text without markup; code is one word that no habit has."""
    without_links = _LINK.sub(r"\1", text)
    line = " ".join(_CODE.sub("CODE", without_links).split())
    return re.sub(r"\*\*|^(#+|-|\d+\.) ", "", line)


def helps():
    """The paragraphs of each verb's `--help`, and its options."""
    for name in VERBS:
        command = import_module(f"rootfs_builder.commands.{name}").command
        texts = [command.help or "", command.short_help or "", VERBS[name]]
        texts += [one.help or "" for one in command.params if isinstance(one, click.Option)]
        for text in texts:
            for part in text.split("\n\n"):
                yield Paragraph(f"{name} --help", " ".join(part.split()))


def rules():
    """The sentences of the rules."""
    for path in sorted(_RULES.glob("*.toml")):
        for name, rule in tomllib.loads(path.read_text()).items():
            for key in _SAID:
                if isinstance(rule.get(key), str):
                    yield Paragraph(f"{path.name}: {name}.{key}", " ".join(rule[key].split()))


def messages():
    """Texts in the program's source, docstrings aside: errors, findings, what commands print."""
    for path in sorted((CHECKOUT / "rootfs_builder").rglob("*.py")):
        tree = ast.parse(path.read_text())
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        inside = {id(part) for node in joined for part in ast.walk(node)}
        skipped = inside | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    getattr(part, "value", "") if isinstance(part, ast.Constant) else "NAME"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = "" if id(node) in skipped else node.value
            else:
                continue
            if " " in text.strip():
                place = f"{path.relative_to(CHECKOUT)}:{node.lineno}"
                yield Paragraph(place, " ".join(text.split()))


SOURCES = {"pages": pages, "help": helps, "rules": rules, "messages": messages}
