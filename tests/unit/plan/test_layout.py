"""Where files go in the image (DESIGN §3), on a machine in a directory with its own libc.

People's files on it lie below /home/q7marker: a path of that machine in an image is easy to find.
"""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from rootfs_builder import elf, recipe, temporary
from rootfs_builder.errors import InputError, UsageError
from rootfs_builder.filesystem.content import read
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.filesystem.sources import Sources
from rootfs_builder.filesystem.walk import Walker
from rootfs_builder.image import archives, from_plan
from rootfs_builder.image.archives import sinks
from rootfs_builder.image.store import Store
from rootfs_builder.needs import collector
from rootfs_builder.pipeline import planning
from rootfs_builder.plan import PlanRoot
from rootfs_builder.plan.layout import lay_out
from rootfs_builder.plan.moves import Move, MoveReason
from tests.rule_bench import read_rules, rule

MAIN = "int main(void) { return 0; }"
HOME = "/home/q7marker"


class Machine:
    """A machine in the directory `top`; paths are the machine's."""

    def __init__(self, top, cc):
        self.top = top
        self._cc = cc

    def real(self, path):
        made = self.top / path[1:]
        made.parent.mkdir(parents=True, exist_ok=True)
        return made

    def program(self, path, *needs, rpath=None, args=(), source=MAIN):
        """A program that needs libraries, given by their paths."""
        flags = [] if rpath is None else [f"-Wl,-rpath,{rpath}"]
        libraries = [self.real(one) for one in needs]
        args = ["-Wl,--no-as-needed", *libraries, *flags, *args]
        self._cc(source, name=path[1:], where=self.top, args=args)
        return path

    def library(self, path, *needs, rpath=None, args=()):
        soname = f"-Wl,-soname,{os.path.basename(path)}"
        args = ("-shared", "-fPIC", soname, *args)
        return self.program(path, *needs, rpath=rpath, args=args, source="")

    def file(self, path, text, mode=0o644):
        self.real(path).write_text(text)
        self.real(path).chmod(mode)
        return path

    def link(self, path, target):
        self.real(path).symlink_to(target)
        return path

    def plan(self, *programs, sysroot=None, **options):
        return self.planned(*programs, sysroot=sysroot, **options)[2]

    def planned(self, *programs, sysroot=None, rules=(), **options):
        wanted = recipe.from_options(directory=HOME, executables=programs, **options)
        machine = DirectoryRoot(str(self.top))
        sources = Sources(machine)
        if sysroot is not None:
            sources = Sources(machine, DirectoryRoot(f"{self.top}{sysroot}"), sysroot)
        return (wanted, *planning.plan(wanted, sources, rules=rules))

    def image(self, *programs, **options):
        """Everything that leaves the machine: the archive, and the layer's tar."""
        wanted, _, plan, platform = self.planned(*programs, **options)
        store = Store(io.BytesIO())
        image = from_plan.image(wanted, plan, store, parts=(plan,), platform=platform)
        sink = sinks.Archive(store, temporary.scratch)
        archives.write(image, sink, shape="hybrid", beside={})
        sink.end()
        archive = store.file.getvalue()
        blob = store.blobs[image.layers[0].descriptor.digest]
        return archive + gzip.decompress(archive[blob.offset : blob.offset + blob.size])


@pytest.fixture
def libc(cc):
    """The loader's path in programs, and the libc's."""
    interpreter = elf.read(cc(MAIN, name="probe").read_bytes()).interpreter.decode()
    said = subprocess.run(["gcc", "-print-file-name=libc.so.6"], capture_output=True, check=True)
    return interpreter, os.path.realpath(said.stdout.decode().strip())


@pytest.fixture
def machine(tmp_path, cc, libc):
    made = Machine(tmp_path / "top", cc)
    made.real(HOME).mkdir()
    for path in libc:
        shutil.copy(path, made.real(path))
    return made


def files(plan):
    """Everything but directories, the libc and its loader."""
    return {
        entry.path
        for entry in plan.entries
        if entry.kind != "dir" and not entry.path.rpartition("/")[2].startswith(("ld-", "libc."))
    }


def entry(plan, path):
    return next(one for one in plan.entries if one.path == path)


def warnings(plan):
    return [finding.text for finding in plan.findings if finding.level == "warning"]


@pytest.mark.parametrize("folder", ["/usr/bin", "/opt/x/bin", "/bin", "/etc/x", "/usr/local/bin"])
def test_a_system_program_keeps_its_path(machine, folder):
    plan = machine.plan(machine.program(f"{folder}/prog"))
    assert plan.programs == (f"{folder}/prog",)
    assert files(plan) == {f"{folder}/prog"}


def test_every_link_on_the_way_is_kept_as_it_is(machine):
    machine.program("/usr/bin/prog-1.2")
    machine.link("/usr/bin/prog", "prog-1.2")
    machine.link("/bin", "usr/bin")
    plan = machine.plan("/bin/prog")
    assert plan.programs == ("/usr/bin/prog",)
    assert files(plan) == {"/bin", "/usr/bin/prog", "/usr/bin/prog-1.2"}
    assert entry(plan, "/bin").target == "usr/bin"
    assert entry(plan, "/usr/bin/prog").target == "prog-1.2"


def test_a_program_from_outside_goes_to_usr_local_bin(machine):
    plan = machine.plan(machine.program(f"{HOME}/build/prog"))
    assert plan.programs == ("/usr/local/bin/prog",)
    assert files(plan) == {"/usr/local/bin/prog"}
    assert warnings(plan) == []


def test_two_links_to_one_program_keep_their_names(machine):
    """A program of many commands is told by its name which one it is."""
    machine.program(f"{HOME}/many")
    words = [machine.link(f"{HOME}/{name}", "many") for name in ("ls", "echo")]
    plan = machine.plan(*words)
    assert plan.programs == ("/usr/local/bin/ls", "/usr/local/bin/echo")
    assert entry(plan, "/usr/local/bin/echo").target == "ls"


def test_a_program_from_outside_with_system_libraries_takes_them_in_place(machine, libc):
    library = machine.library(f"{os.path.dirname(libc[1])}/libx.so.1")
    plan = machine.plan(machine.program(f"{HOME}/prog", library))
    assert files(plan) == {"/usr/local/bin/prog", library}


