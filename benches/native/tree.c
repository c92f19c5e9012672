// A program that starts descendants which try to get away; each tells of itself and stays.
//
//   tree SOCKET KIND..    a descendant for each KIND: child, setsid, fork (twice, its parent ends), daemon
//
// Each of them, and the program last, connects to SOCKET, writes the first letter of what it is (p: the program), and
// stays until a signal ends it. Whoever listens has its pid from the connection. When the program has connected, every
// process on the way has ended. None stays for longer than a minute, whatever becomes of those who wait.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *place;

static void stay(char kind) {
    alarm(60);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, place, sizeof address.sun_path - 1);
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) != 0) _exit(1);
    if (write(connection, &kind, 1) != 1) _exit(1);
    for (;;) pause();
}

static pid_t branch(void) {
    pid_t pid = fork();
    if (pid < 0) _exit(1);
    return pid;
}

static void start(const char *kind) {
    pid_t pid = branch();
    if (pid == 0) {
        if (kind[0] == 's' || kind[0] == 'd') setsid();
        if (kind[0] == 'f' || kind[0] == 'd') {
            if (branch() != 0) _exit(0);
        }
        if (kind[0] == 'd') {
            int null = open("/dev/null", O_RDWR);
            for (int stream = 0; stream < 3; stream++) dup2(null, stream);
            umask(0);
            if (chdir("/") != 0) _exit(1);
        }
        stay(kind[0]);
    }
    if (kind[0] == 'f' || kind[0] == 'd') waitpid(pid, NULL, 0);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    place = argv[1];
    for (int at = 2; at < argc; at++) start(argv[at]);
    stay('p');
}
