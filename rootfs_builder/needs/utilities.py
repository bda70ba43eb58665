"""The utilities of every system, which no package declares, and what needs an init or a desktop.

Source: POSIX.1-2024, Shell and Utilities; LSB 5.0 Core, Commands and Utilities; GNU coreutils.
"""

_NAMES = """
awk base64 basename cat chgrp chmod chown cksum cmp comm cp csplit cut date dd df diff dirname
du echo egrep env expand expr false fgrep find fold getconf getopt grep gunzip gzip head
hostname iconv id install join kill link ln locale logger logname ls md5sum mkdir mkfifo mknod
mktemp mv nice nl nohup nproc od paste pathchk pr printf ps pwd readlink realpath rm rmdir sed
seq sh sha1sum sha224sum sha256sum sha384sum sha512sum shuf sleep sort split stat stty sync tac
tail tar tee test timeout touch tr true truncate tsort tty uname unexpand uniq unlink wc which
who whoami xargs yes zcat
"""
ALL = frozenset(_NAMES.split())
_PLAIN = """
awk egrep fgrep gunzip gzip md5sum mkfifo mktemp sed sha1sum sha224sum sha256sum sha384sum
sha512sum xargs zcat
"""
PLAIN = frozenset(_PLAIN.split())  # not also a word, a function or an option
FOR_FILES = PLAIN | {"cat", "cp", "ln", "ls", "mv", "rm"}  # what is done to a file by its name
_WORDS = """
comm cut date echo env expand false find fold getconf head hostname id install join kill link locale
logger look nice paste pathchk printf pwd sleep sort split stat sync tail tee test timeout touch
true truncate who which yes
"""
WORDS = frozenset(_WORDS.split())  # of every day, or names of settings
# Of packages that no other declares, and neither words nor names of formats, as gzip is.
TOOLS = frozenset(("awk", "cmp", "diff", "egrep", "fgrep", "grep", "sed", "tar", "xargs"))
BUILT_IN = frozenset(("echo", "false", "kill", "printf", "pwd", "test", "true"))  # of each shell
_OF_INIT = """
chkconfig deb-systemd-helper deb-systemd-invoke halt hostnamectl init initctl insserv invoke-rc.d
journalctl localectl loginctl poweroff rc-service rc-update reboot service shutdown systemctl
systemd-run systemd-sysusers systemd-tmpfiles telinit timedatectl udevadm update-rc.d
"""
_OF_DESKTOP = """
open sensible-browser wslview www-browser x-terminal-emulator x-www-browser xdg-email xdg-mime
xdg-open xdg-settings
"""
IN_VAIN = frozenset((_OF_INIT + _OF_DESKTOP).split())  # a container has no init system, no desktop
_LONG = 8  # letters from which a name is no word of every day; as is one with a hyphen


def is_rare(word: str) -> bool:
    """Whether the name of a program is no word of every day, nor one that all systems have."""
    return word not in ALL and ("-" in word or len(word) >= _LONG)
