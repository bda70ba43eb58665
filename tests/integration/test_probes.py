"""Every rule is needed and is enough: tests/probes has a program for each, and two images of it.

Without the rule it fails in the way that its file says, with the rule it passes. What acts by
itself is left out by --without. What is only a hint is asked for by the flag that the hint names,
read from what pack printed. What acts on request alone is asked for by --with. The rule that
comes when all others are done, and may find what one of them would have, is left out as well.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rootfs_builder.needs import rules
from tests.integration import corpus, test_corpus
from tests.integration.programs import image

FOLDER = Path(__file__).parent.parent / "probes"
RULES = {rule.name: rule for rule in rules.load()}
FLAG = re.compile(
    r"(?<![\w-])(--(?:with|without|dlopen) [\w-]+(?:=[\w-]+)?|-e \w+=[\w/+-]+|-u \w+)"
)
LAST = "required-packages"  # the rule that is asked when no other has more to say
AUTOMATIC = ("required", "recommended")  # dlopen notes whose libraries go in by themselves

folder, services = test_corpus.folder, test_corpus.services  # its fixtures


@dataclass(frozen=True, kw_only=True)
class Probe(corpus.Case):
    """One file: a case of the corpus with one run, and these keys."""

    rule: str  # what it is about
    without: str  # a regex, searched in what the failed run says, its exit code first
    also: tuple[str, ...] = ()  # rules that bring the same, and are left out with it
    value: str = ""  # what the rule is asked for, where it needs to be told, or does more when told
    flag: str = ""  # how the flag begins that is tried, where the hint names several
    note: str = ""  # the priority, where the rule is a library that a dlopen note names
    start: tuple[str, ...] = ()  # a command of this machine, not a container; {root} is staged
    pack_options = (*corpus.PACK_OPTIONS, "--sysroot")

    def __post_init__(self):
        super().__post_init__()
        if len(self.run) != 1:
            raise ValueError(f"{self.name}: one run, or it is not known which of them fails")

    @property
    def hints(self):
        """Whether pack tells the user of a flag, and adds nothing."""
        return self.note == "suggested" or bool(self.says)

    @property
    def says(self):
        """The words of the rule's hint, or of what it has more if that is what is tried."""
        rule = RULES.get(self.rule)
        return rule and (rule.hint or (self.value and rule.more))

    @property
    def acts(self):
        """Whether the rule adds by itself what is tried."""
        if self.rule in RULES:
            return bool(RULES[self.rule].evidence) and not self.hints and not self.value
        return self.note in AUTOMATIC


PROBES = corpus.load(FOLDER, Probe)


class Host:
    """Runs what `stage` wrote on this machine, and answers as `engines.Engine` does."""

    def __init__(self, start):
        self._start = start

    def run(self, root, *args, extra=(), silent=False, **options):
        """Run it once; `extra` is docker's."""
        del extra, silent
        words = [corpus.filled(word, {"root": str(root)}) for word in (*self._start, *args)]
        return subprocess.run(words, capture_output=True, check=False, **options)


@pytest.fixture
def attempt(cli, docker, name, tmp_path):
    """Pack a probe with some flags and run it: what pack said, and why the run failed if it did."""

    def failure(ready, engine, loaded):
        try:
            ready.check(engine, loaded)
        except AssertionError as error:
            return str(error)
        return None

    def pack_and_run(ready, *flags):
        options = (*ready.options, *flags)
        start = ready.case.start
        verb, result = ("stage", "root") if start else ("pack", "image.tar")
        out = tmp_path / (result + re.sub(r"\W+", "-", "".join(flags)))
        tag = () if start else ("-t", name)
        done = cli(verb, ready.program, "-o", out, *tag, *options, cwd=ready.folder)
        assert done.returncode == 0, done.stderr
        if start:
            return done.stderr, failure(ready, Host(start), out)
        with image(docker, docker.load(out)) as loaded:
            return done.stderr, failure(ready, docker, loaded)

    return pack_and_run


def hint(probe, said):
    """The hint of a probe's rule, as pack printed it, less the evidence at its end."""
    begins = "libraries of dlopen notes" if probe.note else probe.says
    found = [line for line in said.splitlines() if line.startswith(f"hint: {begins}")]
    assert len(found) == 1, f"not one hint of {probe.rule}: {said}"
    rule = RULES.get(probe.rule)  # a note has none
    ends = r" \([^()]*\)$" if rule is not None and probe.says == rule.hint else "$"
    return found[0] if probe.note else re.split(ends, found[0])[0]


