"""What the importer of Perl makes of each thing that a program can say."""

import pytest

from rootfs_builder.needs.finder import Text, TextKind
from rootfs_builder.needs.importers import perl
from rootfs_builder.needs.importers.perl import source
from rootfs_builder.needs.importers.perl.imports import Kind
from tests import importing

CORE, VENDOR, ARCH = "/usr/share/perl/5.40", "/usr/share/perl5", "/usr/lib/perl5/5.40"
SCRIPT = "/usr/bin/script"
TREE = {f"{CORE}/strict.pm": "package strict; 1;", f"{VENDOR}/A/B.pm": "package A::B; 1;"}


def run(text, tree=None, script=SCRIPT, **options):
    root = TREE | {script: f"#!/usr/bin/perl\n{text}"} | (tree or {})
    compiled = {"inc": (CORE, VENDOR, ARCH)} | options.pop("compiled", {})
    made = importing.finder(perl, root, compiled=compiled, **options)
    return importing.started(made, script)


@pytest.mark.parametrize(
    "text",
    [
        "use A::B;",
        "use A::B 1.0 qw(a b);",
        "no A::B;",
        "require A::B;",
        "use parent qw(A::B);",
        "use base 'A::B';",
        "class My :isa(A::B 1.2);",
        "use Object::Pad; class My :does(A::B) { method m { 1 } }",
        "use Object::Pad; class My; inherit A::B;",
        "use Object::Pad; class My { apply A::B 0.1; }",
        "eval { require A::B };",
        'eval "require A::B" or die;',
        "eval <<END;\nmy \\$x = 1;\nuse A::B;\nEND\nprint 1;",
        'eval <<"END" or die;\nrequire A::B;\nEND\nprint 1;',
        "eval <<'END'; die $@ if $@;\nuse A::B;\nEND\n",
        "require A::B if $x;",
        "use if $] > 5, 'A::B' => 1;",
        "load_class('A::B');",
        "Module::Runtime::use_module('A::B');",
        "my %h = (class => 'A::B');",
        "my @all = qw(A::B C::D);",
        'require "A::$x"; my $y = "A::$z";',
        'require "A/B.pm";',
    ],
)
def test_a_module_that_is_loaded_is_needed(text):
    assert f"{VENDOR}/A/B.pm" in run(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "# use A::B;",
        "=pod\n\nuse A::B;\n\n=cut\n",
        "print <<E;\nuse A::B;\nE\n",
        "__END__\nuse A::B;\n",
    ],
)
def test_what_is_no_code_is_not_loaded(text):
    assert run(text)[0] == set()


def test_what_a_module_loads_is_needed_with_its_library_in_c_and_its_data():
    more = {
        f"{VENDOR}/A/B.pm": "package A::B; use C; 1;",
        f"{VENDOR}/A/B/table.dat": "x",
        f"{ARCH}/C.pm": "package C; 1;",
        f"{ARCH}/auto/C/C.so": "x",
    }
    expected = {f"{VENDOR}/A/B/table.dat", f"{ARCH}/C.pm", f"{ARCH}/auto/C/C.so"}
    assert expected < run("use A::B;", more)[0]


@pytest.mark.parametrize(
    ("symbol", "loads"), [("Perl_load_module", True), ("Perl_sv_setiv", False)]
)
def test_a_library_in_c_that_loads_modules_names_them(symbol, loads):
    more = {f"{ARCH}/C.pm": "package C; 1;", f"{ARCH}/auto/C/C.so": "x"}
    more |= {f"{ARCH}/D/E.pm": "package D::E; 1;", f"{ARCH}/auto/D/E/E.so": "x"}
    compiled = {"module": ("A::B", "D::E", "No::Where"), "symbols": (symbol,)}
    needed, said = run("use C;", more, compiled=compiled)
    assert (f"{VENDOR}/A/B.pm" in needed, said) == (loads, [])


def test_a_module_that_is_nowhere_is_a_warning_unless_the_program_goes_on():
    said = run("use strict;\nuse No::Where;")[1]
    assert len(said) == 1
    assert f"{SCRIPT}, line 3: the Perl module No::Where was not found" in said[0]
    for text in (
        "eval { require No::Where };",
        "require No::Where if $x;",
        "sub f { require No::Where }",
    ):
        assert run(text)[1] == []
    assert run("use No::Where;\npackage No::Where { 1 }")[1] == []


