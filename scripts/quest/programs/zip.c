#include <stdio.h>
#include <zlib.h>

int main() {
  printf("zlib %s\n", zlibVersion());
  return 0;
}
