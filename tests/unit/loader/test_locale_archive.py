"""The reader of locale archives against localedef and setlocale; archives made to hurt."""

import contextlib
import os
import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootfs_builder.errors import InputError
from rootfs_builder.filesystem.root import DirectoryRoot
from rootfs_builder.loader import locale_archive
from tests.elf_files import Metered

LOCALES = [  # source, charmap, name
    ("de_DE", "UTF-8", "de_DE.UTF-8"),
    ("de_DE@euro", "ISO-8859-15", "de_DE@euro"),
    ("nb_NO", "ISO-8859-1", "nb_NO"),
    ("ja_JP", "EUC-JP", "ja_JP.EUC-JP"),
]
NAMES = [name for _, _, name in LOCALES]
FILES = (
    *("LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY"),
    *("LC_MESSAGES/SYS_LC_MESSAGES", "LC_PAPER", "LC_NAME", "LC_ADDRESS"),
    *("LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION"),
)
PLACE = "usr/lib/locale"

pytestmark = pytest.mark.xdist_group("locales")  # they share what is slow to make


def localedef(prefix, *args):
    os.makedirs(prefix / PLACE, exist_ok=True)
    command = ["localedef", *args[:-1], f"--prefix={prefix}", args[-1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def compile_locale(prefix, source, charmap, name, *args):
    localedef(prefix, "-i", source, "-f", charmap, *args, name)


def listed(prefix):
    command = ["localedef", "--list-archive", f"--prefix={prefix}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def archive(prefix):
    return (prefix / PLACE / "locale-archive").read_bytes()


def files_in(directory):
    found = {}
    for here, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(here, name)
            with open(path, "rb") as stream:
                found[os.path.relpath(path, directory)] = stream.read()
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with an archive of LOCALES in `one`, and with each in a directory in `many`."""
    if not shutil.which("localedef") or not os.path.exists("/usr/share/i18n/locales/de_DE"):
        pytest.skip("there is nothing to make locales of: apt install locales")
    folder = tmp_path_factory.mktemp("locales")
    aliases = folder / "locale.alias"
    aliases.write_text("german\tde_DE.UTF-8\nbokmal nb_NO.ISO-8859-1\n")
    for source, charmap, name in LOCALES:
        compile_locale(folder / "one", source, charmap, name, "-A", aliases)
        # With a slash in it, the name is a path.
        directory = f"{folder}/many/{PLACE}/{name}"
        compile_locale(folder / "many", source, charmap, directory, "--no-archive")
    return folder


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_locale_has_the_files_that_localedef_makes_without_an_archive(made, name):
    expected = files_in(made / "many" / PLACE / name)
    assert set(expected) == set(FILES)
    assert locale_archive.read(archive(made / "one"), name) == expected


def test_an_archive_of_a_root_is_read_where_it_is(made):
    source = DirectoryRoot(str(made / "one")).open(f"/{PLACE}/locale-archive")
    with source.open() as content:
        found = locale_archive.read(content, "de_DE.UTF-8")
    assert found == files_in(made / "many" / PLACE / "de_DE.UTF-8")


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("de_DE.utf8", "de_DE.UTF-8"),
        ("de_DE.Utf_8", "de_DE.UTF-8"),
        ("german", "de_DE.UTF-8"),
        ("nb_NO.ISO-8859-1", "nb_NO"),
        ("nb_NO.8859-1", "nb_NO"),
        ("bokmal", "nb_NO"),
        ("de_DE.iso885915@euro", "de_DE@euro"),
        ("ja_JP.eucJP", "ja_JP.EUC-JP"),
    ],
)
def test_names_that_glibc_takes_for_the_same_are_the_same(made, name, same):
    assert locale_archive.read(archive(made / "one"), name) == files_in(
        made / "many" / PLACE / same
    )


@pytest.mark.parametrize(
    "name",
    ["de", "de_DE", "de_DE.", "de_DE@", "fr_FR.UTF-8", "de_DE.iso885915", "", "german\0", "\udcff"],
)
def test_a_locale_that_is_not_in_there_is_no_error(made, name):
    assert locale_archive.read(archive(made / "one"), name) is None


def test_the_archive_has_what_localedef_lists(made):
    names = listed(made / "one")
    assert len(names) > len(LOCALES)
    data = archive(made / "one")
    for name in names:
        assert locale_archive.normalized(name) == name
        assert set(locale_archive.read(data, name)) == set(FILES)


def test_a_removed_locale_is_not_in_there(made, tmp_path):
    shutil.copytree(made / "one", tmp_path / "one")
    localedef(tmp_path / "one", "--delete-from-archive", "de_DE.utf8")
    data = archive(tmp_path / "one")
    assert locale_archive.read(data, "de_DE.utf8") is None
    assert locale_archive.read(data, "nb_NO") == files_in(made / "many" / PLACE / "nb_NO")


def test_an_archive_of_the_other_byte_order_reads_the_same(made, tmp_path):
    compile_locale(tmp_path, *LOCALES[1], "--big-endian")
    directory = f"{tmp_path}/{PLACE}/{NAMES[1]}"
    compile_locale(tmp_path, *LOCALES[1][:2], directory, "--big-endian", "--no-archive")
    data = archive(tmp_path)
    assert data[:4] == b"\xde\x02\x01\x09"
    assert locale_archive.read(data, NAMES[1]) == files_in(directory)
    little = archive(made / "one")
    assert little[:4] == b"\x09\x01\x02\xde"
    assert locale_archive.read(little, NAMES[1]) != files_in(directory)


PROGRAM = """
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
int main(int count, char **names) {
    for (int category = LC_CTYPE; category <= LC_IDENTIFICATION; category++)
        if (!setlocale(category, names[1])) return 1;
    printf("%s %s %s", nl_langinfo(CODESET), nl_langinfo(DAY_2), localeconv()->int_curr_symbol);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("de_DE.UTF-8", b"UTF-8 Montag EUR "),
        ("de_DE@euro", b"ISO-8859-15 Montag EUR "),
        ("nb_NO", b"ISO-8859-1 mandag NOK "),
        ("ja_JP.EUC-JP", "EUC-JP 月曜日 JPY ".encode("euc-jp")),
    ],
)
def test_setlocale_takes_the_files(made, cc, tmp_path, name, says):
    program = cc(PROGRAM)
    # Of a name with a codeset glibc also looks for the normalised one.
    for path, content in locale_archive.read(archive(made / "one"), name).items():
        file = tmp_path / "found" / locale_archive.normalized(name) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def run(**environment):
        done = subprocess.run([program, name], env=environment, capture_output=True, check=False)
        return done.returncode, done.stdout

    assert run(LOCPATH=str(tmp_path / "found")) == (0, says)
    if run()[0]:  # this machine has no such locale
        assert run(LOCPATH=str(tmp_path / "none")) == (1, b"")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("C", "C"),
        ("de_DE", "de_DE"),
        ("de_DE@euro", "de_DE@euro"),
        ("de_DE.UTF-8", "de_DE.utf8"),
        ("de_DE.ISO-8859-15@euro", "de_DE.iso885915@euro"),
        ("de_DE.8859-1", "de_DE.iso88591"),
        ("ja_JP.SHIFT_JIS", "ja_JP.shiftjis"),
        ("zh_CN.GB2312", "zh_CN.gb2312"),
        ("de_DE.", "de_DE."),
        ("de_DE.@euro", "de_DE.@euro"),
        ("de_DE.-", "de_DE.iso"),
        ("de_DE.a.B", "de_DE.ab"),
        ("de_DE.UTF-8@Mod.X-Y", "de_DE.utf8@Mod.X-Y"),
        ("de_DE.É1İ", "de_DE.iso1"),  # letters are those of ASCII, whatever the case rules
    ],
)
def test_a_codeset_is_normalised_as_glibc_does(name, expected):
    assert locale_archive.normalized(name) == expected
    assert locale_archive.normalized(expected) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("de_DE.UTF-8", ("/usr/lib/locale/de_DE.UTF-8", "/usr/lib/locale/de_DE.utf8")),
        ("de_DE.utf8", ("/usr/lib/locale/de_DE.utf8",)),
        ("de_DE", ("/usr/lib/locale/de_DE",)),
    ],
)
def test_the_directories_of_a_locale_in_their_order(name, expected):
    assert locale_archive.directories(name) == expected