def test_a_directory_of_inc_by_the_place_of_the_script_is_searched():
    tree = {"/opt/app/lib/My.pm": "package My; use Other; 1;", "/opt/app/lib/Other.pm": "1;"}
    for path in (
        '"$FindBin::Bin/../lib"',
        "dirname(__FILE__) . '/../lib'",
        "catdir($Bin, '..', 'lib')",
        "$ENV{LIB} || '/opt/app/lib'",
    ):
        text = f"BEGIN {{ unshift @INC, {path} }}\nuse My;"
        found, said = run(text, tree, script="/opt/app/bin/run")
        assert (found, said) == ({"/opt/app/lib/My.pm", "/opt/app/lib/Other.pm"}, [])


def test_a_folder_of_the_user_comes_whole():
    tree = {"/home/u/app/lib/My.pm": "package My; 1;", "/home/u/app/lib/Lazy.pm": "1;"}
    found, _ = run('use lib "$FindBin::Bin/../lib"; use My;', tree, script="/home/u/app/bin/run")
    assert found == {"/home/u/app/lib"}


def test_no_directory_that_all_share_comes():
    assert run('my $x = "$FindBin::Bin/../share"; my $y = "$FindBin::Bin/..";')[0] == set()
    tree = {"/usr/share/script/table": "x"}
    assert run('my $x = "$FindBin::Bin/../share/script";', tree)[0] == {"/usr/share/script"}


def test_files_of_share_dir_and_programs_that_it_becomes_are_needed():
    share = f"{VENDOR}/auto/share/dist/X-Y"
    assert run("dist_dir('X-Y')", {f"{share}/table": "x"})[0] == {share}
    assert run('exec "/usr/bin/other", @ARGV', {"/usr/bin/other": "x"})[0] == {"/usr/bin/other"}


