// The floor under every measure of spawning: what the kernel takes when nothing but the kernel is asked.
//
// A request is a line of words divided by tabs, the answer is a line with nanoseconds:
//   spawn N PROGRAM ARG...        vfork, execve and waitid, N times, with what this process inherited
//   start N PROGRAM ARG...        vfork and execve, N times; what was started stays, and is then killed
//   stop SIGNAL PROGRAM ARG...    starts PROGRAM, waits for its first byte, and takes the time from kill to waitid

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static pid_t start(char **argv, int out) {
    pid_t pid = vfork();
    if (pid < 0) fail("vfork");
    if (pid == 0) {
        if (out >= 0) dup2(out, 1);
        execve(argv[0], argv, environ);
        _exit(127);
    }
    return pid;
}

static int reap(pid_t pid) {
    siginfo_t info;
    if (waitid(P_PID, pid, &info, WEXITED) != 0) fail("waitid");
    return info.si_code == CLD_EXITED ? info.si_status : -1;
}

static long spawn(long count, char **argv) {
    long before = now();
    for (long at = 0; at < count; at++) {
        if (reap(start(argv, -1)) != 0) fail(argv[0]);
    }
    return now() - before;
}

static long start_all(long count, char **argv) {
    pid_t pids[64];
    int ends[2];
    char byte;
    if (count < 1 || count > 64) exit(2);
    if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
    long before = now();
    for (long at = 0; at < count; at++) pids[at] = start(argv, ends[1]);
    long took = now() - before;
    close(ends[1]);
    // Each has said that it is there before it is killed.
    for (long at = 0; at < count; at++) {
        if (read(ends[0], &byte, 1) != 1) fail(argv[0]);
    }
    for (long at = 0; at < count; at++) {
        if (kill(pids[at], SIGKILL) != 0) fail("kill");
        reap(pids[at]);
    }
    close(ends[0]);
    return took;
}

static long stop(int signal, char **argv) {
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe2");
    pid_t pid = start(argv, ends[1]);
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1) fail("read");
    long before = now();
    if (kill(pid, signal) != 0) fail("kill");
    reap(pid);
    long took = now() - before;
    close(ends[0]);
    return took;
}

int main(void) {
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char *words[64];
        int count = 0;
        for (char *word = strtok(line, "\t\n"); word && count < 63; word = strtok(NULL, "\t\n")) words[count++] = word;
        words[count] = NULL;
        if (count < 3) return 2;
        long number = atol(words[1]);
        long took;
        if (strcmp(words[0], "stop") == 0) took = stop(number, words + 2);
        else if (strcmp(words[0], "start") == 0) took = start_all(number, words + 2);
        else took = spawn(number, words + 2);
        printf("%ld\n", took);
        fflush(stdout);
    }
    return 0;
}