def test_files_of_the_archive_are_placed_where_they_would_be_without_it(made):
    data, name = archive(made / "one"), "de_DE.UTF-8"
    files = locale_archive.read(data, name)
    placed = locale_archive.placed(data, name)
    assert placed == {f"/usr/lib/locale/de_DE.utf8/{one}": files[one] for one in files}
    assert placed
    assert locale_archive.placed(data, "xx_XX.UTF-8") == {}


def test_localedef_normalises_so(made, tmp_path):
    codesets = ["8859-1", "-", "UTF-8", "1.A", "É1", "SHIFT_JIS"]
    names = [f"de_DE.{codeset}@Mod.X" for codeset in codesets]
    for name in names:
        os.symlink(made / "many" / PLACE / "de_DE@euro", tmp_path / name)
    localedef(tmp_path, "--add-to-archive", *(tmp_path / name for name in names))
    assert listed(tmp_path) == {locale_archive.normalized(name) for name in names}


def hash_of(name):
    """compute_hashval of glibc's locale/hashval.h."""
    value = len(name)
    for byte in name:
        value = ((value << 9) % 2**32 + (value >> 23) + byte) % 2**32
    return value


def build(order="<", *, name=b"xx_XX.utf8", record=None, places=None, names=None, size=1):
    """An archive of one locale whose files are a, b, c, ...: header, names, text, record, files."""
    texts, records, data = 56 + 12, 56 + 12 + 32, 56 + 12 + 32 + 108
    header = (0xDE020109, 0, 56 if names is None else names, 1, size, texts, 32, 32, records)
    entry = (hash_of(name), texts, records if record is None else record)
    if places is None:
        places = [(data + number, 1) for number in range(13)]
    numbers = [number for place in places for number in place]
    return (
        struct.pack(order + "9I20x", *header)
        + struct.pack(order + "3I", *entry)
        + name.ljust(32, b"\0")
        + struct.pack(order + "27I", 1, *numbers)
        + bytes(range(97, 97 + 13))
    )