COMMANDS = {f"/usr/bin/{one}": "x" for one in ("cat", "tool", "other")} | {"/bin/sh": "x"}
PLAIN = {"/usr/bin/tool", "/usr/bin/cat"}
OWNERS = {SCRIPT: "own", "/usr/bin/tool": "needed", "/usr/bin/other": "another"}


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("my $x = `cat $file`;", {"/usr/bin/cat"}),
        ("my @x = qx{tool $x | cat};", {"/usr/bin/tool", "/usr/bin/cat", "/bin/sh"}),
        ('system("tool", "-x", $file);', {"/usr/bin/tool"}),
        ('system "tool -x $file 2>/dev/null";', {"/usr/bin/tool", "/bin/sh"}),
        ('exec "tool", @ARGV;', {"/usr/bin/tool"}),
        ('open(F, "cat $file |") or die;', {"/usr/bin/cat"}),
        ('open(my $f, "-|", "cat", $file);', {"/usr/bin/cat"}),
        ('open F, "| tool -s x";', {"/usr/bin/tool"}),
        ('my $run = "tool --to-$x " . $y; system($run);', {"/usr/bin/tool"}),
        ('my $tool = "tool"; my $run = "$tool -f"; `$run $x`;', {"/usr/bin/tool"}),
        ('open(F, "cat.txt"); open(F, "<", "tool");', set()),
        ('foreach (@ARGV) { $_ = "tool -c $_ |" } while (<>) { }', {"/usr/bin/tool"}),
        ('my $pager = "| tool -rF"; $out->open($pager);', {"/usr/bin/tool"}),
        ('my $table = "tool | cat";', set()),
        ("system($given);", set()),
        ("my @x = qw{tool -x}; push @x, $f; my $y = qx{@x $z};", {"/usr/bin/tool"}),
        ("my @x = ('tool', $f); system @x;", {"/usr/bin/tool"}),
        ("our @x; @x = ('tool', $f); exec(@x, 'y');", {"/usr/bin/tool"}),
        ("my @x = ($tool, 'cat'); system @x;", set()),
        ("run([qw(tool -x), $file], '>', \\my $out);", {"/usr/bin/tool"}),
        ("run ['tool', @ARGV];", {"/usr/bin/tool"}),
        ('capturex("tool", $file);', {"/usr/bin/tool"}),
        ("run('tool'); start(qw(tool x));", set()),
        ("my @tools = ([ 'gz', ['tool', '-cd'] ], ['cat', '-n'], ['cat', 'x']);", PLAIN),
        ('my $run = "tool -x $file";', {"/usr/bin/tool"}),
        ("$main::path_tool = 'tool'; $other = 'cat'; exec $path_tool;", {"/usr/bin/tool"}),
        ("my $run = 'tool ' . $user . q` --command='`;", {"/usr/bin/tool"}),
        ("for my $tool_bin ('tool', qw(none)) { `$tool_bin -x` }", {"/usr/bin/tool"}),
        ("for my $cmd (qw(cat tool)) { find($cmd) }", PLAIN | {"/usr/bin/tool"}),
        ("for my $word ('tool', 'cat') { say $word }", set()),
        (
            '&run("(cd $d; cat $f x)"); sub run { my ($c) = @_; warn $c; system("$c") && die }',
            {"/usr/bin/cat", "/bin/sh"},
        ),
        ("sub go { my $c = shift; `$c`; } go('tool x');", {"/usr/bin/tool"}),
        ("sub show { my ($c) = @_; print $c; system($d) } show('cat x');", set()),
        ('print "other -x $file";', set()),
        ("system('tool . | xargs -n 1 cat');", {"/usr/bin/tool", "/usr/bin/cat", "/bin/sh"}),
        ("system('/usr/bin/xargs -I FILE tool FILE');", {"/usr/bin/tool"}),
        (
            "system('timeout -s KILL 5 tool x; env -u HOME cat');",
            {"/usr/bin/tool", "/usr/bin/cat", "/bin/sh"},
        ),
    ],
)
def test_programs_that_a_script_cannot_do_without_come(text, comes):
    packages = importing.Packages(OWNERS, {"own": ("needed",)})
    assert run(text, COMMANDS, packages=packages)[0] == comes


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        (
            "use Module::Pluggable search_path => ['App::Part'], require => 1;",
            {"App/Part/A.pm", "App/Plugin/B.pm"},
        ),
        ("use Module::Pluggable;", {"App/Plugin/B.pm"}),
        (
            "use Module::Pluggable 1.5 search_path => [__PACKAGE__], require => 1;",
            {"App/Part/A.pm", "App/Plugin/B.pm"},
        ),
        ("use Other::Finder search_path => ['App::Part'];", set()),
    ],
)
def test_where_a_module_looks_for_plugins_all_come(text, comes):
    """As CIL's commands, whose parent is there by its name."""
    tree = {
        f"{VENDOR}/App.pm": f"package App;\n{text}\n1;",
        f"{VENDOR}/App/Part.pm": "1;",
        f"{VENDOR}/App/Part/A.pm": "1;",
        f"{VENDOR}/App/Plugin/B.pm": "1;",
        f"{VENDOR}/Module/Pluggable.pm": "1;",
    }
    found = run("use App;", tree)[0]
    assert {
        one for one in ("App/Part/A.pm", "App/Plugin/B.pm") if f"{VENDOR}/{one}" in found
    } == comes


def test_a_script_is_one_by_its_first_line_whatever_it_is_called():
    """As policy-rc.d-declarative."""
    assert (
        f"{VENDOR}/Mod.pm" in run("use Mod;", {f"{VENDOR}/Mod.pm": ""}, script="/usr/bin/a.b-c")[0]
    )


def test_a_module_that_only_its_own_package_has_where_it_works_out_comes():
    """By a path that the script works out, its directory is one to look in."""
    tree = {"/usr/share/own/lib/X/Y.pm": "use Z;", "/usr/share/own/lib/Z.pm": "1;"}
    owners = dict.fromkeys((SCRIPT, *tree), "own")
    packages = importing.Packages(owners)
    text = "unshift @INC, found(); use X::Y;"
    needs, said = run(text, tree, packages=packages)
    assert {*tree} <= needs
    assert not said
    elsewhere = importing.Packages(owners | dict.fromkeys(tree, "another"))
    assert not {*tree} & run(text, tree, packages=elsewhere)[0]


