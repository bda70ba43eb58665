"""The text of a shell script → its steps: commands, assignments, conditions, with their words."""

import re
from collections.abc import Container, Iterator

from tree_sitter import Node

from rootfs_builder.needs.importers import syntax
from rootfs_builder.needs.importers.shell import pieces
from rootfs_builder.needs.importers.shell.script import Part, Script, Step, Word

_MOST_DEPTH = 80  # of a text that is nested as nobody writes it

_MOST_SIDES = 30  # of && and ||, each of which is within the next; more are one after another
_MOST_DOCUMENTS = 2000  # here-documents, for which the parser takes time by their square

# What the grammar takes for two words or an error, and the same as it understands it.
_UNBRACED = re.compile(rb"(?<![\\$])\$([A-Za-z_][A-Za-z0-9_]*)")  # in $A/b-$C
_FOR_ARGUMENTS = re.compile(rb"(\bfor[ \t]+\w+)[ \t]+do\b")
_DOCUMENT = re.compile(rb"(?<!<)<<-?[ \t]*(?P<end>[A-Za-z_]\w*)")
_ENDS = re.compile(rb"^\}[ \t]*\n", re.MULTILINE)  # of functions
_SCRIPT = re.compile(rb"#![ \t]*/[\w/]*(?:/|[ \t])(?:ba|da|k|z)?sh\b")  # in a here-document
_FOLLOWING = ("command", "list", "negated_command", "pipeline", "redirected_statement", "subshell")
_BACKQUOTED = re.compile(rb"(?<!\\)`([^`\\]+)`")


def parse(text: bytes, depth: int = 0) -> Script:
    """The steps of a script, which may be within another one."""
    if text.count(b"<<") > _MOST_DOCUMENTS:
        return Script((Step("cut"),), whole=False)
    text = _FOR_ARGUMENTS.sub(rb'\1 in "$@"; do', _UNBRACED.sub(rb"${\1}", text))
    text = _in_documents(text) if b"<<" in text and b"`" in text else text
    root = syntax.parse("bash", text)
    if not root.has_error:
        return Script(tuple(_steps(root, depth)))
    each = (syntax.parse("bash", one) for one in _apart(text))
    return Script(tuple(step for one in each for step in _steps(one, depth)), whole=False)


def _apart(text: bytes) -> Iterator[bytes]:
    """A text in pieces that end with a function: what is wrong in one spoils no other.

    Each has empty lines for those before it.
    """
    begin = 0
    for hit in (*_ENDS.finditer(text), None):
        end = hit.end() if hit is not None else len(text)
        yield b"\n" * text.count(b"\n", 0, begin) + text[begin:end]
        begin = end


def _in_documents(text: bytes) -> bytes:
    """Here-documents with $( ) for backquotes, which the grammar does not know there."""
    lines, end = text.split(b"\n"), b""
    last = {line.strip(b"\t"): at for at, line in enumerate(lines)}
    for at, line in enumerate(lines):
        if end and line.strip(b"\t") == end:
            end = b""
        elif end:
            lines[at] = _BACKQUOTED.sub(rb"$(\1)", line)
        elif (found := _DOCUMENT.search(line)) and last.get(found["end"], at) > at:
            end = found["end"]  # else it is a shift: 1 << x
    return b"\n".join(lines)


def _steps(node: Node, depth: int) -> Iterator[Step]:
    """The steps of a node, or of what it consists of."""
    if depth > _MOST_DEPTH:
        yield Step("cut", syntax.line(node))
        return
    reader = _READERS.get(node.type)
    if reader is not None:
        yield from reader(node, depth + 1)
        return
    for child in node.named_children:
        yield from _steps(child, depth + 1)


def _body(nodes: list[Node], depth: int) -> tuple[Step, ...]:
    return tuple(step for node in nodes if node.is_named for step in _steps(node, depth))


def _command(node: Node, depth: int) -> Iterator[Step]:
    words: list[Word] = []
    for child in node.named_children:
        if child.type == "variable_assignment":
            continue  # for that command alone
        if child.type.endswith("_redirect"):
            yield from _redirect(child, depth)
        elif child.type == "command_name":
            words += (_word(one, depth) for one in child.named_children)
        else:
            words.append(_word(child, depth))
    yield Step("command", syntax.line(node), words=tuple(words))