@pytest.mark.parametrize("order", "<>")
def test_every_category_but_all_has_its_file(order):
    found = locale_archive.read(build(order), "xx_XX.UTF-8")
    letters = [bytes([97 + number]) for number in range(13) if number != 6]
    assert found == dict(zip(FILES, letters, strict=True))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut short"),
        (build()[:55], "cut short"),
        (bytes(56), "begins like none"),
        (b"\x7fELF" + bytes(100), "begins like none"),
        (build(names=2**32 - 1), "cut short"),
        (build(size=1000), "cut short"),
        (build(size=2**32 - 1), "more names than there are locales"),
        (build(record=2**32 - 1), "cut short"),
        (build()[:-1], "cut short"),
        (build(places=[(2**32 - 1, 1)] * 13), "cut short"),
        (build(places=[(0, 1000)] * 13), "cut short"),
        (build(places=[(0, 2**32 - 1)] * 13), "larger than any"),
    ],
)
def test_a_broken_archive_is_refused(data, words):
    with pytest.raises(InputError, match=words):
        locale_archive.read(data, "xx_XX.UTF-8")


@settings(max_examples=300)
@given(
    order=st.sampled_from("<>"),
    edits=st.lists(
        st.tuples(st.integers(0, 51), st.sampled_from([0, 1, 56, 100, 2**31, 2**32 - 1])),
        max_size=3,
    ),
    cut=st.integers(0, 230),
)
def test_a_damaged_archive_is_an_input_error_at_worst(order, edits, cut):
    damaged = bytearray(build(order))
    for word, value in edits:
        struct.pack_into(order + "I", damaged, 4 * word, value)
    with contextlib.suppress(InputError):
        locale_archive.read(Metered(bytes(damaged[: 230 - cut])), "xx_XX.UTF-8")
