// Writes lines as fast as a pipe takes them: they are made once, so that whoever reads is what is measured.
//
//   writer COUNT LEAST MOST    COUNT lines of LEAST to MOST bytes, their line ends not counted

#include <stdlib.h>
#include <unistd.h>

static char block[64 << 10];

static void send(size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t wrote = write(1, block + at, size - at);
        if (wrote <= 0) exit(1);
        at += (size_t)wrote;
    }
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    long count = atol(argv[1]);
    size_t least = (size_t)atol(argv[2]), most = (size_t)atol(argv[3]);
    size_t size = 0;
    long lines = 0;
    // Lengths in no order that a processor could learn.
    for (unsigned random = 1;; lines++) {
        random = random * 1664525u + 1013904223u;
        size_t length = least + (random >> 16) % (most - least + 1);
        if (size + length + 1 > sizeof block) break;
        for (size_t at = 0; at < length; at++) block[size++] = (char)('a' + at % 26);
        block[size++] = '\n';
    }
    for (; count >= lines; count -= lines) send(size);
    size_t rest = 0;
    for (; count > 0; rest++) count -= block[rest] == '\n';
    send(rest);
    return 0;
}