def flags(text):
    """The flags that a hint names."""
    return FLAG.findall(text)


def asked(probe, said):
    """The words for pack with which the probe passes, by the hint in what pack said without."""
    if probe.acts:
        return ()
    if not probe.hints:
        return "--with", f"{probe.rule}={probe.value}" if probe.value else probe.rule
    text = hint(probe, said)
    found = [flag for flag in flags(text) if flag.startswith(probe.flag)]
    assert len(found) == 1, f"not one flag that begins with {probe.flag!r}: {text}"
    option, what = found[0].split(" ", 1)
    if probe.value and "=" not in what:
        what += f"={probe.value}"
    return option, what


def added(said):
    """The rules that added something, of what pack said."""
    line = re.search(r"^rules added (.*) \(-v says why\)$", said, re.MULTILINE)
    return line[1].split(", ") if line else []


def fails_as_it_says(probe, attempt, ready, *options):
    """Pack and run a probe without its rule: what pack said."""
    said, failed = attempt(ready, *options)
    assert failed is not None, f"passes without {probe.rule}\n{said}"
    assert re.search(probe.without, failed), f"fails, but says no {probe.without}: {failed}"
    return said


@pytest.mark.engines
@test_corpus.each(PROBES, every=16)
def test_fails_without_its_rule_and_passes_with_it(case, attempt, folder, services):
    ready = case.ready(folder, {**services, "python": sys.executable})
    left_out = {*case.also, LAST, *([case.rule] if case.acts else [])}
    options = [word for one in sorted(left_out) for word in ("--without", one)]
    bare = fails_as_it_says(case, attempt, ready, *options)
    said, error = attempt(ready, *asked(case, bare))
    assert error is None, f"{error}\n{said}"
    if case.acts:
        assert case.rule in added(said)
        assert case.rule not in added(bare)
    if case.hints:
        assert hint(case, bare) not in said, "the hint stays, though its flag is given"


@pytest.mark.engines
def test_glibc_of_2_34_needs_no_modules_for_files_and_dns(attempt, folder):
    case = next(case for case in PROBES if case.name == "nss-files")
    files = {**case.files, "libc.map": case.files["libc.map"].replace("2.33", "2.34")}
    case = replace(case, files=files)
    fails_as_it_says(case, attempt, case.ready(folder, {}))


def test_the_warning_of_a_missing_library_ends_where_its_flag_leaves_out_the_rule(cc, cli, folder):
    source = "#include <pthread.h>\nint main(void) { pthread_exit(NULL); }"
    cc(source, where=folder)
    root = folder / "root"
    cli("stage", "hello", "-o", root, "--without", "libgcc", cwd=folder, check=True)
    words = ("stage", "hello", "--sysroot", root)
    said = cli(*words, "-o", folder / "1", cwd=folder, check=True).stderr
    (warning,) = [line for line in said.splitlines() if line.startswith("warning: libgcc: ")]
    (flag,) = flags(warning)
    said = cli(*words, "-o", folder / "2", *flag.split(), cwd=folder, check=True).stderr
    assert "warning: " not in said


def speaks_of_docker(rule):
    """Whether a rule's only hint is a flag of docker's, which changes nothing in the image."""
    return bool(rule.hint) and not rule.acts and "docker run" in rule.hint


def test_every_rule_has_a_probe_and_every_probe_a_rule():
    wanted = {rule.name for rule in RULES.values() if not speaks_of_docker(rule)}
    assert {probe.rule for probe in PROBES if not probe.note} == wanted


def test_every_flag_of_every_hint_is_tried():
    for rule in RULES.values():
        if rule.hint and not speaks_of_docker(rule):
            named = set(flags(rule.hint)) | ({f"--with {rule.name}"} if rule.acts else set())
            probes = [probe for probe in PROBES if probe.rule == rule.name]
            tried = {flag for probe in probes for flag in named if flag.startswith(probe.flag)}
            assert named, f"the hint of {rule.name} names no flag"
            assert tried == named
        if rule.more:
            tried = {f"--with {one.rule}={one.value}" for one in PROBES if one.rule == rule.name}
            assert flags(rule.more), f"what {rule.name} has more names no flag"
            assert tried >= set(flags(rule.more))
    assert {probe.note for probe in PROBES if probe.note} == {*AUTOMATIC, "suggested"}