def test_what_a_module_starts_that_its_own_package_has_or_requires_comes():
    """As Git.pm starts git; what every system has is required by all; gnupg stands for gpg."""
    names = ("tool", "mate", "part", "each", "other")
    module = {f"{VENDOR}/Mod.pm": "".join(f"system('{one}');" for one in names)}
    programs = {f"/usr/bin/{one}": "" for one in names}
    owners = {SCRIPT: "own", f"{VENDOR}/Mod.pm": "mod", "/usr/bin/tool": "mod"}
    owners |= {"/usr/bin/mate": "mate", "/usr/bin/each": "every", "/usr/bin/other": "other"}
    owners |= {"/usr/bin/part": "mate-part"}
    packages = importing.Packages(owners, {"mod": ("mate",), "mate": ("mate-part", "other")})
    root = TREE | module | programs | {SCRIPT: "#!/usr/bin/perl\nuse Mod;"}
    made = importing.finder(perl, root, compiled={"inc": (CORE, VENDOR, ARCH)}, packages=packages)
    assert importing.left_out(made, SCRIPT) == {"/usr/bin/other"}


def test_other_programs_that_it_starts_are_a_hint():
    root = TREE | COMMANDS | {SCRIPT: "#!/usr/bin/perl\nsystem('other -x'); `tool`;"}
    packages = importing.Packages(OWNERS)
    made = importing.finder(perl, root, compiled={"inc": (CORE, VENDOR, ARCH)}, packages=packages)
    assert importing.left_out(made, SCRIPT) == {"/usr/bin/other", "/usr/bin/tool"}


def test_a_file_that_is_required_is_perl_whatever_it_is_called():
    """As algotutor's `utilalgo`; what the script puts on @INC is most often its own directory."""
    tree = {"/usr/share/it/part": "use Near; 1;", "/usr/share/it/Near.pm": "1;"}
    text = "BEGIN { my ($path) = $0 =~ m{(.*/)}; push @INC, $path; }\nrequire 'part';"
    script = "/usr/share/it/it"
    root = TREE | tree | {script: f"#!/usr/bin/perl\n{text}"}
    made = importing.finder(perl, root, compiled={"inc": (CORE, VENDOR, ARCH)})
    assert importing.started(made, script)[0] == {*tree}


def test_a_text_with_a_dash_is_constant():
    tree = {"/usr/lib/it/a-b.pl": "x"}
    text = 'use FindBin qw($Bin); require "$Bin/../lib/it/a-b.pl";'
    assert run(text, tree)[0] == {"/usr/lib/it/a-b.pl"}


def test_a_list_of_names_in_the_core_library_loads_nothing():
    tree = {f"{CORE}/List.pm": "package List; our @all = ('A::B'); 1;"}
    assert run("use List;", tree)[0] == {f"{CORE}/List.pm"}


def test_what_the_core_library_has_for_others_comes_where_somebody_requires_it():
    """As Pod::Perldoc::ToTk uses Tk."""
    tree = {f"{CORE}/Pod/ToTk.pm": "use A::B;"}
    owners = {SCRIPT: "own", f"{CORE}/Pod/ToTk.pm": "perl", f"{VENDOR}/A/B.pm": "more"}
    for needed, comes in (((), False), (("more",), True)):
        packages = importing.Packages(owners, {"own": needed})
        assert (f"{VENDOR}/A/B.pm" in run("use Pod::ToTk;", tree, packages=packages)[0]) is comes
    assert f"{VENDOR}/A/B.pm" in run("use Pod::ToTk; use A::B;", tree, packages=packages)[0]


def test_a_module_of_the_core_library_loads_those_of_its_own_family_by_their_names():
    tree = {
        f"{CORE}/Check/API.pm": """
            package Check::API; sub x { $y->make('Check::Event::Pass') }
            map { require "Check::Kind::$_" } qw(A B); 1;
        """,
        f"{CORE}/Check/Kind/A.pm": "1;",
        f"{CORE}/Check/Event/Pass.pm": "1;",
        f"{CORE}/Other/Event.pm": "1;",
    }
    assert run("use Check::API; 'Other::Event'", tree)[0] == {
        f"{CORE}/Check/API.pm",
        f"{CORE}/Check/Event/Pass.pm",
        f"{CORE}/Check/Kind/A.pm",
    }


