"""What every way keeps from a command, or gives it: as docker does, and a little less.

Sources: moby, oci/caps/defaults.go and oci/defaults.go. MKNOD is left out: there is no device
cgroup here that would keep a device node from working.
"""

CAPABILITIES = {  # linux/capability.h
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_FSETID": 4,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_RAW": 13,
    "CAP_SYS_CHROOT": 18,
    "CAP_AUDIT_WRITE": 29,
    "CAP_SETFCAP": 31,
}
ESCAPES = frozenset({"CAP_SYS_CHROOT"})  # from a root that is only changed, not pivoted
DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
SHARED = "/dev/shm"  # noqa: S108 - of the container
SHARED_MEMORY = 64 << 20  # bytes of it
MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
PORTS = {  # files below /proc/sys/net/ipv4: as in docker's networks
    "ip_unprivileged_port_start": b"0",
    "ping_group_range": b"0 2147483647",
}
EMULATOR = "/dev/emulator"  # where a program of a foreign machine finds qemu-user
UMASK = 0o022
