"""The patterns of .dockerignore: what Docker documents, and what moby/patternmatcher tests."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootfs_builder.filesystem import patterns
from rootfs_builder.filesystem.patterns import Matcher, Pattern


def left_out(path, *lines, top="/top"):
    found = tuple(patterns.of_lines("\n".join(lines)))
    return Matcher(top, found).leaves_out(f"{top.rstrip('/')}/{path}")


MATCHES = [  # patterns with spaces between, paths that match, paths that do not
    ("a", "a a/b a/b/c", "b b/a ab"),
    ("/a/ ./b", "a a/x b", "c/a"),
    ("*/temp*", "s/temp s/temporary.txt s/tempdir/x", "temp s/t/temp"),
    ("*/*/temp*", "s/t/temporary", "s/temp"),
    ("temp?", "tempa tempb/c", "temp tempab temp/"),
    ("**/*.go", "a.go b/a.go b/c/a.go", "a.goo a.go.x"),
    ("**", "a a/b .x", ""),
    ("a/**", "a/b a/b/c", "a b/a"),
    ("a/**/b", "a/b a/x/b a/x/y/b a/b/c", "a/xb b"),
    ("**/a/b", "a/b x/a/b", "xa/b"),
    ("**/dir2/*", "dir2/f x/dir2/f x/y/dir2/f/g", "dir2"),
    ("**.pyc", "a.pyc b/a.pyc", "a.py"),
    ("**/file", "file dir/file dir/file/x", "filex xfile"),
    ("**/**", "a a/b", ""),
    ("[a-c]x", "ax cx", "dx x"),
    ("[^a-c]x", "dx", "ax /x"),
    ("a[b-d]e[f]", "abef adef", "aaef abeg"),
    (r"a\*b", "a*b", "axb"),
    (r"[\-x]", "- x", "y"),
    ("a.b$c(d)|{e}+", "a.b$c(d)|{e}+", "axb$c(d)|{e}+"),
    ("*.md !README.md", "a.md", "README.md x/README.txt"),
    ("*.md !README*.md README-secret.md", "a.md README-secret.md", "README.md"),
    ("!README.md *.md", "README.md", "x"),
    ("docs !docs/README.md", "docs docs/x", "docs/README.md"),
    ("** !*.txt", "a a/b.txt", "b.txt"),
    ("** !**/*.txt", "a", "b.txt a/b.txt"),
    ("a !a/b a/b/c", "a/x a/b/c", "a/b a/b/d"),
    ("ü*", "üx", "ux"),
    (r"\!a", "!a", "a"),
]


@pytest.mark.parametrize(("lines", "those", "others"), MATCHES, ids=[one[0] for one in MATCHES])
def test_what_patterns_match(lines, those, others):
    assert [one for one in those.split() if not left_out(one, *lines.split())] == []
    assert [one for one in others.split() if left_out(one, *lines.split())] == []


def test_comments_and_empty_lines_are_no_patterns():
    text = "\ufeff# one\n\n  \n .a \n#b\n .\n\\#c\n /\n! d\n"
    assert [*patterns.of_lines(text)] == [Pattern(".a"), Pattern(r"\#c"), Pattern("d", True)]
    assert left_out("#c", r"\#c")


@pytest.mark.parametrize("line", ["[", "a[", "[]", "[]a]", "[^]", "[z-a]", "a\\", "!", "[-]"])
def test_what_is_no_pattern_is_said_with_its_line(line):
    with pytest.raises(ValueError, match=r"^line 2: "):
        [*patterns.of_lines(f"a\n{line}")]


def test_patterns_of_a_file_around_the_tree_start_there_and_never_take_the_tree_itself():
    around = (patterns.parse("app", under="app/"), patterns.parse("app/x", under="app/"))
    matcher = Matcher("/srv/app", around)
    assert not matcher.leaves_out("/srv/app")
    assert not matcher.leaves_out("/srv/app/y")
    assert matcher.leaves_out("/srv/app/x/y")


def test_a_pattern_that_may_match_in_what_was_left_out_is_not_without_effect():
    names = ("a", "b", "a/x/y", "b/x", "**/x", "*/x")
    every = {name: patterns.parse(name) for name in names}
    matcher = Matcher("/", (*every.values(),))
    assert matcher.leaves_out("/a")
    may = {name for name in names if matcher.may_match(every[name])}
    assert may == {"a", "a/x/y", "**/x", "*/x"}


NAME = st.text("ab*?[]\\!#. ü\udc80", min_size=1, max_size=4).filter(lambda n: n.strip(".") != "")


@given(st.lists(NAME, min_size=1, max_size=4))
def test_the_literal_of_a_path_matches_that_alone(parts):
    path = "/".join(parts)
    matcher = Matcher("/", (Pattern(patterns.literal(path)),))
    assert matcher.leaves_out(f"/{path}")
    assert not matcher.leaves_out(f"/{path}x")
    assert not matcher.leaves_out(f"/x{path}")


@given(st.lists(st.text("ab/*?[]^-\\!. ", max_size=6)), st.text("ab/", min_size=1, max_size=6))
def test_what_a_directory_is_what_is_in_it_is_unless_a_later_pattern_takes_it_back(lines, path):
    try:
        found = tuple(patterns.of_lines("\n".join(lines)))
    except ValueError:
        return
    matcher = Matcher("/", found)
    key = os.path.normpath(f"/{path}").replace("//", "/")
    if key != "/" and matcher.leaves_out(key) and not matcher.takes_back:
        assert matcher.leaves_out(f"{key}/x")