def test_modules_whose_names_begin_alike_are_a_family():
    tree = {f"{VENDOR}/A/{one}.pm": "1;" for one in ("On_X", "On_Y", "Off")}
    comes = {f"{VENDOR}/A/On_X.pm", f"{VENDOR}/A/On_Y.pm"}
    assert run('my $c = "A::On_$x"; eval "require $c";', tree)[0] == comes
    assert comes | {f"{VENDOR}/A/Off.pm"} <= run("eval <<END;\nuse A::$x;\nEND\n1;", tree)[0]
    computed = "eval '\n use A::'.$x.';\n A::'.$x.'->new' or die;"
    assert comes | {f"{VENDOR}/A/Off.pm"} <= run(computed, tree)[0]
    either = "my $x; if ($y) { $x = 'Off' } else { $x = 'On_X' }"
    assert comes | {f"{VENDOR}/A/Off.pm"} <= run(either + computed, tree)[0]


def test_libraries_below_a_module_that_loads_some_by_a_computed_name():
    """As Image::ExifTool loads Writer.pl when it writes."""
    module = "package E; sub x { my $file = shift; eval { require $file } }"
    tree = {f"{VENDOR}/E.pm": module, f"{VENDOR}/E/Writer.pl": "1;", f"{VENDOR}/E/list.txt": ""}
    tree |= {f"{CORE}/C.pm": "package C; require $file;", f"{CORE}/C/one.pl": "1;"}
    assert run("use E; use C;", tree)[0] == tree.keys() - {f"{CORE}/C/one.pl"}


def test_of_a_family_come_those_that_the_module_or_the_script_declares():
    """As DBI loads DBD::SQLite, which the package of the script names as needed."""
    tree = {f"{VENDOR}/DB.pm": 'my $d = "DB::By::$name"; eval "require $d";'}
    tree |= {f"{VENDOR}/DB/By/{one}.pm": "1;" for one in ("A", "B", "C")}
    owners = {SCRIPT: "own", f"{VENDOR}/DB.pm": "db"}
    owners |= {f"{VENDOR}/DB/By/{one}.pm": one for one in ("A", "B", "C")}
    packages = importing.Packages(owners, {"own": ("A",), "db": ("B",)})
    comes, _ = run("use DB;", tree, packages=packages)
    assert comes == {f"{VENDOR}/{one}.pm" for one in ("DB", "DB/By/A", "DB/By/B")}
    # What a text only names comes if anything else of its package does.
    tree |= {f"{VENDOR}/C/Main.pm": "1;"}
    owners |= {f"{VENDOR}/C/Main.pm": "C"}
    packages = importing.Packages(owners, {"own": ("A",), "db": ("B",)})
    comes, _ = run("my @l = qw(DB::By::C Other); use C::Main;", tree, packages=packages)
    assert comes == {f"{VENDOR}/C/Main.pm", f"{VENDOR}/DB/By/C.pm"}
    assert run("my @l = qw(DB::By::C Other);", tree, packages=packages)[0] == set()


def test_of_a_family_that_a_module_names_comes_what_the_script_calls():
    """As Plack::Loader loads Plack::Handler::FCGI, where the script says 'FCGI'."""
    tree = {f"{VENDOR}/P/H/{one}.pm": "1;" for one in ("FCGI", "Other")}
    tree |= {f"{VENDOR}/P/L.pm": "sub load { my $s = shift; load_class($s, 'P::H') }"}
    assert run("use P::L; load(engine => 'FCGI');", tree)[0] == tree.keys() - {
        f"{VENDOR}/P/H/Other.pm"
    }


def test_of_a_family_that_a_module_names_comes_what_it_calls_itself():
    """As Plack::Runner applies 'Lint', which is Plack::Middleware::Lint."""
    tree = {f"{VENDOR}/P/M/{one}.pm": "1;" for one in ("Lint", "Other")}
    tree |= {f"{VENDOR}/P/R.pm": "wrap('Lint'); sub wrap { my $s = shift; load_class($s, 'P::M') }"}
    assert run("use P::R;", tree)[0] == tree.keys() - {f"{VENDOR}/P/M/Other.pm"}


