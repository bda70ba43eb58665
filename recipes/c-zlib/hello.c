#include <stdio.h>
#include <string.h>
#include <zlib.h>

int main(int argc, char **argv) {
    const char *text = argc > 1 ? argv[1] : "hello";
    uLong sum = crc32(0, (const Bytef *)text, (uInt)strlen(text));
    printf("%s: %08lx\n", text, sum);
}
