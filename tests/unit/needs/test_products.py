"""Which rules are for single products: those that help no program that nobody has heard of."""

import tomllib
from pathlib import Path

import pytest

from rootfs_builder.needs import rules

FOLDER = Path(rules.__file__).parent


def names(*files):
    return {name for file in files for name in tomllib.loads((FOLDER / file).read_text())}


PRODUCTS = {rule.name for rule in rules.load() if rule.product}


@pytest.mark.parametrize("file", ["files.toml", "interpreters.toml", "libc.toml", "names.toml"])
def test_what_many_programs_share_is_no_product(file):
    assert not PRODUCTS & names(file)


def test_servers_and_programs_are_products_but_for_what_holds_for_any():
    of_any = {"shell", "command-runner", "decompressors"}  # whoever starts others
    assert names("servers.toml", "programs.toml", "compilers.toml") - PRODUCTS == of_any


def test_a_product_says_so_and_nothing_else_depends_on_it():
    text = '[x]\nbecause = "b"\nsource = "s"\n{}when = {{ text = ["x"] }}\ncopy = ["/x"]\n'
    (plain,), (product,) = (
        rules.read(text.format(one), "x.toml") for one in ("", "product = true\n")
    )
    assert (plain.product, product.product) == (False, True)
    assert plain.evidence == product.evidence
