"""What the importer of Ruby makes of each thing that a program can say."""

import pytest

from rootfs_builder.needs.finder import Library, Text, TextKind
from rootfs_builder.needs.importers import opened, ruby
from rootfs_builder.needs.importers.ruby import source
from tests import importing

CORE, VENDOR, HOME = "/usr/lib/ruby/3.3.0", "/usr/lib/ruby/vendor_ruby", "/var/lib/gems/3.3.0"
SCRIPT = "/usr/bin/script"
TREE = {f"{CORE}/set.rb": "", f"{VENDOR}/a.rb": "", f"{VENDOR}/a/b.rb": "", f"{VENDOR}/a/c.so": ""}
SPEC = """
Gem::Specification.new do |s|
  s.name = "%s".freeze
  s.require_paths = ["lib".freeze]
  s.add_runtime_dependency(%%q<%s>.freeze, [">= 1"])
end
"""


def gem(name, needs="none"):
    top = f"{HOME}/gems/{name}-1.0"
    spec = f"{HOME}/specifications/{name}-1.0.gemspec"
    return {
        spec: SPEC % (name, needs),
        f"{top}/lib/{name}.rb": "",
        f"{top}/spec/x_spec.rb": "",
        f"{HOME}/extensions/x86_64-linux/3.3.0/{name}-1.0/{name}.so": "",
    }


def run(text, tree=None, script=SCRIPT, **options):
    root = TREE | {script: f"#!/usr/bin/ruby\n{text}"} | (tree or {})
    made = importing.finder(ruby, root, compiled={"directory": (CORE, VENDOR)}, **options)
    return importing.started(made, script)


@pytest.mark.parametrize(
    "text",
    [
        "require 'a'",
        'require("a/b")',
        "require 'a' rescue nil",
        "autoload :A, 'a'",
        "%w(a x).each { |one| require one }",
        "load 'a.rb'",
    ],
)
def test_a_library_that_is_required_comes_with_its_directory(text):
    assert f"{VENDOR}/a" in run(text)[0]


def test_what_an_extension_may_require_comes():
    """As FigureMaker.so does Dobjects/Dvector; only what is there, and only if it requires."""
    tree = {
        f"{VENDOR}/fast.so": "",
        f"{VENDOR}/a.rb": "",
        f"{VENDOR}/d/e.rb": "",
        f"{VENDOR}/f": "",
    }
    found = {"directory": (CORE, VENDOR), "feature": ("a", "d/e", "none", "set")}
    for symbols, comes in ((("rb_require",), {"a.rb", "d", "d/e.rb"}), ((), set())):
        made = importing.finder(
            ruby,
            {f"{CORE}/set.rb": "", SCRIPT: "#!/usr/bin/ruby\nrequire 'fast'", **tree},
            compiled={**found, "symbols": symbols},
        )
        paths, lines = importing.started(made, SCRIPT)
        assert {one.removeprefix(f"{VENDOR}/") for one in paths} == {"fast.so", *comes}
        assert not lines


@pytest.mark.parametrize("text", ["requires 'a', 'x'", "try_require 'a'", "My.require_if 'a'"])
def test_a_library_that_a_method_of_its_own_may_require_comes(text):
    """As nanoc's filters do. A missing one is not reported; Rails' params.require loads nothing."""
    assert f"{VENDOR}/a" in run(text)[0]
    assert not run(text)[1]
    assert f"{VENDOR}/a" not in run("params.require('a')")[0]


def test_a_program_that_requires_a_library_of_its_own_name():
    text = "$:.unshift File.join(File.dirname(__FILE__), '../lib')\nrequire File.basename(__FILE__)"
    assert f"{VENDOR}/a" in run(text, script="/usr/bin/a")[0]
    assert f"{VENDOR}/a" in run("require File.basename($0, '.rb')", script="/opt/a")[0]


def test_what_is_no_code_is_not_loaded():
    assert run("# require 'a'\n=begin\nrequire 'a'\n=end\n__END__\nrequire 'a'\n")[0] == set()


def test_a_compiled_gem_of_debian_has_its_specification_below_share():
    spec = "/usr/share/rubygems-integration/3.3.0/specifications/pg-1.5.gemspec"
    assert spec in run("gem 'pg'", {spec: SPEC % ("pg", "none"), f"{VENDOR}/pg.rb": ""})[0]


