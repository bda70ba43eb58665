"""Names of images: normalised as docker does, refused before an engine would lose them."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rootfs_builder.errors import UsageError
from rootfs_builder.recipe import reference

# distribution/reference, the grammar in its package comment, spelt out once more.
LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
HOST = rf"(?:{LABEL}(?:\.{LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
GRAMMAR = re.compile(rf"{HOST}/{PART}(?:/{PART})*:\w[\w.-]{{0,127}}", re.ASCII)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("hello", "docker.io/library/hello:latest"),
        ("hello:1.0", "docker.io/library/hello:1.0"),
        ("me/hello", "docker.io/me/hello:latest"),
        ("docker.io/hello", "docker.io/library/hello:latest"),
        ("docker.io/me/hello:x", "docker.io/me/hello:x"),
        ("index.docker.io/hello", "docker.io/library/hello:latest"),
        ("localhost/hello", "localhost/hello:latest"),
        ("localhost:5000/hello", "localhost:5000/hello:latest"),
        ("host:5000/a/b/c:T_a-g.1", "host:5000/a/b/c:T_a-g.1"),
        ("ghcr.io/me/hello", "ghcr.io/me/hello:latest"),
        ("[::1]:5000/hello", "[::1]:5000/hello:latest"),
        ("127.0.0.1/hello", "127.0.0.1/hello:latest"),
        ("a/b", "docker.io/a/b:latest"),
        ("a.b_c__d---e", "docker.io/library/a.b_c__d---e:latest"),
        ("hello:" + "t" * 128, "docker.io/library/hello:" + "t" * 128),
        ("hello:_x", "docker.io/library/hello:_x"),
    ],
)
def test_a_name_in_full(text, full):
    assert str(reference.parse(text)) == full
    assert GRAMMAR.fullmatch(full)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a valid image name"),
        ("/hello", "is not a valid image name"),
        ("hello/", "is not a valid image name"),
        ("a//b", "is not a valid image name"),
        ("host.io/", "is not a valid image name"),
        ("-hello", "is not a valid image name"),
        ("hello-", "is not a valid image name"),
        ("a..b", "is not a valid image name"),
        ("a___b", "is not a valid image name"),
        ("a b", "is not a valid image name"),
        ("hel\nlo", "is not a valid image name"),
        ("hello\n", "is not a valid image name"),
        ("h\u00e9llo", "is not a valid image name"),
        ("x" * 250, "is not a valid image name"),
        ("Hello", "must be lowercase: 'hello'"),
        ("me/Hello:Tag", "must be lowercase"),
        ("Localhost/hello", "must be lowercase"),
        ("hello:", "is not a valid tag"),
        ("hello:-x", "is not a valid tag"),
        ("hello:.x", "is not a valid tag"),
        ("hello:a:b", "is not a valid tag"),
        ("hello:a/b", "is not a registry name"),
        ("hello:" + "t" * 129, "is not a valid tag"),
        ("hello:latest\n", "is not a valid tag"),
        ("hello:t\u00e9", "is not a valid tag"),
        ("HOST:5000/hello", "is not a registry name"),
        ("host_x:5000/hello", "is not a registry name"),
        (".host/hello", "is not a registry name"),
        ("host:/hello", "is not a registry name"),
        ("host:port/hello", "is not a registry name"),
        ("https://host/hello", "is not a registry name"),
        ("hello@sha256:" + "0" * 64, "a digest cannot be chosen"),
    ],
)
def test_a_name_that_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        reference.parse(text)


@pytest.mark.parametrize("text", ["a..b/hello", "a.-b/hello", "a-.b/hello"])
def test_a_host_that_no_engine_takes_is_refused(text):
    with pytest.raises(UsageError):
        reference.parse(text)


HOSTS = st.sampled_from(["localhost", "a.b", "x-y.z0", "h:5000", "[::1]:1", "1.2.3.4", "a.b:0"])
PARTS = st.sampled_from(["a", "0", "a.b", "a_b", "a__b", "a---b", "a-b.c_d"])
TAGS = st.sampled_from(["0", "_", "A.b-c_", "x" * 128])
NAMES = st.tuples(HOSTS, st.lists(PARTS, min_size=1, max_size=4).map("/".join), TAGS)


@given(NAMES)
def test_a_full_name_stays_as_it_is(parts):
    text = "{}/{}:{}".format(*parts)
    assert str(reference.parse(text)) == text


@given(st.text("abAB0.-_/:[]@ \n", max_size=20))
def test_what_is_accepted_is_in_the_grammar_and_stays_as_it_is(text):
    try:
        name = reference.parse(text)
    except UsageError:
        return
    assert reference.parse(str(name)) == name
    if not re.search(r"\.[.-]|-\.|\.:", name.domain):  # reported, above
        assert GRAMMAR.fullmatch(str(name))


@given(st.text(max_size=60))
@example("Hello World!.exe")
@example("..--__")
@example("")
@example("a.-_b")
@example("\udcff")
@example("\u0130")
def test_every_file_name_makes_a_name(name):
    made = reference.from_file_name(name)
    assert reference.parse(str(made)) == made


@pytest.mark.parametrize(
    ("name", "repository"),
    [("hello", "hello"), ("My Prog!.sh", "my-prog-sh"), ("a__b", "a_b"), ("...", "image")],
)
def test_a_file_name_stays_as_it_is_where_it_can(name, repository):
    assert reference.from_file_name(name).repository == f"library/{repository}"


def test_a_long_file_name_makes_a_name():
    made = reference.from_file_name("x" * 255)
    assert reference.parse(str(made)) == made
