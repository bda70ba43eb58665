/* Tries what a container must not reach, and prints a line for each thing that it has seen.
 *
 * Arguments: a secret that files, arguments and variables of the host have; the port on 127.0.0.1
 * where the host listens; the process of the host that has the secret. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static const char *secret;
static long files;

static void saw(const char *what, const char *where) { printf("%s: %s\n", what, where); }

static int has_secret(const char *path)
{
    char data[1 << 16];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) return 0;
    ssize_t size = read(fd, data, sizeof data);
    close(fd);
    return size > 0 && memmem(data, size, secret, strlen(secret)) != NULL;
}

/* Every file below a directory: its name, its content, and whether it is a device that opens. */
static void walk(const char *path, int depth)
{
    DIR *dir = opendir(*path ? path : "/");
    if (!dir || depth > 40) { if (dir) closedir(dir); return; }
    for (struct dirent *one; (one = readdir(dir));) {
        char below[8192];
        struct stat st;
        if (!strcmp(one->d_name, ".") || !strcmp(one->d_name, "..")) continue;
        snprintf(below, sizeof below, "%s/%s", path, one->d_name);
        files++;
        if (strstr(one->d_name, secret)) saw("file", below);
        if (lstat(below, &st)) continue;
        if (S_ISDIR(st.st_mode)) { if (strcmp(below, "/proc")) walk(below, depth + 1); }
        else if (S_ISREG(st.st_mode)) { if (has_secret(below)) saw("content", below); }
        else if (S_ISBLK(st.st_mode)) saw("block device", below);
        else if (S_ISCHR(st.st_mode) && major(st.st_rdev) != 1 && major(st.st_rdev) != 5
                 && major(st.st_rdev) != 136)
            saw("device", below);
    }
    closedir(dir);
}

/* The way out of a chroot, and through descriptors that were left open. */
static void escape(void)
{
    mkdir("/deeper", 0755);
    if (!chroot("/deeper")) {
        for (int i = 0; i < 64; i++) chdir("..");
        chroot(".");
        if (!access("/deeper", F_OK)) return;
        saw("escape", "chroot");
    }
    rmdir("/deeper");
}

static void descriptors(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct stat st;
        char text[64];
        if (fstat(fd, &st)) continue;
        snprintf(text, sizeof text, "%d, mode %o", fd, st.st_mode);
        saw("descriptor", text);
    }
    for (int fd = 0; fd < 3; fd++) {
        struct stat st;
        if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) saw("descriptor", "a directory");
    }
}

/* Without a stop, so that the other process never notices; it ends with this one. */
static void attach(pid_t pid, const char *whose)
{
    if (!ptrace(PTRACE_SEIZE, pid, 0, 0)) saw("ptrace", whose);
}

static void processes(pid_t host)
{
    DIR *dir = opendir("/proc");
    char path[512];
    for (struct dirent *one; dir && (one = readdir(dir));) {
        if (one->d_name[0] < '1' || one->d_name[0] > '9') continue;
        for (const char **file = (const char *[]){"cmdline", "environ", "maps", NULL}; *file; file++) {
            snprintf(path, sizeof path, "/proc/%s/%s", one->d_name, *file);
            if (atoi(one->d_name) != getpid() && has_secret(path)) saw("process", path);
        }
        snprintf(path, sizeof path, "/proc/%s/root", one->d_name);
        if (atoi(one->d_name) != getpid() && atoi(one->d_name) == host && !access(path, R_OK))
            saw("root of a process", path);
    }
    if (dir) closedir(dir);
    if (!kill(host, 0)) saw("kill", "the host's process");
    attach(host, "the host's process");
    if (getppid()) attach(getppid(), "the parent");
    char byte;
    struct { void *base; size_t size; } local = {&byte, 1}, remote = {(void *)0x400000, 1};
    if (syscall(SYS_process_vm_readv, host, &local, 1L, &remote, 1L, 0L) > 0)
        saw("memory", "the host's process");
}

static void network(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = socket(AF_INET, SOCK_STREAM, 0);
    if (!connect(one, (struct sockaddr *)&at, sizeof at)) saw("network", "the host's loopback");
    close(one);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "%s", secret);
    int two = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(secret);
    if (!connect(two, (struct sockaddr *)&name, size)) saw("network", "the host's abstract socket");
    close(two);
    FILE *file = fopen("/proc/net/dev", "r");
    char line[512];
    for (int i = 0; file && fgets(line, sizeof line, file); i++)
        if (i > 1 && !strstr(line, "lo:")) saw("interface", strtok(line, ":"));
    if (file) fclose(file);
}

static void devices(void)
{
    static const struct { const char *name; mode_t kind; int major, minor; } all[] = {
        {"/node.vda", S_IFBLK, 254, 0}, {"/node.sda", S_IFBLK, 8, 0}, {"/node.mem", S_IFCHR, 1, 1},
        {"/node.kmsg", S_IFCHR, 1, 11}, {"/node.tty1", S_IFCHR, 4, 1}, {"/node.fuse", S_IFCHR, 10, 229},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!mknod(all[i].name, all[i].kind | 0600, makedev(all[i].major, all[i].minor))) {
            int fd = open(all[i].name, O_RDONLY | O_NONBLOCK);
            if (fd >= 0) saw("device node", all[i].name);
        }
        unlink(all[i].name);
    }
}

static void kernel(void)
{
    static const char *const writable[] = {
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper",
        "/proc/irq/default_smp_affinity",
    };
    for (size_t i = 0; i < sizeof writable / sizeof *writable; i++) {
        int fd = open(writable[i], O_WRONLY);
        if (fd >= 0) { saw("writable", writable[i]); close(fd); }
    }
    static const char *const readable[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/dev/mem", "/dev/kmsg"};
    char byte;
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
        int fd = open(readable[i], O_RDONLY | O_NONBLOCK);
        if (fd >= 0 && read(fd, &byte, 1) > 0) saw("readable", readable[i]);
        if (fd >= 0) close(fd);
    }
    DIR *dir = opendir("/sys");
    for (struct dirent *one; dir && (one = readdir(dir));)
        if (one->d_name[0] != '.') saw("/sys", one->d_name);
    if (dir) closedir(dir);
    if (!mount("/", "/tmp", NULL, MS_BIND, NULL)) saw("mount", "bind");
    if (!mount("proc", "/proc", "proc", 0, NULL)) saw("mount", "proc");
    if (!mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL)) saw("mount", "remount");
    if (!umount2("/proc", MNT_DETACH)) saw("mount", "umount");
    long key = syscall(SYS_keyctl, 0L, -3L, 0L); /* KEYCTL_GET_KEYRING_ID of the session */
    long found = key < 0 ? -1 : syscall(SYS_keyctl, 10L, -3L, "user", secret, 0L);
    if (found > 0) saw("keyring", "the host's key");
    if (!sethostname("seen", 4)) saw("host name", "changed");
    if (!setns(open("/proc/1/ns/mnt", O_RDONLY), CLONE_NEWNS)) saw("namespace", "entered");
}

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    secret = argv[1];
    for (char **one = environ; *one; one++)
        if (strstr(*one, secret)) saw("variable", *one);
    descriptors();
    walk("", 0);
    processes(atoi(argv[3]));
    network(atoi(argv[2]));
    devices();
    kernel();
    escape();
    printf("files %ld\n", files);
    return 0;
}