@pytest.mark.parametrize(
    "text", ["require 'g'", "gem 'g'", "load Gem.activate_bin_path('g', 'run', version)"]
)
def test_a_gem_comes_whole_with_those_that_it_depends_on(text):
    found, said = run(text, gem("g", "h") | gem("h"))
    assert said == []
    for name in ("g", "h"):
        assert f"{HOME}/specifications/{name}-1.0.gemspec" in found
        assert f"{HOME}/gems/{name}-1.0/lib" in found
        assert f"{HOME}/extensions/x86_64-linux/3.3.0/{name}-1.0" in found
        assert f"{HOME}/gems/{name}-1.0/spec" not in found


def test_the_program_of_a_gem_is_followed():
    tree = gem("g") | {f"{HOME}/gems/g-1.0/exe/run": "#!/usr/bin/ruby\nrequire 'a'\n"}
    assert f"{VENDOR}/a.rb" in run("load Gem.activate_bin_path('g', 'run', '1')", tree)[0]
    assert f"{VENDOR}/a.rb" not in run("gem 'g'", tree)[0]


def test_gems_of_a_lockfile_come():
    tree = gem("g") | {"/home/u/app/Gemfile.lock": "GEM\n  specs:\n    g (1.0)\n    no (2)\n"}
    found, said = run("require 'bundler/setup'", tree, script="/home/u/app/bin/run")
    assert f"{HOME}/gems/g-1.0/lib" in found
    assert any("/home/u/app/Gemfile.lock, line 4: the gem no was not found" in one for one in said)


def test_a_library_that_is_nowhere_is_a_warning_unless_the_program_goes_on():
    said = run("\nrequire 'nowhere'")[1]
    assert len(said) == 1
    assert f"{SCRIPT}, line 3: the Ruby library nowhere was not found" in said[0]
    for text in (
        "begin\n  require 'nowhere'\nrescue LoadError\nend",
        "require 'nowhere' rescue nil",
        "def x\n  require 'nowhere'\nend",
        "require 'nowhere' if windows",
    ):
        assert run(text)[1] == []


@pytest.mark.parametrize(
    "path",
    [
        "File.expand_path('../lib', __dir__)",
        "File.expand_path('../../lib', __FILE__)",
        "File.join(File.dirname(__FILE__), '..', 'lib')",
        '"#{__dir__}/../lib"',
    ],
)
def test_a_directory_of_the_load_path_by_the_place_of_the_script_is_searched(path):
    tree = {"/opt/app/lib/my.rb": "require_relative 'my/part'", "/opt/app/lib/my/part.rb": ""}
    found, said = run(f"$:.unshift {path}\nrequire 'my'", tree, script="/opt/app/bin/run")
    assert said == []
    assert {"/opt/app/lib/my.rb", "/opt/app/lib/my/part.rb"} <= found


def test_files_by_the_place_of_the_script_come():
    tree = {"/home/u/app/lib/part.rb": "", "/home/u/app/data.yml": "x"}
    text = "require_relative 'lib/part'\nFile.read(File.join(__dir__, 'data.yml'))"
    assert run(text, tree, script="/home/u/app/run")[0] == set(tree)


def test_a_library_for_another_that_may_be_there_is_not_followed():
    tree = {f"{VENDOR}/other.rb": ""}
    assert run("require 'other' if defined?(::Rails)", tree)[0] == set()
    either = "if defined?(X)\n nil\nelsif y\n nil\nelse\n require 'other'\nend"
    assert run(either, tree)[0] == run("require 'other'", tree)[0] != set()


def test_options_require():
    assert f"{VENDOR}/a.rb" in run("", arguments=("-ra", "-e", "1"))[0]
    assert f"{VENDOR}/a.rb" in run("", environment={"RUBYOPT": "-ra"})[0]
    assert f"{VENDOR}/a.rb" in run("", arguments=("-ne", "require 'a'"))[0]


COMMANDS = {"/usr/bin/cat": "x", "/usr/bin/tool": "x", "/bin/sh": "x"}


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("x = `cat #{f}`", {"/usr/bin/cat"}),
        ("x = %x(cat #{f} | tool)", {"/usr/bin/cat", "/usr/bin/tool", "/bin/sh"}),
        ("system('tool', '-x', file)", {"/usr/bin/tool"}),
        ("Open3.capture2('tool -x ' + file)", {"/usr/bin/tool"}),
        ("IO.popen(['cat', file])", {"/usr/bin/cat"}),
        ("exec('tool -x > y')", {"/usr/bin/tool", "/bin/sh"}),
        ("object.system('cat')", set()),
        ("system(given)", {"/bin/sh"}),
        ("Open3.capture3 @given", {"/bin/sh"}),
        ("system(*given)", set()),
        ("system(given, '-x')", set()),
        ("line = ['tool', '-x', file].shelljoin", {"/usr/bin/tool"}),
        ("line = ['tool', 'x'] + ['other', '-x']", set()),
        ('line = %Q(tool --x -o "#{file}")', {"/usr/bin/tool"}),
        ('line = "#{tool} -x other"', set()),
    ],
)
def test_programs_that_a_script_cannot_do_without_come(text, comes):
    owners = {SCRIPT: "own", "/usr/bin/tool": "needed"}
    packages = importing.Packages(owners, {"own": ("needed",)})
    assert run(text, COMMANDS, packages=packages)[0] == comes


