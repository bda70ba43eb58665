"""What the user asks of rules by `--with` and `--without`: does it have a meaning, was it done?"""

from collections.abc import Iterable, Mapping

from rootfs_builder.errors import Mistake, NotFoundError, UsageError
from rootfs_builder.needs.rules.schema import ALL, Rule, Rules
from rootfs_builder.recipe.toml_tables import near

Requested = Mapping[str, tuple[str, ...]]  # of --with: the rule's name → its values


def left_out(rules: Rules, requested: Requested, without: Iterable[str]) -> frozenset[str]:
    """The names that `--without` keeps away: of ALL every rule that `--with` does not name."""
    names = frozenset(without)
    if ALL in names:
        names |= {rule.name for rule in rules} - requested.keys()
    return names


def check(
    rules: Rules, requested: Requested, without: Iterable[str], variables: Mapping[str, str]
) -> None:
    """Whether each `--with` names a rule that is not left out, with a value if it takes one.

    Without one, `variables` of the image may say it.

    Raises:
        UsageError: all that do not.
    """
    by_name = {rule.name: rule for rule in rules}
    mistakes = []
    for name, values in requested.items():
        rule = by_name.get(name)
        if rule is None:
            text = f"no rule of that name{_near(name, by_name)}"
        elif name in without:
            text = f"--without {name} says the opposite"
        elif not rule.acts:
            text = f"it adds nothing: {rule.hint}"
        elif values and not rule.takes_values:
            text = f"the rule {name} takes no value"
            mistakes.append(Mistake("--with", text, f"{name}={','.join(values)}"))
            continue
        elif not values and rule.needs_value(variables):
            text = f"say what: --with {name}=VALUE"
        else:
            continue
        mistakes.append(Mistake("--with", text, name))
    if mistakes:
        raise UsageError(*mistakes)


def rule_named(rules: Rules, name: str, option: str) -> Rule:
    """The rule that `option` names.

    Raises:
        UsageError: there is none of that name.
    """
    for rule in rules:
        if rule.name == name:
            return rule
    names = [rule.name for rule in rules]
    raise UsageError(Mistake(option, f"no rule of that name{_near(name, names)}", name))


def check_without(rules: Rules, without: Iterable[str], noted: set[str]) -> None:
    """Whether each `--without` names a rule, or a library of some dlopen note.

    Raises:
        UsageError: all that do not.
    """
    names = {ALL} | {rule.name for rule in rules} | noted
    unknown = [name for name in without if name not in names]
    if unknown:
        raise UsageError(
            *(
                Mistake("--without", f"no rule of that name{_near(name, names)}", name)
                for name in unknown
            )
        )


def check_done(rules: Rules, requested: Requested, done: set[tuple[str, str]]) -> None:
    """Whether everything that was asked for was there; `done` has (rule, value).

    Raises:
        NotFoundError: all that was not.
    """
    lacking = []
    for rule in rules:
        if rule.name not in requested:
            continue
        acted = {value for name, value in done if name == rule.name}
        words = requested[rule.name]
        wanted = {one: set(rule.values_of(one)) for one in words} or {"": acted}
        for word, values in wanted.items():
            if not acted & values:
                lacking.append(_mistake(rule, word))
    if lacking:
        raise NotFoundError(*lacking)


def _mistake(rule: Rule, word: str) -> Mistake:
    value = f"{rule.name}={word}" if word else rule.name
    sonames = ["" if one.program else " or ".join(one.sonames) for one in rule.finds]
    if sonames and all(sonames):
        text = f"nothing to add, or no program here loads {' or '.join(sonames)}"
    else:
        text = "not on this machine" + (f"; {rule.missing}" if rule.missing else "")
    return Mistake("--with", text, value)


def _near(name: str, names: Iterable[str]) -> str:
    return near(name, names) or "; `rootfs-builder rules` lists them"