@pytest.mark.parametrize("package", ["own", "another"])
@pytest.mark.parametrize("text", ["require_module($m)", 'eval "require $m"'])
def test_a_script_that_loads_what_it_is_told_has_the_modules_of_its_package(package, text):
    """As mrest, whose argument is Web::MREST::Dispatch."""
    tree = {f"{VENDOR}/Own/Dispatch.pm": "use Deep;", f"{VENDOR}/Deep.pm": "1;"}
    owners = {SCRIPT: "own", f"{VENDOR}/Own/Dispatch.pm": package, f"{VENDOR}/Deep.pm": "deep"}
    needs, _ = run(f"my $m = shift; {text};", tree, packages=importing.Packages(owners))
    assert needs == (tree.keys() if package == "own" else set())


@pytest.mark.parametrize("text", ["'Part::One'", "'Other::Part::One'", '"Part::$x"', "'Own::Part'"])
def test_a_module_that_a_name_stands_for_behind_that_of_the_text(text):
    """As Win32::Exe::PE::Header is `PE::Header` in Win32::Exe::PE, and Win32::Exe::Resource::Icon
    `Resource::$class`."""
    tree = {f"{VENDOR}/Own/Kind.pm": f"sub f {{ load({text}) }}"}
    tree |= {f"{VENDOR}/{one}.pm": "1;" for one in ("Own/Part/One", "Part2/One", "One")}
    comes = {f"{VENDOR}/Own/Part/One.pm"} if text in ("'Part::One'", '"Part::$x"') else set()
    assert run("use Own::Kind;", tree)[0] == comes | {f"{VENDOR}/Own/Kind.pm"}
    tree = {f"{VENDOR}/Own.pm": f"sub f {{ load({text}) }}", f"{VENDOR}/Own/Part/One.pm": "1;"}
    assert run("use Own;", tree)[0] == comes | {f"{VENDOR}/Own.pm"}


@pytest.mark.parametrize("call", ["DBI->connect('DBI:db:x=y')", 'DBI->connect("dbi:db:$x", $y)'])
def test_the_driver_of_the_database_that_a_script_connects_to(call):
    """As make_combined_log2, whose package names none."""
    tree = {f"{VENDOR}/DBI.pm": "1;", f"{VENDOR}/DBD/db.pm": "1;", f"{VENDOR}/DBD/other.pm": "1;"}
    owners = {SCRIPT: "own", f"{VENDOR}/DBD/db.pm": "db"}
    found = run(f"use DBI; {call};", tree, packages=importing.Packages(owners, {}))[0]
    assert found == {f"{VENDOR}/DBI.pm", f"{VENDOR}/DBD/db.pm"}


def test_what_the_lines_say_of_a_text_that_the_grammar_misreads():
    """As Sysadm::Install: a substitution with a comment in it seems to have no end."""
    tree = {f"{VENDOR}/{one}.pm": "1;" for one in ("A/B", "C", "D", "E")}
    text = "sub f { s/x{/; }\nuse A::B;\n\n=head1 X\n\nuse C;\n\n=cut\n\n  require D;\n}}\n"
    assert run(f"{text}__END__\nuse E;", tree)[0] == {f"{VENDOR}/A/B.pm", f"{VENDOR}/D.pm"}


def test_a_tool_that_a_module_of_the_scripts_package_loads_comes():
    """As pm-uninstall asks Module::CoreList on occasion: to others that is a tool."""
    tree = {f"{VENDOR}/Own.pm": "sub f { require TAP::Parser; }", f"{VENDOR}/TAP/Parser.pm": "1;"}
    owners = {SCRIPT: "own", f"{VENDOR}/Own.pm": "own", f"{VENDOR}/TAP/Parser.pm": "perl"}
    packages = importing.Packages(owners, {})
    assert run("use Own;", tree, packages=packages)[0] == tree.keys()
    packages = importing.Packages(owners | {f"{VENDOR}/Own.pm": "other"}, {})
    assert run("use Own;", tree, packages=packages)[0] == {f"{VENDOR}/Own.pm"}


def test_a_file_of_a_program_s_own_directory_comes_with_the_data_there():
    tree = {f"{VENDOR}/it/app.pl": "1;", f"{VENDOR}/it/home": "x", f"{VENDOR}/it/more.pl": "1;"}
    assert run('require "it/app.pl";', tree)[0] == {f"{VENDOR}/it/app.pl", f"{VENDOR}/it/home"}


