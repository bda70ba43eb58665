"""Which directories belong to all packages, and which of their files no program needs: data.

Source: Filesystem Hierarchy Standard 3.0; XDG Base Directory; measured over Debian's packages.
"""

import re

_TRIPLET = r"[a-z0-9_]+-linux-(?:gnu|musl|android|uclibc)\w*"
_PLACES = r"(?:s?bin|lib(?:32|64|x32|exec)?|etc|share|games|include|src|var)"
_OF_ETC = (
    r"alternatives|apparmor(?:\.d)?(?:/.*)?|apt(?:/.*)?|bash_completion\.d|cron\.\w+|dbus-1(?:/.*)?"
    r"|default|dpkg(?:/.*)?|emacs|fonts|init\.d|initramfs-tools(?:/.*)?|kernel(?:/.*)?"
    r"|ld\.so\.conf\.d|logcheck(?:/.*)?|logrotate\.d|modprobe\.d|network(?:/.*)?|opt|pam\.d|ppp"
    r"|profile\.d|rc\w\.d|security|skel|ssl(?:/certs|/private)?|sudoers\.d|sysctl\.d"
    r"|systemd(?:/.*)?|tmpfiles\.d|udev(?:/.*)?|ufw(?:/.*)?|update-motd\.d|X11|xdg(?:/autostart)?"
)
_OF_SHARE = (
    r"applications|apport(?:/.*)?|backgrounds|bash-completion(?:/.*)?|dbus-1(?:/.*)?|debhelper(?:/.*)?"
    r"|desktop-directories|dict|emacs(?:/(?:[\d.]+/)?site-lisp.*)?|fish(?:/.*)?|fonts(?:/\w+)?|GConf|glib-2\.0(?:/schemas)?"
    r"|gir-1\.0|gnome|help|icons(?:/.*)?|java(?:script)?|keyrings|lua(?:/[\d.]+)?|menu|mime(?:/\w+)?"
    r"|misc|nodejs|perl5?(?:/[\d.]+)?|php|pixmaps|pkgconfig|polkit-1(?:/.*)?|python3?|sounds|system-services"
    r"|systemd(?:/.*)?|tcltk|themes|thumbnailers|vim|wayland-sessions|X11|xml|xsessions|zsh(?:/.*)?"
)
_OF_LIB = (
    r"binfmt\.d|cgi-bin|cmake|cups|dpkg|firmware|girepository-1\.0|init(?:/.*)?|jvm|kernel|lua"
    r"|mime(?:/\w+)?|modprobe\.d|modules(?:-load\.d)?|node_modules|nodejs|ocaml|pam\.d|perl5?|perl5/[\d.]+"
    r"|pkgconfig|python3?|python3/dist-packages|ruby(?:/\w+)?|security|sysctl\.d|systemd(?:/.*)?"
    r"|sysusers\.d|tcltk|tmpfiles\.d|udev(?:/.*)?"
)
_SHARED = (
    rf"(?:/usr|/usr/local|/opt)?(?:/{_PLACES})?(?:/{_TRIPLET})?/?"
    rf"|.*/s?bin"  # a program names those that it starts
    rf"|/etc/(?:{_OF_ETC})"
    rf"|/usr/(?:local/)?share/(?:{_OF_SHARE})"
    rf"|(?:/usr)?/lib(?:exec)?(?:/{_TRIPLET})?/(?:{_OF_LIB})"
)
_DOCUMENTATION = (
    r"/usr/(?:local/)?(?:share/(?:bug|doc|doc-base|gtk-doc|help|info|lintian|locale|man)"
    r"|include|src|lib/debug)(?:/.*)?|(?:/usr)?/lib(?:/[^/]+)?/(?:pkgconfig|cmake)(?:/.*)?"
    r"|/usr/share/i18n(?:/.*)?|.*/(?:docs?|man|locale|pkgconfig|cmake)"
)
_THE_IMAGES_OWN = (
    r"/etc/(?:g?shadow-?|group-?|host\.conf|hostname|hosts|ld\.so\.(?:cache|conf|preload)|localtime"
    r"|machine-id|mtab|nsswitch\.conf|passwd-?|protocols|resolv\.conf|services|sub[ug]id)"
    r"|/usr/lib/locale(?:/.*)?|/bin/sh|/usr/bin/env"
)
_CROWDED = rf".*/(?:s?bin|{_TRIPLET})|(?:/usr)?/lib(?:32|64|x32)?"
_READ = re.compile(  # what an importer reads, and env(1), which is given no text of its own
    r".*/(?:env|java|Rscript|R|lua(?:jit)?|node(?:js)?|perl|php|pypy|python|ruby|busybox|(?:ba|da|k|mk|z)?sh)[\d.]*"
)
_INTERPRETER = re.compile(r".*/(?:lua|node|perl|php|python|ruby|tclsh|wish|(?:ba|da|k|z)?sh)[\d.]*")
OF_OTHERS = frozenset(("dist-packages", "gems", "node_modules", "site-packages", "vendor"))
_OF_OTHERS = re.compile(rf"/(?:{'|'.join(sorted(OF_OTHERS))})(?:/|\Z)")
_LOCAL = ("/opt/", "/usr/local/")  # FHS 3.0: for add-on packages, and for what is made here
_NOT_STARTED = frozenset((".git", "test", "tests"))
_DATA = r"/etc/.*|/usr/(?:local/)?share/.*"

