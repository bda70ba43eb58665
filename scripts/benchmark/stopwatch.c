/* stopwatch COMMAND...: run it; on stderr, as the last line, its wall and CPU seconds and peak KiB.
 *
 * This is not done in Python: exec keeps the peak of the process that forked, so every child of an
 * interpreter would seem to need that interpreter's memory. CPU is that of the command and of all
 * that it waited for; the peak is that of the largest of these processes. */
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

int main(int argc, char **argv) {
    int status;
    struct rusage used;
    double began = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0) {
        perror("stopwatch");
        return 1;
    }
    double wall = now() - began;
    fprintf(stderr, "\n%.6f %.6f %ld\n", wall, seconds(used.ru_utime) + seconds(used.ru_stime),
            used.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