def test_options_load_modules():
    assert run("", arguments=("-MA::B", "-e", "1"))[0] == {f"{VENDOR}/A/B.pm"}
    assert run("", environment={"PERL5OPT": "-MA::B"})[0] == {f"{VENDOR}/A/B.pm"}
    assert run("", {"/x/M.pm": "1;"}, arguments=("-I/x", "-lne", "use M;"))[0] == {"/x/M.pm"}
    assert run("", {"/x/M.pm": "1;"}, environment={"PERL5LIB": "/x"}, arguments=("-MM",))[0] == {
        "/x/M.pm"
    }


def test_what_the_user_adds_is_there():
    tree = {"/srv/lib/My.pm": "package My; use Other; 1;", "/srv/lib/Other.pm": "1;"}
    root = TREE | tree
    made = importing.finder(perl, root, compiled={"inc": (CORE,)}, added=tuple(tree))
    needs = [*made.text(Text("/srv/lib/My.pm", TextKind.ADDED))]
    assert importing.split(needs) == (set(), [])


def test_a_configuration_names_modules():
    conf = "# load No::Comment\nload A::B\nplugin=C::XS;\nan Unknown::One, cc::d"
    tree = {f"{VENDOR}/C/XS.pm": "1;", "/etc/tool/x.pre": conf, "/usr/share/x.txt": conf}
    made = importing.finder(perl, TREE | tree, compiled={"inc": (CORE, VENDOR)})
    paths, said = importing.split(made.text(Text("/etc/tool/x.pre", TextKind.BROUGHT)))
    assert (paths, said) == ({f"{VENDOR}/A/B.pm", f"{VENDOR}/C/XS.pm"}, [])
    assert importing.split(made.text(Text("/usr/share/x.txt", TextKind.BROUGHT))) == (set(), [])


def test_other_languages_are_not_read():
    root = TREE | {
        "/x.py": "use A::B;",
        "/x": "#!/bin/sh\nuse A::B;",
        "/x.pl": "#!/usr/bin/swipl\n",
    }
    made = importing.finder(perl, root, compiled={"inc": (CORE,)})
    for path in ("/x.py", "/x", "/x.pl"):
        assert [*made.text(Text(path, TextKind.ADDED))] == []


def test_a_name_is_kept_once_where_the_program_does_not_go_on():
    found = source.read(b"eval { require A };\nuse A;\nuse A;")
    assert [(one.kind, one.name, one.line, one.guarded) for one in found] == [
        (Kind.MODULE, "A", 2, False)
    ]


def test_modules_below_one_that_has_their_last_names_as_words():
    tree = {f"{VENDOR}/{path}.pm": "1;" for path in ("C/XS", "C/PP", "C/Other")}
    text = "my $l = loader(implementations => [ 'XS', 'PP' ], how => 'Otherwise');"
    found = run("use C;", tree | {f"{VENDOR}/C.pm": text})[0]
    assert found == {f"{VENDOR}/{path}.pm" for path in ("C", "C/XS", "C/PP")}


def test_what_one_tool_loads_of_another_comes():
    """As ExtUtils::Command::MM runs tests; no program tests for its ordinary work."""
    tree = {
        f"{CORE}/ExtUtils/Command/MM.pm": "sub t { require Test::Harness; }",
        f"{CORE}/Test/Harness.pm": "1;",
        f"{VENDOR}/Mod.pm": "sub t { require Test::Harness; }",
    }
    harness = f"{CORE}/Test/Harness.pm"
    assert harness in run("use ExtUtils::Command::MM;", tree)[0]
    assert harness not in run("use Mod;", tree)[0]


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        ("$p = $Config{'pager'}; system $p, $path", "/usr/bin/pager"),
        ('system "cat $path | $Config::Config{pager}"', "/usr/bin/pager"),
        ("system $Config{unknown}", None),
        ("system '/usr/bin/pager \4'", "/usr/bin/pager"),
    ],
)
def test_a_value_of_perls_own_configuration(text, comes):
    heavy = "local *_ = \\my $a;\n$_ = <<'!END!';\npager='/usr/bin/pager'\n"
    tree = {f"{CORE}/Config_heavy.pl": heavy, "/usr/bin/pager": ""}
    found = run(f"use Config;\n{text};", tree, packages=importing.Packages())[0]
    assert found - {"/bin/sh"} == ({comes} if comes else set())
