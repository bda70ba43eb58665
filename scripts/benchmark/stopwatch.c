/* stopwatch COMMAND...: run it; on stderr, as the last line, its wall and CPU seconds, peak KiB, and
 * the bytes that it asked to read and to write.
 *
 * This is not done in Python: exec keeps the peak of the process that forked, so every child of an
 * interpreter would seem to need that interpreter's memory. CPU and bytes (rchar and wchar in
 * /proc/PID/io, proc_pid_io(5)) are those of the command and of all that it waited for; the peak is
 * that of the largest of these processes. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

/* What a process has read and written, which can be asked as long as nobody has waited for it. */
static int transferred(pid_t child, unsigned long long *read, unsigned long long *written) {
    char path[64];
    siginfo_t ended;
    snprintf(path, sizeof path, "/proc/%d/io", (int)child);
    if (waitid(P_PID, child, &ended, WEXITED | WNOWAIT) < 0) return -1;
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    int found = fscanf(file, "rchar: %llu wchar: %llu", read, written);
    fclose(file);
    return found == 2 ? 0 : -1;
}

int main(int argc, char **argv) {
    int status;
    unsigned long long read, written;
    struct rusage used;
    double began = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || transferred(child, &read, &written) < 0 ||
        wait4(child, &status, 0, &used) < 0) {
        perror("stopwatch");
        return 1;
    }
    double wall = now() - began;
    fprintf(stderr, "\n%.6f %.6f %ld %llu %llu\n", wall,
            seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, read, written);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