OMIT = (  # names within a directory: documentation, what compiles and links, translations, tests
    *(
        "AUTHORS*",
        "CHANGELOG*",
        "COPYING*",
        "ChangeLog*",
        "INSTALL",
        "LICENCE*",
        "LICENSE*",
        "NEWS",
    ),
    *("README*", "doc", "docs", "man", "*.info.gz"),
    *("*.a", "*.la", "*.pc", "cmake/*.cmake", "pkgconfig"),
    *("*.gmo", "*.mo", "*.po", "*.pot", "*.qm", "__pycache__"),
    *("*.t", "testsuite"),
)
HEADERS = ("*.h", "*.hh", "*.hpp", "*.c", "*.cc", "*.cpp", "*.go", "*.rs", "*.vala")
# Of 217 programs that nobody here had seen, six had directories of their own with 20 to 1,500 MB.
# Each failed without.
MOST_OWN = 256 << 20  # of a directory of the program's own source
MOST_BYTES = 16 << 20  # of what is others' code, which loads more
MOST_DATA = 32 << 20  # the same of data
MOST_FILES = 20_000


def omitted(names: tuple[str, ...]) -> re.Pattern[str]:
    """What matches the paths, from a directory on, that have one of the names of `OMIT` in them."""
    each = "|".join(re.escape(one).replace(r"\*", "[^/]*") for one in names)
    return re.compile(f"(?:.*/)?(?:{each})(?:/.*)?")


_UNUSED = omitted((*OMIT, *HEADERS))
_SOURCE = omitted(HEADERS)


def is_shared(directory: str) -> bool:
    """Whether a directory has files of many packages by its purpose."""
    return re.fullmatch(_SHARED, directory) is not None


def is_local(path: str) -> bool:
    """Whether a path is below a directory for what is installed here, by nobody's package."""
    return path.startswith(_LOCAL)


def is_crowded(directory: str) -> bool:
    """Whether it holds programs or libraries by the thousand, none of which is data."""
    return re.fullmatch(_CROWDED, directory) is not None


def is_needless(path: str) -> bool:
    """Whether no program needs what is there, or the image has its own."""
    return bool(re.fullmatch(_DOCUMENTATION, path) or re.fullmatch(_THE_IMAGES_OWN, path))


def is_source(path: str) -> bool:
    """Whether a file is source code or a header."""
    return _SOURCE.fullmatch(path.rpartition("/")[2]) is not None


def is_unused(path: str) -> bool:
    """Whether a file of a package is only documentation, a translation or for building."""
    needless = is_needless(path) or is_needless(path.rpartition("/")[0])
    return needless or _UNUSED.fullmatch(path[1:]) is not None


def is_data(path: str) -> bool:
    """Whether what is there are settings or data for machines of all kinds, no code of one."""
    return re.fullmatch(_DATA, path) is not None


def is_interpreter(path: str) -> bool:
    """Whether a program runs the texts of others: which of them it is for, no path tells."""
    return _INTERPRETER.fullmatch(path) is not None


def is_read(interpreter: str) -> bool:
    """Whether there is an importer for the scripts of an interpreter."""
    return _READ.fullmatch(interpreter) is not None


def is_of_others(path: str) -> bool:
    """Whether a text lies with code that others wrote, and a tool installed: not the user's."""
    return _OF_OTHERS.search(path) is not None


def may_be_started(path: str) -> bool:
    """Whether a script of the user's is at a place where somebody may start it."""
    return not is_of_others(path) and _NOT_STARTED.isdisjoint(path.split("/"))


def most(path: str) -> int:
    """The bytes of others' files at a place above which they do not come without being asked."""
    return MOST_DATA if is_data(path) else MOST_BYTES