def test_a_directory_that_is_found_through_origin_becomes_opt_name(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    machine.file(f"{HOME}/app/lib/README", "not asked for")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(program)
    assert plan.programs == ("/opt/prog/bin/prog",)
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib/libx.so.1"}


def test_the_directory_is_the_smallest_that_holds_both(machine):
    library = machine.library(f"{HOME}/app/libx.so.1")
    plan = machine.plan(machine.program(f"{HOME}/app/prog", library, rpath="$ORIGIN"))
    assert files(plan) == {"/opt/prog/prog", "/opt/prog/libx.so.1"}


def test_a_linked_private_library_stays_beside_its_file(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    machine.real(library).rename(machine.real(f"{HOME}/app/lib/libx.so.1.2"))
    machine.link(library, "libx.so.1.2")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(program)
    assert files(plan) == {
        "/opt/prog/bin/prog",
        "/opt/prog/lib/libx.so.1",
        "/opt/prog/lib/libx.so.1.2",
    }
    assert entry(plan, "/opt/prog/lib/libx.so.1").target == "libx.so.1.2"


def test_a_linked_private_directory_stays_as_it_is(machine):
    real = machine.library(f"{HOME}/app/lib-1/libx.so.1")
    machine.link(f"{HOME}/app/lib", "lib-1")
    program = machine.program(f"{HOME}/app/bin/prog", real, rpath="$ORIGIN/../lib")
    plan = machine.plan(program)
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib", "/opt/prog/lib-1/libx.so.1"}
    assert entry(plan, "/opt/prog/lib").target == "lib-1"


def test_an_absolute_link_inside_a_private_directory_follows_the_move(machine):
    real = machine.library(f"{HOME}/app/lib-1/libx.so.1")
    machine.link(f"{HOME}/app/lib", f"{HOME}/app/lib-1")
    program = machine.program(f"{HOME}/app/bin/prog", real, rpath="$ORIGIN/../lib")
    plan = machine.plan(program)
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib", "/opt/prog/lib-1/libx.so.1"}
    assert entry(plan, "/opt/prog/lib").target == "/opt/prog/lib-1"


def test_a_link_that_climbs_makes_the_directory_larger(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1.2")
    machine.real(library).rename(machine.real(f"{HOME}/app/lib/real"))
    machine.link(library, "../../app/lib/real")
    program = machine.program(f"{HOME}/app/prog", library, rpath="$ORIGIN/lib")
    assert files(machine.plan(program)) == {
        "/opt/prog/app/prog",
        "/opt/prog/app/lib/libx.so.1.2",
        "/opt/prog/app/lib/real",
    }


def test_origin_of_a_library_is_followed_too(machine):
    inner = machine.library(f"{HOME}/app/plugins/inner/libb.so")
    outer = machine.library(f"{HOME}/app/lib/liba.so", inner, rpath="$ORIGIN/../plugins/inner")
    program = machine.program(
        f"{HOME}/app/bin/prog",
        outer,
        rpath="$ORIGIN/../lib",
        args=[f"-Wl,-rpath-link,{machine.real(inner).parent}"],
    )
    assert files(machine.plan(program)) == {
        "/opt/prog/bin/prog",
        "/opt/prog/lib/liba.so",
        "/opt/prog/plugins/inner/libb.so",
    }


def test_a_private_link_into_the_system_leaves_the_system_in_place(machine, libc):
    system = machine.library(f"{os.path.dirname(libc[1])}/libx.so.1")
    machine.link(f"{HOME}/app/lib/libx.so.1", system)
    program = machine.program(f"{HOME}/app/bin/prog", system, rpath="$ORIGIN/../lib")
    plan = machine.plan(program)
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib/libx.so.1", system}


def test_a_private_directory_may_be_the_root(machine):
    library = machine.library("/srv/libx.so.1")
    program = machine.program(f"{HOME}/prog", library, rpath="$ORIGIN/../../srv")
    assert files(machine.plan(program)) == {"/opt/prog" + program, "/opt/prog/srv/libx.so.1"}


def test_origin_into_the_system_leads_there_in_the_image_too(machine, libc):
    folder = os.path.dirname(libc[1])
    library = machine.library(f"{folder}/libx.so.1")
    program = machine.program(f"{HOME}/prog", library, rpath=f"$ORIGIN/../..{folder}")
    plan = machine.plan(program)
    started = plan.programs[0].rpartition("/")[0]
    walk = Walker(PlanRoot(plan)).walk(f"{started}/../..{folder}/libx.so.1")
    assert walk.node is not None


def test_an_added_link_to_a_program_finds_its_libraries_where_the_program_does(machine):
    """`pack /usr/bin/curl --add /usr/bin/ld`: both find a library, each by a way of its own."""
    library = machine.library("/usr/lib/x/libx.so.1.2")
    link = machine.link("/usr/lib/x/libx.so.1", "libx.so.1.2")
    soname = "/usr/lib/x/build/libx.so.1"  # what programs ask for
    machine.library(soname)
    machine.program("/usr/bin/tool-1", soname, rpath="$ORIGIN/../lib/x")
    machine.link("/usr/bin/tool", "tool-1")
    other = machine.program("/usr/bin/other", soname, rpath="/usr/lib/x")
    there = {link, library, other}
    assert files(machine.plan(other, add=("/usr/bin/tool",))) == {
        *there,
        "/usr/bin/tool",
        "/usr/bin/tool-1",
    }
    for place in ("/usr/bin/else", "/opt/bin/else"):
        plan = machine.plan(other, add=(f"/usr/bin/tool:{place}",))
        assert files(plan) >= {*there, place}
        assert "two different" not in str(plan.findings)


def test_a_library_may_be_added_by_the_name_of_a_link_that_programs_use(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1.2")
    link = machine.link(f"{HOME}/app/lib/libx.so.1", "libx.so.1.2")
    soname = f"{HOME}/build/libx.so.1"
    machine.library(soname)
    program = machine.program(f"{HOME}/app/bin/prog", soname, rpath="$ORIGIN/../lib")
    assert library
    plan = machine.plan(program, add=(f"{link}:/opt/prog/lib/libx.so.1",))
    assert entry(plan, "/opt/prog/lib/libx.so.1").kind == "symlink"
    assert entry(plan, "/opt/prog/lib/libx.so.1.2").kind == "file"


def test_two_programs_of_one_directory_share_it(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    one, two = (
        machine.program(f"{HOME}/app/bin/{name}", library, rpath="$ORIGIN/../lib")
        for name in ("one", "two")
    )
    plan = machine.plan(one, two)
    assert plan.programs == ("/opt/one/bin/one", "/opt/one/bin/two")
    assert files(plan) == {*plan.programs, "/opt/one/lib/libx.so.1"}


def test_two_programs_of_two_directories_do_not(machine):
    programs = [
        machine.program(
            f"{HOME}/{name}/{name}", machine.library(f"{HOME}/{name}/libx.so"), rpath="$ORIGIN"
        )
        for name in ("one", "two")
    ]
    assert machine.plan(*programs).programs == ("/opt/one/one", "/opt/two/two")


def test_two_files_for_one_path_are_an_error_that_names_both(machine):
    one, two = machine.program(f"{HOME}/one/prog"), machine.program(f"{HOME}/two/prog")
    with pytest.raises(InputError, match="/usr/local/bin/prog: two different files") as error:
        machine.plan(one, two)
    assert one in str(error.value)
    assert two in str(error.value)


def test_one_file_named_twice_is_one(machine):
    program = machine.program(f"{HOME}/prog")
    assert machine.plan(program, f"{HOME}/../q7marker/prog").programs == ("/usr/local/bin/prog",)


def test_a_library_of_library_path_goes_to_usr_local_lib_and_is_found_there(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    plan = machine.plan(machine.program(f"{HOME}/prog", library), library_path=("libs",))
    assert "/usr/local/lib/libx.so.1" in files(plan)
    assert files(plan) <= {
        "/usr/local/bin/prog",
        "/usr/local/lib/libx.so.1",
        "/etc/ld.so.cache",
    }


def test_runpath_may_lead_to_what_library_path_led_to(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    program = machine.program(f"{HOME}/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(program, library_path=("libs",))
    assert "/usr/local/lib/libx.so.1" in files(plan)


def test_a_library_of_library_path_in_the_system_keeps_its_path(machine):
    library = machine.library("/opt/libs/libx.so.1")
    plan = machine.plan(machine.program(f"{HOME}/prog", library), library_path=("/opt/libs",))
    assert {library, "/etc/ld.so.cache"} <= files(plan)


def test_links_of_library_path_stay_beside_their_file(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    machine.real(library).rename(machine.real(f"{HOME}/libs/libx.so.1.2"))
    machine.link(library, "libx.so.1.2")
    plan = machine.plan(machine.program(f"{HOME}/prog", library), library_path=("libs",))
    assert entry(plan, "/usr/local/lib/libx.so.1").target == "libx.so.1.2"
    assert entry(plan, "/usr/local/lib/libx.so.1.2").kind == "file"


def test_an_absolute_runpath_that_leads_into_the_system_has_a_warning_too(machine, libc):
    system = machine.library(f"{os.path.dirname(libc[1])}/libx.so.1")
    machine.link(f"{HOME}/libs/libx.so.1", system)
    plan = machine.plan(machine.program(f"{HOME}/prog", system, rpath=f"{HOME}/libs"))
    assert f"{HOME}/libs/libx.so.1" in files(plan)
    assert f"{HOME}/libs/libx.so.1 keeps its path on the host" in " ".join(warnings(plan))


def test_an_absolute_runpath_keeps_its_path_with_a_warning(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    plan = machine.plan(machine.program(f"{HOME}/prog", library, rpath=f"{HOME}/libs"))
    assert files(plan) == {"/usr/local/bin/prog", library}
    (warning,) = warnings(plan)
    assert f"{library} keeps its path on the host" in warning
    assert "/usr/local/bin/prog looks for it there" in warning


def test_an_interpreter_outside_the_system_keeps_its_path_with_a_warning(machine, libc):
    loader = f"{HOME}/ld-x.so"
    shutil.copy(libc[0], machine.real(loader))
    program = machine.program(f"{HOME}/prog", args=[f"-Wl,--dynamic-linker,{loader}"])
    plan = machine.plan(program)
    assert loader in {entry.path for entry in plan.entries}
    assert loader in " ".join(warnings(plan))


@pytest.mark.parametrize("program", ["/usr/bin/prog", f"{HOME}/prog"])
def test_at_says_where_the_program_goes(machine, program):
    plan = machine.plan(machine.program(program), at="/srv/other-name")
    assert plan.programs == ("/srv/other-name",)
    assert files(plan) == {"/srv/other-name"}


def test_at_takes_a_private_directory_along(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(program, at="/srv/bin/prog")
    assert files(plan) == {"/srv/bin/prog", "/srv/lib/libx.so.1"}


def test_at_is_refused_where_the_libraries_would_not_be_found(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    with pytest.raises(UsageError, match=r"--at /srv/prog: .* must end in /bin"):
        machine.plan(program, at="/srv/prog")


def test_a_linked_program_goes_by_the_name_of_the_link(machine):
    machine.program(f"{HOME}/build/prog-1.2")
    plan = machine.plan(machine.link(f"{HOME}/prog", "build/prog-1.2"))
    assert plan.programs == ("/usr/local/bin/prog",)
    assert files(plan) == {"/usr/local/bin/prog"}


def test_a_linked_program_finds_its_directory_from_its_real_place(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(machine.link(f"{HOME}/start", "app/bin/prog"))
    assert plan.programs == ("/opt/start/bin/start",)  # argv[0] can be what decides
    assert entry(plan, "/opt/start/bin/start").target == "prog"
    assert files(plan) == {
        "/opt/start/bin/prog",
        "/opt/start/bin/start",
        "/opt/start/lib/libx.so.1",
    }


def test_a_link_to_a_system_program_keeps_the_name_that_it_is_started_by(machine):
    machine.program("/usr/bin/busybox")
    plan = machine.plan(machine.link(f"{HOME}/ls", "/usr/bin/busybox"))
    assert plan.programs == ("/usr/local/bin/ls",)
    assert entry(plan, "/usr/local/bin/ls").target == "/usr/bin/busybox"


def test_a_link_of_the_same_name_is_the_system_program_itself(machine):
    machine.program("/usr/bin/prog")
    assert machine.plan(machine.link(f"{HOME}/prog", "/usr/bin/prog")).programs == (
        "/usr/bin/prog",
    )


def test_a_link_in_usr_local_bin_becomes_the_program_itself(machine):
    machine.program(f"{HOME}/prog")
    plan = machine.plan(machine.link("/usr/local/bin/prog", f"{HOME}/prog"))
    assert files(plan) == {"/usr/local/bin/prog"}
    assert entry(plan, "/usr/local/bin/prog").kind == "file"


@pytest.mark.parametrize(("at", "place"), [(None, "/usr/local/bin/prog"), ("/srv/x", "/srv/x")])
def test_a_system_link_may_lead_to_a_program_through_a_link_outside(machine, at, place):
    machine.program(f"{HOME}/versions/prog")
    machine.link(f"{HOME}/current", f"{HOME}/versions/prog")
    plan = machine.plan(machine.link("/usr/bin/prog", f"{HOME}/current"), at=at)
    assert plan.programs == (place,)
    assert files(plan) == {place}


def test_a_system_link_to_a_library_outside_keeps_its_path_with_a_warning(machine):
    library = machine.library(f"{HOME}/libx.so.1")
    machine.link("/opt/x/libx.so.1", library)
    plan = machine.plan(machine.program(f"{HOME}/prog", library, rpath="/opt/x"))
    assert library in files(plan)
    assert any(library in text and "RUNPATH" in text for text in warnings(plan))


def test_of_two_library_paths_the_inner_one_counts(machine):
    library = machine.library(f"{HOME}/libs/inner/libx.so.1")
    program = machine.program(f"{HOME}/prog", library)
    plan = machine.plan(program, library_path=("libs", "libs/inner"))
    assert "/usr/local/lib/libx.so.1" in files(plan)


# --- the layout as a value ---


def laid_out(machine, *programs, **options):
    wanted = recipe.from_options(directory=HOME, executables=programs, **options)
    sources = Sources(DirectoryRoot(str(machine.top)))
    closure = collector.collect(wanted, sources, rules=())
    return closure, lay_out(closure, wanted, sources)


@pytest.fixture
def private(machine):
    """A program with a library that it finds through `$ORIGIN`."""
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    return machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")


def test_a_layout_says_where_things_go_and_why(machine, private):
    machine.file(f"{HOME}/data/x", "x")
    closure, layout = laid_out(machine, private, add=("data:/srv/data",))
    (start,), (tree,) = layout.starts, closure.added
    directory = f"{HOME}/app"
    assert start.move == Move(directory, "/opt/prog", directory, MoveReason.ANCHOR)
    assert start.path == layout.path_of(start.program) == "/opt/prog/bin/prog"
    assert layout.trees[tree].move == Move(tree.source, "/srv/data", tree.source, MoveReason.ADDED)
    moved = {layout.file_of(one): move.why for one, move in layout.objects.items()}
    assert moved == {
        "/opt/prog/bin/prog": MoveReason.ANCHOR,
        "/opt/prog/lib/libx.so.1": MoveReason.ANCHOR,
    }


@pytest.mark.parametrize(
    ("options", "why"),
    [({}, MoveReason.OUTSIDE), ({"at": "/srv/prog"}, MoveReason.AT)],
    ids=["outside", "at"],
)
def test_a_program_moves_for_a_reason(machine, options, why):
    (start,) = laid_out(machine, machine.program(f"{HOME}/prog"), **options)[1].starts
    assert start.move.why == why


def test_every_object_is_in_the_plan_where_the_layout_says(machine, private):
    library = machine.library(f"{HOME}/libs/liby.so.1")
    other = machine.program(f"{HOME}/other", library)
    options = {"library_path": ("libs",)}
    closure, layout = laid_out(machine, private, other, **options)
    paths = {one.path for one in machine.plan(private, other, **options).entries}
    objects = [one for _, link_map in closure.processes() for one in link_map.objects]
    assert {layout.file_of(one) for one in objects} <= paths
    assert {move.why for move in layout.objects.values()} >= {
        MoveReason.LIBRARY_PATH,
        MoveReason.OUTSIDE,
    }


def test_a_layout_does_not_change(machine, private):
    _, layout = laid_out(machine, private)
    with pytest.raises(AttributeError):
        layout.starts = ()
    with pytest.raises(TypeError):
        layout.paths["x"] = "/x"


SCENARIOS = {}


def scenario(make):
    SCENARIOS[make.__name__] = make
    return make


@scenario
def plain(machine):
    return machine.image(machine.program(f"{HOME}/prog"))


@scenario
def relative_name(machine):
    machine.program(f"{HOME}/prog")
    return machine.image("../q7marker/./prog")


@scenario
def private_directory(machine):
    library = machine.library(f"{HOME}/app/lib-1/libx.so.1")
    return machine.image(machine.program(f"{HOME}/app/prog", library, rpath="$ORIGIN/lib-1"))


def test_no_absolute_link_of_a_private_directory_reaches_the_image(machine):
    library = machine.library(f"{HOME}/app/lib-1/libx.so.1")
    machine.link(f"{HOME}/app/lib", f"{HOME}/app/lib-1")
    program = machine.program(f"{HOME}/app/prog", library, rpath="$ORIGIN/lib")
    assert b"q7marker" not in machine.image(program)


@scenario
def library_path(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    return machine.image(machine.program(f"{HOME}/prog", library), library_path=(f"{HOME}/libs",))


@scenario
def linked_library_path(machine):
    library = machine.library(f"{HOME}/libs/libx.so.1")
    machine.link(f"{HOME}/more/libx.so.1", f"{HOME}/libs/libx.so.1")
    return machine.image(machine.program(f"{HOME}/prog", library), library_path=("more",))


@scenario
def linked_program(machine):
    machine.program(f"{HOME}/build/prog")
    return machine.image(machine.link(f"{HOME}/other", f"{HOME}/build/prog"))


@scenario
def added_files(machine):
    machine.file(f"{HOME}/data/x/y", "y")
    machine.link(f"{HOME}/data/link", "x/y")
    return machine.image(machine.program(f"{HOME}/prog"), add=("data:/srv/data", "data/x/y:/z"))


@scenario
def script(machine):
    machine.program("/usr/bin/sh")
    return machine.image(machine.file(f"{HOME}/run", "#!/usr/bin/sh\n", 0o755))


@scenario
def outside_of_a_sysroot(machine):
    copy_libc(machine)
    return machine.image(machine.program(f"{HOME}/prog"), sysroot="/home/q7marker-root")


@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS)
def test_no_path_of_the_build_machine_reaches_the_image(machine, make):
    image = make(machine)
    assert b"usr/local/bin" in image or b"opt/" in image
    assert b"q7marker" not in image
    assert os.fsencode(machine.top) not in image


@pytest.mark.parametrize("name", ["ls", "busybox"])
def test_no_link_of_the_build_machine_reaches_the_image(machine, name):
    machine.program("/usr/bin/busybox")
    assert b"q7marker" not in machine.image(machine.link(f"{HOME}/{name}", "/usr/bin/busybox"))


def test_an_added_tree_goes_where_it_is_sent(machine):
    machine.file(f"{HOME}/data/x/y", "y", 0o600)
    machine.file(f"{HOME}/data/run", "#!/bin/sh", 0o700)
    program = machine.program(f"{HOME}/prog")
    plan = machine.plan(program, add=("data:/srv/data",))
    assert files(plan) == {"/usr/local/bin/prog", "/srv/data/x/y", "/srv/data/run"}
    assert entry(plan, "/srv/data/x/y").mode == 0o600
    assert entry(plan, "/srv/data/run").mode == 0o700


def test_a_slash_at_the_end_of_a_place_means_into_it_as_for_copy(machine):
    """Dockerfile reference, COPY: of a directory the content is copied, not it itself."""
    machine.file(f"{HOME}/data/x/y", "y")
    machine.link(f"{HOME}/link", "data")
    program = machine.program(f"{HOME}/prog")
    for add, path in {
        "data:/srv/": "/srv/x/y",
        "link:/srv/": "/srv/x/y",
        "data/:/": "/x/y",
        "data/x/y:/srv/": "/srv/y",
        "data/x/y:/": "/y",
        "./data/x/../x/y:/srv/z": "/srv/z",
    }.items():
        plan = machine.plan(program, add=(add,))
        assert files(plan) == {"/usr/local/bin/prog", path}, add


def test_what_is_added_gets_no_right_that_it_did_not_have(machine):
    modes = {0o664: 0o644, 0o777: 0o755, 0o640: 0o640, 0o400: 0o400, 0o711: 0o711, 0o6755: 0o755}
    for mode in modes:
        machine.file(f"{HOME}/data/{mode:o}", "x", mode)
    plan = machine.plan(machine.program(f"{HOME}/prog"), add=("data:/srv/data",))
    assert {mode: entry(plan, f"/srv/data/{mode:o}").mode for mode in modes} == modes


def test_what_the_user_of_the_image_cannot_read_is_said(machine):
    machine.file(f"{HOME}/data/closed", "x", 0o600)
    machine.file(f"{HOME}/data/open", "x", 0o644)
    program = machine.program(f"{HOME}/prog")
    add = ("data:/srv/data",)
    assert "closed-to-user" not in codes(machine.plan(program, add=add))
    plan = machine.plan(program, add=add, user="1000")
    (said,) = [one for one in plan.findings if one.code == "closed-to-user"]
    assert said.paths == ("/srv/data/closed",)
    assert "--mode /srv/data/closed=0644" in said.text
    for options in ({"owner": ("/srv/data=1000",)}, {"mode": ("/srv/data/closed=0644",)}):
        assert "closed-to-user" not in codes(machine.plan(program, add=add, user="1000", **options))


def test_a_directory_in_which_the_user_of_the_image_may_write_no_more_is_said(machine):
    machine.file(f"{HOME}/data/own/file", "x", 0o666)
    machine.file(f"{HOME}/data/shut/file", "x", 0o666)
    machine.file(f"{HOME}/data/own/more/file", "x", 0o666)
    for one, mode in (("own/more", 0o777), ("own", 0o777), ("shut", 0o755), ("", 0o755)):
        os.chmod(machine.real(f"{HOME}/data/{one}"), mode)
    program, add = machine.program(f"{HOME}/prog"), ("data:/srv/data",)
    for options in ({}, {"user": "1000", "owner": ("/srv/data/own=1000",)}):
        assert "not-writable" not in codes(machine.plan(program, add=add, **options))
    plan = machine.plan(program, add=add, user="1000")
    (said,) = [one for one in plan.findings if one.code == "not-writable"]
    assert said.paths == ("/srv/data/own",)
    assert "--owner /srv/data/own=1000" in said.text


def codes(plan):
    return {one.code for one in plan.findings}


def test_the_inside_of_a_tree_can_go_to_the_root(machine):
    machine.file(f"{HOME}/data/x/y", "y")
    plan = machine.plan(machine.program(f"{HOME}/prog"), add=("data:/.",))
    assert files(plan) == {"/usr/local/bin/prog", "/x/y"}


def test_programs_in_an_added_tree_get_their_libraries(machine, libc):
    system = machine.library(f"{os.path.dirname(libc[1])}/libx.so.1")
    private = machine.library(f"{HOME}/data/lib/liby.so.1")
    machine.program(f"{HOME}/data/bin/tool", system, private, rpath="$ORIGIN/../lib")
    plan = machine.plan(machine.program(f"{HOME}/prog"), add=("data:/srv/data",))
    assert files(plan) == {
        "/usr/local/bin/prog",
        "/srv/data/bin/tool",
        "/srv/data/lib/liby.so.1",
        system,
    }


def test_a_tree_too_deep_for_recursion_is_added_or_refused(machine):
    command = "i=0; while [ $i -lt 1100 ]; do mkdir d && cd -P d || exit; i=$((i+1)); done"
    subprocess.run(["sh", "-c", command], cwd=machine.real(HOME), check=True)
    try:
        plan = machine.plan(machine.program(f"{HOME}/prog"), add=("d:/d",))
        assert "/d" * 1100 in {one.path for one in plan.entries}
    finally:
        subprocess.run(["rm", "-r", machine.real(f"{HOME}/d")], check=True)


def test_a_device_in_an_added_tree_is_refused(machine):
    machine.file(f"{HOME}/data/x", "x")
    os.mkfifo(machine.real(f"{HOME}/data/fifo"))
    with pytest.raises(InputError, match="/data/fifo is a device, FIFO or socket"):
        machine.plan(machine.program(f"{HOME}/prog"), add=("data:/data",))


def test_an_absolute_link_inside_an_added_tree_follows_it(machine):
    machine.file(f"{HOME}/data/x", "x")
    machine.link(f"{HOME}/data/link", f"{HOME}/data/x")
    program = machine.program(f"{HOME}/prog")
    assert entry(machine.plan(program, add=("data:/srv",)), "/srv/link").target == "/srv/x"
    assert b"q7marker" not in machine.image(program, add=("data:/srv",))


def test_an_added_link_that_leads_nowhere_in_the_image_has_a_warning(machine):
    machine.program(f"{HOME}/prog")
    machine.link(f"{HOME}/data/there", f"{HOME}/other/x")
    machine.file(f"{HOME}/other/x", "x")
    plan = machine.plan("prog", add=("data:/srv/data",))
    assert any(f"{HOME}/data/there: a symlink to {HOME}/other/x" in t for t in warnings(plan))
    assert not warnings(machine.plan("prog", add=("data:/srv/data", f"other:{HOME}/other")))


@pytest.mark.parametrize("program", ["prog", "run"])
def test_a_plugin_finds_what_library_path_led_to(machine, program):
    machine.program(f"{HOME}/prog")
    machine.program("/usr/bin/sh")
    machine.file(f"{HOME}/run", "#!/usr/bin/sh\n", 0o755)
    library = machine.library(f"{HOME}/libs/libx.so.1")
    machine.library(f"{HOME}/plugin.so", library)
    plan = machine.plan(program, add=("plugin.so:/srv/plugin.so",), library_path=("libs",))
    assert {"/usr/local/lib/libx.so.1", "/etc/ld.so.cache"} <= files(plan)


def test_the_interpreter_that_env_finds_loads_what_is_added(machine):
    machine.program("/usr/bin/env")
    machine.library(f"{HOME}/node/libx.so.1")
    machine.program("/usr/bin/node", f"{HOME}/node/libx.so.1", rpath="/opt/node/lib")
    machine.real("/opt/node/lib").mkdir(parents=True)
    machine.real(f"{HOME}/node/libx.so.1").rename(machine.real("/opt/node/lib/libx.so.1"))
    machine.library(f"{HOME}/addon.so", "/opt/node/lib/libx.so.1")
    machine.file(f"{HOME}/run", "#!/usr/bin/env node\n", 0o755)
    plan = machine.plan("run", add=("addon.so:/srv/addon.so",))
    assert warnings(plan) == []


def test_a_nul_ends_the_first_line_of_a_script(machine):
    machine.program("/usr/bin/sh")
    script = machine.file(f"{HOME}/run", "#!/usr/bin/sh\0x\n", 0o755)
    assert "/usr/bin/sh" in files(machine.plan(script))


def test_a_scripts_interpreter_is_where_the_script_says(machine):
    interpreter = machine.program(f"{HOME}/bin/sh")
    try:
        plan = machine.plan(machine.file(f"{HOME}/run", f"#!{interpreter}\n", 0o755))
    except InputError:
        return
    assert Walker(PlanRoot(plan)).walk(interpreter).node is not None
    assert interpreter in " ".join(warnings(plan))


def copy_libc(machine):
    """The machine's own system once more, as a sysroot."""
    for name in os.listdir(machine.top):
        if name != "home" and (machine.top / name).is_dir():
            shutil.copytree(
                machine.top / name, machine.real(f"/home/q7marker-root/{name}"), symlinks=True
            )


def test_a_program_inside_a_sysroot_keeps_its_place_there(machine):
    copy_libc(machine)
    machine.program("/home/q7marker-root/usr/bin/prog")
    machine.link("/home/q7marker-root/bin", "usr/bin")
    plan = machine.plan("/home/q7marker-root/bin/prog", sysroot="/home/q7marker-root")
    assert plan.programs == ("/usr/bin/prog",)
    assert "/usr/bin/prog" in files(plan)


def test_a_program_outside_a_sysroot_is_resolved_against_it(machine, libc):
    copy_libc(machine)
    library = machine.library(f"{os.path.dirname(libc[1])}/libx.so.1")
    shutil.copy(machine.real(library), machine.real(f"/home/q7marker-root{library}"))
    machine.real(library).write_text("the machine's own, and broken")
    program = machine.program(f"{HOME}/prog", f"/home/q7marker-root{library}")
    plan = machine.plan(program, sysroot="/home/q7marker-root")
    assert files(plan) == {"/usr/local/bin/prog", library}
    assert entry(plan, library).content.path.startswith(os.fsencode(machine.top / "home"))


def test_a_system_path_of_the_machine_is_outside_of_a_sysroot(machine):
    copy_libc(machine)
    plan = machine.plan(machine.program("/usr/bin/prog"), sysroot="/home/q7marker-root")
    assert files(plan) == {"/usr/local/bin/prog"}


def test_a_private_directory_outside_of_a_sysroot_moves_as_without(machine):
    copy_libc(machine)
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(program, sysroot="/home/q7marker-root")
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib/libx.so.1"}


@pytest.mark.parametrize(
    ("path", "given", "mode"),
    [
        (f"{HOME}/prog", 0o700, 0o755),
        (f"{HOME}/prog", 0o600, 0o755),
        (f"{HOME}/prog", 0o777, 0o755),
        ("/usr/bin/prog", 0o750, 0o750),
        ("/usr/bin/prog", 0o644, 0o755),
        ("/usr/bin/prog", 0o4755, 0o755),
        ("/usr/bin/prog", 0o2711, 0o711),
    ],
)
def test_modes_of_a_program(machine, path, given, mode):
    machine.real(machine.program(path)).chmod(given)
    plan = machine.plan(path)
    assert entry(plan, plan.programs[0]).mode == mode
    dropped = [text for text in warnings(plan) if "set-user-id and set-group-id bits" in text]
    assert len(dropped) == bool(given & 0o6000)


def test_a_program_that_is_not_executable_here_is_said(machine):
    machine.real(machine.program(f"{HOME}/prog")).chmod(0o644)
    (warning,) = warnings(machine.plan(f"{HOME}/prog"))
    assert "is not executable here" in warning


def test_modes_of_outside_files_and_directories_are_not_the_umasks(machine):
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    program = machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    machine.real(library).chmod(0o600)
    machine.real(f"{HOME}/app/lib").chmod(0o700)
    plan = machine.plan(program)
    assert entry(plan, "/opt/prog/lib/libx.so.1").mode == 0o644
    assert entry(plan, "/opt/prog/lib").mode == 0o755


def test_modes_of_system_directories_are_kept(machine):
    program = machine.program("/opt/x/prog")
    machine.real("/opt/x").chmod(0o711)
    assert entry(machine.plan(program), "/opt/x").mode == 0o711


def test_nothing_is_owned_by_anybody(machine):
    program = machine.program(f"{HOME}/prog")
    if os.geteuid() == 0:
        os.chown(machine.real(program), 12, 34)
    assert {(one.uid, one.gid) for one in machine.plan(program).entries} == {(0, 0)}


def test_the_real_command_line_leaves_no_trace_of_where_it_ran(cc, cli, tmp_path):
    cc(MAIN)
    cli("pack", "./hello", "-o", "x.tar", check=True)
    cli("stage", tmp_path / "hello", "-o", "tree", check=True)
    with tarfile.open(tmp_path / "x.tar") as archive:
        blobs = [archive.extractfile(member).read() for member in archive if member.isfile()]
    layers = [gzip.decompress(blob) for blob in blobs if blob.startswith(b"\x1f\x8b")]
    assert layers
    for data in (*blobs, *layers):
        assert os.fsencode(tmp_path.name) not in data
    assert (tmp_path / "tree/usr/local/bin/hello").is_file()
    assert not Path(f"{tmp_path}/tree{tmp_path}").exists()


# --- programs that are added ---


@pytest.fixture
def app(machine):
    """A directory with a program and its library, a script that names it, and links."""
    library = machine.library(f"{HOME}/app/lib/libx.so.1")
    machine.program(f"{HOME}/app/bin/prog", library, rpath="$ORIGIN/../lib")
    machine.link(f"{HOME}/app/bin/link", "prog")
    machine.program("/usr/bin/python3.9")
    machine.link("/usr/bin/python3", "python3.9")
    machine.link(f"{HOME}/app/bin/python", "/usr/bin/python3")
    machine.link(f"{HOME}/app/bin/python3", "python")
    machine.file(f"{HOME}/app/bin/run", f"#!{HOME}/app/bin/python -E\nhello\n", 0o755)
    return f"{HOME}/app"


APP = {
    f"/srv/app/{one}" for one in ("bin/prog", "bin/link", "bin/python", "bin/python3", "bin/run")
}
APP |= {"/srv/app/lib/libx.so.1"}


@pytest.mark.parametrize("name", ["prog", "link"])
def test_a_program_that_is_added_is_started_where_it_is_added(machine, app, name):
    plan = machine.plan(f"{app}/bin/{name}", add=(f"{app}:/srv/app",))
    assert plan.programs == (f"/srv/app/bin/{name}",)
    assert files(plan) - {"/usr/bin/python3"} == APP
    assert {one.code for one in plan.findings if one.level == "warning"} <= {"dangling-symlink"}


def test_a_program_that_is_added_without_its_library_has_a_place_of_its_own(machine, app):
    plan = machine.plan(f"{app}/bin/prog", add=(f"{app}/bin/prog:/srv/prog",))
    assert plan.programs == ("/opt/prog/bin/prog",)
    assert files(plan) == {"/opt/prog/bin/prog", "/opt/prog/lib/libx.so.1", "/srv/prog"}


def test_at_counts_for_a_program_that_is_added_too(machine, app):
    plan = machine.plan(f"{app}/bin/run", add=(f"{app}:/srv/app",), at="/x/run")
    assert plan.programs == ("/x/run",)


@pytest.mark.parametrize("name", ["python", "python3"])
def test_an_added_link_to_a_program_of_the_system_is_started_as_it_is(machine, app, name):
    plan = machine.plan(f"{app}/bin/{name}", add=(f"{app}:/srv/app",))
    assert plan.programs == (f"/srv/app/bin/{name}",)
    assert files(plan) == APP | {"/usr/bin/python3", "/usr/bin/python3.9"}
    assert entry(plan, "/usr/bin/python3").target == "python3.9"


@pytest.mark.parametrize("inside", [True, False])
def test_the_first_line_of_a_script_follows_its_interpreter(machine, app, inside):
    script = f"{app}/bin/run"
    if not inside:
        script = machine.file(f"{HOME}/own", f"#! {app}/bin/python\nhello\n", 0o755)
    plan = machine.plan(script, add=(f"{app}:/srv/app",))
    (place,) = plan.programs
    assert place == ("/srv/app/bin/run" if inside else "/usr/local/bin/own")
    line = "#!/srv/app/bin/python -E\n" if inside else "#! /srv/app/bin/python\n"
    assert read(entry(plan, place).content).decode() == f"{line}hello\n"
    assert {"/usr/bin/python3", "/usr/bin/python3.9"} <= files(plan)
    assert warnings(plan) == []
    reasons = (reason for one in plan.entries for reason in one.reasons)
    assert not any(HOME in f"{reason}" for reason in reasons)


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_the_second_line_follows_too_where_the_first_starts_it(machine, app, quote):
    machine.program("/bin/sh")
    text = "#!/bin/sh\n'''exec' {0}{1}/bin/python{0} \"$0\" \"$@\"\n' '''\n"
    script = machine.file(f"{app}/bin/long", text.format(quote, app), 0o755)
    plan = machine.plan(script, add=(f"{app}:/srv/app",))
    said = read(entry(plan, "/srv/app/bin/long").content).decode()
    assert said == text.format(quote, "/srv/app")
    assert {"/bin/sh", "/usr/bin/python3.9"} <= files(plan)
    assert warnings(plan) == []


def test_env_finds_what_is_added_to_a_directory_of_path(machine, app):
    machine.program("/usr/bin/env")
    script = machine.file(f"{HOME}/own", "#!/usr/bin/env python\n", 0o755)
    env = ("PATH=/srv/app/bin:/usr/bin",)
    plan = machine.plan(script, add=(f"{app}:/srv/app",), env=env)
    assert {"/usr/bin/env", "/usr/bin/python3", "/usr/bin/python3.9"} | APP <= files(plan)
    assert warnings(plan) == []


def test_what_only_looks_like_a_first_line_stays_as_it_is(machine, app):
    text = f"say #!{app}/bin/python\n"
    machine.file(f"{app}/text", text)
    plan = machine.plan(f"{app}/bin/prog", add=(f"{app}:/srv/app",))
    assert read(entry(plan, "/srv/app/text").content).decode() == text


CALLED = read_rules(
    rule(
        'when = { libc = ["glibc"] }\ncopy = ["{home}/mark", "{home}/lib"]\n'
        'landmarks = { home = ["{called}/mark"] }'
    )
)


def test_what_a_rule_finds_by_a_programs_link_moves_with_the_link(machine, app):
    machine.file(f"{app}/mark", "mark")
    plan = machine.plan(f"{app}/bin/python", rules=CALLED)
    assert plan.programs == ("/opt/python/bin/python",)
    moved = {f"/opt/python/{one}" for one in ("bin/python", "mark", "lib/libx.so.1")}
    assert files(plan) == moved | {"/usr/bin/python3.9"}
    assert entry(plan, "/opt/python/bin/python").target == "/usr/bin/python3.9"
    assert warnings(plan) == []


@pytest.mark.parametrize(
    ("add", "place"),
    [((), "/opt/python"), (("app:/srv/app",), "/srv/app")],
    ids=["as it is", "added"],
)
def test_a_program_that_a_link_leads_to_stays_if_things_are_found_by_the_link(machine, add, place):
    own = machine.program(f"{HOME}/pyenv/bin/python3.9")
    machine.file(f"{HOME}/app/mark", f"home = {HOME}/pyenv/bin\n")
    machine.link(f"{HOME}/pyenv/bin/python", "python3.9")
    machine.link(f"{HOME}/app/bin/python", f"{HOME}/pyenv/bin/python")
    plan = machine.plan(f"{HOME}/app/bin/python", rules=CALLED, add=add)
    assert plan.programs == (f"{place}/bin/python",)
    assert {f"{place}/mark", own} <= files(plan)
    assert Walker(PlanRoot(plan)).walk(plan.programs[0]).real == own
    (text,) = warnings(plan)
    assert f"{own} keeps its path on the host, because {place}/bin/python" in text


def test_what_a_rule_finds_by_the_link_that_a_script_names_stays_as_that_does(machine, app):
    machine.file(f"{app}/mark", "mark")
    plan = machine.plan(f"{app}/bin/run", rules=CALLED)
    assert {f"{app}/bin/python", f"{app}/mark", f"{app}/lib/libx.so.1"} <= files(plan)
    (text,) = warnings(plan)
    assert f"{app}/bin/python keeps its path on the host" in text


# --- what a rule finds beside a program ---

BESIDE = read_rules(
    rule(
        'when = { libc = ["glibc"] }\nomit = ["bin"]\ncopy = ["{home}"]\n'
        'landmarks = { home = ["{prefix}/lib/mark"] }'
    )
)


@pytest.fixture
def own(machine):
    """A program with its library in a directory of its own, a plugin with a library in it."""
    prefix = f"{HOME}/own"
    machine.file(f"{prefix}/lib/mark", "mark")
    dependency = machine.library(f"{prefix}/lib/deep/libdeep.so.1")
    machine.library(f"{prefix}/lib/plug.so", dependency, rpath="$ORIGIN/deep")
    return machine.program(f"{prefix}/bin/prog")


INSIDE = ("bin/prog", "lib/mark", "lib/plug.so", "lib/deep/libdeep.so.1")


def placed(directory):
    return {f"{directory}/{one}" for one in INSIDE}


def test_what_a_rule_finds_beside_a_program_moves_with_it(machine, own):
    plan = machine.plan(own, rules=BESIDE)
    assert plan.programs == ("/opt/prog/bin/prog",)
    assert files(plan) == placed("/opt/prog")
    assert warnings(plan) == []


def test_what_a_rule_finds_beside_a_program_may_be_loaded_by_it_already(machine):
    prefix = f"{HOME}/own"
    machine.file(f"{prefix}/lib/mark", "mark")
    library = machine.library(f"{prefix}/lib/libx.so.1")
    own = machine.program(f"{prefix}/bin/prog", library, rpath="$ORIGIN/../lib")
    plan = machine.plan(own, rules=BESIDE)
    assert files(plan) == {f"/opt/prog/{one}" for one in ("bin/prog", "lib/mark", "lib/libx.so.1")}
    assert warnings(plan) == []


def test_what_a_rule_finds_beside_a_program_goes_where_at_says(machine, own):
    assert files(machine.plan(own, rules=BESIDE, at="/srv/x/bin/prog")) == placed("/srv/x")
    with pytest.raises(UsageError, match="must end in /bin"):
        machine.plan(own, rules=BESIDE, at="/srv/x/prog")


def test_what_a_rule_finds_beside_a_system_program_stays(machine, own):
    shutil.copytree(machine.real(own).parents[1], machine.real("/opt/own"))
    assert files(machine.plan("/opt/own/bin/prog", rules=BESIDE)) == placed("/opt/own")


def test_what_a_rule_finds_in_what_is_added_is_there_once(machine, own):
    machine.program(f"{HOME}/other")
    add = (f"{own.removesuffix('/bin/prog')}:/srv/own",)
    plan = machine.plan(f"{HOME}/other", rules=BESIDE, add=add)
    assert files(plan) == {"/usr/local/bin/other"} | placed("/srv/own")


def test_what_a_rule_finds_beside_an_interpreter_stays_as_that_does(machine, own):
    machine.file(f"{HOME}/script", f"#!{own}\n", mode=0o755)
    plan = machine.plan(f"{HOME}/script", rules=BESIDE)
    assert files(plan) == {"/usr/local/bin/script"} | placed(f"{HOME}/own")


# --- what a rule finds beside a script ---

USES = read_rules(
    rule(
        'when = { libc = ["glibc"] }\n'
        "find = { words = ['use (?P<part>[\\w./-]+)'] }\n"
        "copy = ['{script}/{part}.x', '{package}']\n"
        "[one.landmarks]\npackage = ['{script}/{part}/*.x']\n"
        "[[one.follow]]\nfile = ['{script}/{part}.x', '{package}/*.x']\n"
        "text = 'use (?P<part>[\\w./-]+)'\n"
    )
)
FOLDER = f"{HOME}/app"


@pytest.fixture
def folder(machine):
    """An interpreter, and a folder with what scripts in it use."""
    machine.program("/usr/bin/interp")
    texts = {"one.x": "use two\nuse pack\n", "pack/a.x": "use three\n", "pack/deep/b": "b"}
    for name, text in (texts | {f"{one}.x": one for one in ("two", "three", "other")}).items():
        machine.file(f"{FOLDER}/{name}", text)
    return machine


def script_in(machine, path=f"{FOLDER}/run", text="use one\n"):
    return machine.file(path, f"#!/usr/bin/interp\n{text}", mode=0o755)


def beside(plan):
    """The files, less the interpreter, which keeps its place."""
    return files(plan) - {"/usr/bin/interp"}


def test_what_a_rule_finds_beside_a_script_moves_with_it(folder):
    plan = folder.plan(script_in(folder), rules=USES)
    inside = ("run", "one.x", "two.x", "three.x", "pack/a.x", "pack/deep/b")
    assert beside(plan) == {f"/opt/run/{one}" for one in inside}
    assert plan.programs == ("/opt/run/run",)
    assert [why.kind for why in entry(plan, "/opt/run/two.x").reasons] == ["rule"]
    assert b"q7marker" not in folder.image(script_in(folder), rules=USES)


def test_a_script_that_uses_nothing_beside_it_goes_where_programs_go(folder):
    plan = folder.plan(script_in(folder, text="use nothing\n"), rules=USES)
    assert beside(plan) == {"/usr/local/bin/run"}


def test_a_scripts_folder_is_where_links_to_it_lead(folder):
    real = script_in(folder)
    folder.file(f"{HOME}/bin/one.x", "wrong")
    plan = folder.plan(
        folder.link(f"{HOME}/bin/start", os.path.relpath(real, f"{HOME}/bin")), rules=USES
    )
    assert plan.programs == ("/opt/start/start",)
    assert "/opt/start/two.x" in files(plan)
    assert read(entry(plan, "/opt/start/one.x").content) == b"use two\nuse pack\n"


def test_the_directory_that_moves_holds_what_lies_above_a_script(folder):
    plan = folder.plan(script_in(folder, f"{FOLDER}/bin/run", "use ../two\n"), rules=USES)
    assert beside(plan) == {"/opt/run/bin/run", "/opt/run/two.x"}
    assert plan.programs == ("/opt/run/bin/run",)


def test_the_directory_above_a_scripts_is_a_variable_too(folder):
    above = read_rules(
        rule(
            "when = { libc = ['glibc'] }\nfind = { words = ['use (?P<part>\\w+)'] }\n"
            "copy = ['{home}/{part}.x', '/usr/share/{part}']\n"
            "landmarks = { home = ['{above}/{part}.x'] }"
        )
    )
    folder.file("/usr/share/two", "two")
    plan = folder.plan(script_in(folder, f"{FOLDER}/bin/run", "use two\n"), rules=above)
    assert beside(plan) == {"/opt/run/bin/run", "/opt/run/two.x", "/usr/share/two"}
    script_in(folder, "/usr/local/tool/bin/run", "use two\n")
    plan = folder.plan("/usr/local/tool/bin/run", rules=above, at="/srv/go")
    assert beside(plan) == {"/srv/go", "/usr/share/two"}


def test_a_link_beside_a_script_brings_what_it_leads_to(folder):
    folder.file(f"{FOLDER}/shared/real.x", "real")
    folder.link(f"{FOLDER}/link.x", "shared/real.x")
    plan = folder.plan(script_in(folder, text="use link\n"), rules=USES)
    expected = {"/opt/run/run", "/opt/run/link.x", "/opt/run/shared/real.x"}
    assert beside(plan) == expected
    assert entry(plan, "/opt/run/link.x").target == "shared/real.x"


def test_a_link_beside_a_script_leads_nowhere_else(folder):
    folder.file(f"{HOME}/shared/real.x", "real")
    folder.link(f"{FOLDER}/link.x", "../shared/real.x")
    plan = folder.plan(script_in(folder, text="use link\n"), rules=USES)
    assert beside(plan) == {"/usr/local/bin/run"}
    (said,) = [one for one in plan.findings if one.code == "out-of-reach"]
    assert said.paths[0].endswith("/shared/real.x")


def test_what_a_rule_finds_beside_a_script_of_the_system_stays(folder):
    folder.file("/usr/share/tool/one.x", "one")
    folder.link("/usr/bin/tool", "../share/tool/main")
    script_in(folder, "/usr/share/tool/main")
    plan = folder.plan("/usr/bin/tool", rules=USES)
    assert beside(plan) == {"/usr/bin/tool", "/usr/share/tool/main", "/usr/share/tool/one.x"}


def test_two_scripts_of_one_folder_stay_beside_each_other(folder):
    programs = script_in(folder), script_in(folder, f"{FOLDER}/again", "use two\n")
    plan = folder.plan(*programs, rules=USES)
    assert plan.programs == ("/opt/run/run", "/opt/run/again")
    assert "/opt/run/two.x" in files(plan)
    assert not any(path.startswith("/usr/local") for path in files(plan))


def test_what_lies_beside_a_script_that_is_added_follows_that(folder):
    plan = folder.plan(script_in(folder), rules=USES, add=(f"{FOLDER}:/srv/app",))
    assert plan.programs == ("/srv/app/run",)
    assert {path for path in beside(plan) if not path.startswith("/srv/app/")} == set()


def test_at_moves_a_script_with_what_lies_beside_it(folder):
    plan = folder.plan(script_in(folder, text="use two\n"), rules=USES, at="/srv/tool/go")
    assert beside(plan) == {"/srv/tool/go", "/srv/tool/two.x"}
    plan = folder.plan(
        script_in(folder, "/usr/share/tool/main", "use x\n"), rules=USES, at="/srv/tool/go"
    )
    assert beside(plan) == {"/srv/tool/go"}
    folder.file("/usr/share/tool/x.x", "x")
    plan = folder.plan("/usr/share/tool/main", rules=USES, at="/srv/tool/go")
    assert beside(plan) == {"/srv/tool/go", "/srv/tool/x.x"}


def test_a_secret_beside_a_script_is_left_out(folder):
    folder.file(
        f"{FOLDER}/key.x",
        f"-----BEGIN {'PRIVATE'} KEY-----\n"  # this file is no secret itself
        "MC4CAQAwBQYDK2VwBCIEIHRoaXMgaXMgbm8ga2V5OyBhIHRlc3QgbWFkZSBpdCEh\n",
    )
    plan = folder.plan(script_in(folder, text="use key\nuse two\n"), rules=USES)
    assert beside(plan) == {"/opt/run/run", "/opt/run/two.x"}
    assert "key.x was not included" in " ".join(warnings(plan))