def _assignment(node: Node, depth: int) -> Iterator[Step]:
    target, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if target is None:
        return
    name = syntax.text(target).partition("[")[0]
    appends = any(child.type == "+=" for child in node.children)
    words: tuple[Word, ...] = ((),)
    if value is not None:
        each = value.named_children if value.type == "array" else [value]
        words = tuple(_word(one, depth) for one in each)
    yield Step("append" if appends else "assign", syntax.line(node), name, words)


def _declaration(node: Node, depth: int) -> Iterator[Step]:
    exports = bool(node.children) and node.children[0].type == "export"
    for child in node.named_children:
        name = ""
        if child.type == "variable_assignment":
            yield from _assignment(child, depth)
            name = next(_assignment(child, depth)).name if child.named_children else ""
        elif child.type == "variable_name":
            name = syntax.text(child)
        if exports and name:
            yield Step("export", syntax.line(node), name)


def _redirected(node: Node, depth: int) -> Iterator[Step]:
    """A command after what its redirections run, and before what follows on the line of `<<`."""
    redirections = [one for one in node.named_children if one.type.endswith("_redirect")]
    commands = [one for one in node.named_children if one not in redirections]
    steps, later = _body(commands, depth), list[tuple[str, Node]]()
    for child in redirections:
        operator = next((one.type for one in child.children if one.type in ("&&", "||")), "")
        if operator:
            later += ((operator, one) for one in child.named_children if one.type in _FOLLOWING)
        yield from _redirect(child, depth, {one.id for _, one in later})
    for operator, one in later:
        kind = "and" if operator == "&&" else "or"
        steps = (Step(kind, syntax.line(node), steps=(steps, _body([one], depth))),)
    yield from steps


def _redirect(node: Node, depth: int, later: Container[int] = ()) -> Iterator[Step]:
    reads = any(child.type == "<" for child in node.children)
    for child in node.named_children:
        if child.type in pieces.KINDS:
            kind = "read" if reads else "word"
            yield Step(kind, syntax.line(node), words=(_word(child, depth),))
        elif child.id not in later:
            yield from _steps(child, depth)


def _document(node: Node, depth: int) -> Iterator[Step]:
    """A here-document: a script, as far as it is one for a shell, or what runs in it."""
    if _SCRIPT.match(node.text or b""):
        before = b"\n" * (syntax.line(node) - 1)
        inner = parse(before + (node.text or b""), depth)
        yield Step("subshell", syntax.line(node), steps=(inner.steps,))
        return
    for child in node.named_children:
        yield from _steps(child, depth)


def _function(node: Node, depth: int) -> Iterator[Step]:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is not None and body is not None:
        yield Step(
            "function",
            syntax.line(node),
            syntax.text(name),
            steps=(_body([body], depth),),
        )


def _if(node: Node, depth: int) -> Iterator[Step]:
    parts: list[list[Node]] = [[]]
    rest: list[Node] = []
    for child in node.children:
        if child.type in ("elif_clause", "else_clause"):
            rest.append(child)
        elif child.type == "then":
            parts.append([])
        else:
            parts[-1].append(child)
    steps = [_body(nodes, depth) for nodes in (*parts, [])[:2]]
    for clause in rest:
        if clause.type == "else_clause":
            steps.append(_body(clause.children, depth))
            continue
        inner = next(_if(clause, depth)).steps
        steps += inner
    yield Step("if", syntax.line(node), steps=tuple(steps))


def _case(node: Node, depth: int) -> Iterator[Step]:
    value = node.child_by_field_name("value")
    patterns: list[tuple[Word, ...]] = []
    bodies: list[tuple[Step, ...]] = []
    for item in node.named_children:
        if item.type == "case_item":
            values = item.children_by_field_name("value")
            patterns.append(tuple(_pattern(one, depth) for one in values))
            known = {one.id for one in values}
            bodies.append(_body([one for one in item.children if one.id not in known], depth))
    words = (_word(value, depth),) if value is not None else ()
    yield Step(
        "case", syntax.line(node), words=words, steps=tuple(bodies), patterns=tuple(patterns)
    )