def test_a_text_of_its_own_that_seems_to_be_a_command_brings_what_its_package_requires():
    """As svn2git's `git svn init --prefix=`, which a method runs. A utility is on every system.

    What looks for any program is which(1), as in license_finder.
    """
    owners = {SCRIPT: "own", "/usr/bin/tool": "needed", "/usr/bin/far": "far"}
    packages = importing.Packages(owners, {"own": ("needed",)})
    tree = COMMANDS | {"/usr/bin/far": "x"}
    found = run(
        "start('tool part --x=1'); start('cat -x'); start('far -x')", tree, packages=packages
    )
    assert found[0] == {"/usr/bin/tool", "/usr/bin/cat"}
    tree = COMMANDS | {"/usr/bin/which": "x"}
    found = run('start("which #{it}"); start("cat #{it}")', tree, packages=packages)
    assert found[0] == {"/usr/bin/which"}


def test_a_part_of_the_core_library_that_computes_what_it_loads_comes_whole():
    """As irb loads its messages by the user's language; RubyGems loads what is installed."""
    text = "def load(file)\n  Kernel.load(file)\nend"
    tree = {
        f"{CORE}/irb.rb": "require 'irb/locale'",
        f"{CORE}/irb/locale.rb": text,
        f"{CORE}/irb/lc/error.rb": "",
        f"{CORE}/rubygems/locale.rb": text,
        f"{CORE}/rubygems/more.rb": "",
    }
    found = run("require 'irb'; require 'rubygems/locale'", tree)[0]
    assert f"{CORE}/irb" in found
    assert f"{CORE}/rubygems" not in found


def test_what_a_gemspec_says_for_old_rubygems_is_no_dependency():
    """Which know no kinds, and so are told those of its author as all others."""
    say = (
        "Gem::Specification.new do |s|\n  if s.respond_to? :add_runtime_dependency then\n"
        "    s.add_runtime_dependency('a')\n    s.add_development_dependency('b')\n"
        "  else\n    s.add_dependency('a')\n    s.add_dependency('b')\n  end\nend"
    )
    found = source.read(say.encode())
    assert [one.name for one in found if one.kind is source.Kind.GEM] == ["a"]


def test_libraries_that_a_text_quotes_by_their_sonames_are_opened():
    """As ethon's libcurl, by FFI."""
    text = "#!/usr/bin/ruby\nffi_lib ['libcurl', 'libcurl.so.4']\nputs 'see libx.so.1 there'"
    text += "\n# 'liby.so.1'\nX = '/usr/../opt/libz.so.1'"
    text += "\nffi_lib(known + %w(libw.dylib libw.so.1))\ndlopen('libv.so')"
    made = importing.finder(ruby, {SCRIPT: text}, compiled={"directory": (CORE,)})
    needs = made.text(Text(SCRIPT, TextKind.STARTED))
    assert [one.name for one in needs if isinstance(one, Library)] == [
        "libcurl.so.4",
        "libv.so",
        "libw.so.1",
    ]


def test_a_library_of_a_computed_name_is_one_that_the_package_requires(monkeypatch):
    asked = []
    monkeypatch.setattr(opened.unlinked, "of", lambda owner, *_, **__: asked.append(owner) or [])
    owners = importing.Packages({SCRIPT: "own"})
    for text in ("dlopen(name)", "ffi_lib @found", "ffi_lib 'libx.so.1'", "x.diff_lib y"):
        tree = {SCRIPT: f"#!/usr/bin/ruby\n{text}"}
        made = importing.finder(ruby, tree, compiled={"directory": (CORE,)}, packages=owners)
        list(made.text(Text(SCRIPT, TextKind.STARTED)))
    assert asked == ["own", "own"]


def test_a_library_whose_ending_ruby_works_out():
    """As sassc's libsass, by its path."""
    text = '#!/usr/bin/ruby\nffi_lib "/usr/lib/#{arch}/libsass.#{dl_ext}"\nputs "/x/lib.#{y}"'
    made = importing.finder(ruby, {SCRIPT: text}, compiled={"directory": (CORE,)})
    needs = made.text(Text(SCRIPT, TextKind.STARTED))
    assert [one.name for one in needs if isinstance(one, Library)] == ["libsass.so"]
