/* Five services of one source: each says its name and what it was told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *name = strrchr(argv[0], '/');
    const char *level = getenv("LEVEL");
    printf("%s: level %s", name ? name + 1 : argv[0], level ? level : "none");
    for (int i = 1; i < argc; i++) printf(" %s", argv[i]);
    putchar('\n');
    return 0;
}