def _pattern(node: Node, depth: int) -> Word:
    if node.type == "extglob_pattern":
        return (Part("text", syntax.text(node), quoted=False),)
    return _word(node, depth)


def _loop(node: Node, depth: int) -> Iterator[Step]:
    body = node.child_by_field_name("body")
    condition = [one for one in node.children if body is None or one.id != body.id]
    steps = (_body(condition, depth), _body([body] if body is not None else [], depth))
    yield Step("loop", syntax.line(node), steps=steps)


def _for(node: Node, depth: int) -> Iterator[Step]:
    variable, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
    words = tuple(_word(one, depth) for one in node.children_by_field_name("value"))
    name = syntax.text(variable) if variable is not None else ""
    steps = (_body([body] if body is not None else [], depth),)
    yield Step("for", syntax.line(node), name, words, steps)


def _list(node: Node, depth: int) -> Iterator[Step]:
    """Commands with && and ||, which the grammar nests to the left, however many there are."""
    sides: list[tuple[str, Node]] = []
    while node.type == "list":
        operator = next((one.type for one in node.children if one.type in ("&&", "||")), "")
        if not operator or not node.named_children[1:]:
            break
        sides.append((operator, node.named_children[-1]))
        node = node.named_children[0]
    found = _body([node], depth) if sides else _body(node.named_children, depth)
    line = syntax.line(node)
    for _, side in reversed(sides[_MOST_SIDES:]):
        found += _body([side], depth)
    for operator, side in reversed(sides[:_MOST_SIDES]):
        kind = "and" if operator == "&&" else "or"
        found = (Step(kind, line, steps=(found, _body([side], depth))),)
    yield from found


def _around(kind: str, node: Node, depth: int) -> Iterator[Step]:
    yield Step(kind, syntax.line(node), steps=(_body(node.named_children, depth),))


def _negated(node: Node, depth: int) -> Iterator[Step]:
    yield from _around("not", node, depth)


def _subshell(node: Node, depth: int) -> Iterator[Step]:
    yield from _around("subshell", node, depth)


def _test(node: Node, depth: int) -> Iterator[Step]:
    for child in node.named_children:
        yield from _expression(child, depth)


def _expression(node: Node, depth: int) -> Iterator[Step]:
    if node.type == "parenthesized_expression":
        for child in node.named_children:
            yield from _expression(child, depth + 1)
        return
    if node.type == "unary_expression" and node.children[0].type == "!":
        inner = tuple(s for one in node.named_children for s in _expression(one, depth + 1))
        yield Step("not", syntax.line(node), steps=(inner,))
        return
    if node.type not in ("unary_expression", "binary_expression"):
        yield Step("test", syntax.line(node), "-n", (_word(node, depth),))
        return
    operands = [one for one in node.named_children if one.type != "test_operator"]
    operator = next((syntax.text(c) for c in node.children if c not in operands), "")
    if operator in ("&&", "||", "-a", "-o"):
        kind = "and" if operator in ("&&", "-a") else "or"
        sides = tuple(tuple(_expression(one, depth + 1)) for one in operands)
        yield Step(kind, syntax.line(node), steps=sides)
        return
    words = tuple(_pattern(one, depth) for one in operands)
    yield Step("test", syntax.line(node), operator, words)


def _inner(node: Node, depth: int) -> Iterator[Step]:
    """A word where none is expected: what runs in it."""
    yield Step("word", syntax.line(node), words=(_word(node, depth),))


_READERS = {
    "command": _command,
    "variable_assignment": _assignment,
    "declaration_command": _declaration,
    "redirected_statement": _redirected,
    "function_definition": _function,
    "heredoc_body": _document,
    "if_statement": _if,
    "case_statement": _case,
    "while_statement": _loop,
    "for_statement": _for,
    "list": _list,
    "negated_command": _negated,
    "subshell": _subshell,
    "test_command": _test,
    "command_substitution": _inner,
}


def _word(node: Node, depth: int) -> Word:
    return pieces.read(node, depth, _body)
