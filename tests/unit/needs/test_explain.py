"""What is said of a rule afterwards is what it did."""

import pytest

from rootfs_builder import recipe
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.needs import collector, rules
from rootfs_builder.needs.rules.explain import explain

RULES = rules.load()


@pytest.mark.parametrize(
    "program", ["/usr/bin/env", pytest.param("/usr/bin/perl", marks=pytest.mark.long)]
)
def test_the_explanations_of_all_rules_agree_with_what_they_did(program):
    wanted = recipe.from_options(directory="/", executables=(program,), user="nonroot")
    sources = Sources(DirectoryRoot())
    closure = collector.collect(wanted, sources, rules=RULES)
    applied = {one.rule for one in closure.supply.applied}
    brought = {tree.rule for tree in closure.supply.trees}
    found = {rule.name: explain(rule, wanted, sources, closure, RULES) for rule in RULES}
    assert {name for name, one in found.items() if one.acts} >= applied
    assert {name for name, one in found.items() if any(seen.holds for seen in one.seen)} >= applied
    for name in brought - {rule.name for rule in RULES if rule.finder}:
        taken = {one.outcome for one in found[name].tried if one.key in ("copy", "locale")}
        assert "taken" in taken, name
    assert all(not one.added.trees for name, one in found.items() if name not in brought)
