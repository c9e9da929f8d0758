/* The log's side of pgshim, as PostgreSQL and the agent would use it; prints what went wrong. The argument is the page that REDOUBT_SHIM_LOG names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(c) do { if (!(c)) { printf("line %d: %s (errno %d)\n", __LINE__, #c, errno); failed = 1; } } while (0)
static int failed;
static char *page;
static char buffer[3 * 8192];
static uint32_t word(int at) { return __atomic_load_n((uint32_t *) (page + at), __ATOMIC_SEQ_CST); }
static uint64_t end(void) { return __atomic_load_n((uint64_t *) (page + 72), __ATOMIC_SEQ_CST); }
static void nothing(int s) { (void) s; }

static void durable(uint32_t count)
{
    __atomic_store_n((uint32_t *) (page + 128), count, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, page + 128, FUTEX_WAKE, 1000, NULL, NULL, 0);
}

/* A process that syncs; its pid once it sleeps. */
static pid_t syncer(int fd, int full)
{
    uint32_t before = word(132);
    pid_t pid = fork();
    if (pid == 0)
    {
        signal(SIGUSR1, nothing);
        _exit((full ? fsync(fd) : fdatasync(fd)) == 0 ? 0 : 1);
    }
    for (int i = 0; i < 2000 && word(132) == before; i++) usleep(5000);
    CHECK(word(132) == before + 1);
    return pid;
}

static int ended(pid_t pid) { int status; return waitpid(pid, &status, WNOHANG) == pid; }

static int ends_well(pid_t pid)
{
    int status;
    for (int i = 0; i < 2000; i++, usleep(5000)) if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    kill(pid, SIGKILL);
    return 0;
}

int main(int count, char **args)
{
    struct timespec now;
    int pair[2], fd, other;
    pid_t first, second;
    if (count != 2 || (fd = open(args[1], O_RDWR)) < 0) return 3;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    /* Only segment files count, by any way of writing them. */
    other = open("pg_wal/xlogtemp.12", O_RDWR | O_CREAT, 0600);
    CHECK(pwrite(other, buffer, 8192, 0) == 8192 && fdatasync(other) == 0 && fsync(other) == 0 && word(64) == 0);
    fd = open("pg_wal/000000010000000300000002", O_RDWR | O_CREAT, 0600);
    CHECK(pwrite(fd, buffer, 2 * 8192, 8192) == 2 * 8192 && word(64) == 1 && end() == 0x302000000 + 3 * 8192);
    CHECK(pwrite(fd, buffer, 8192, 0) == 8192 && word(64) == 2 && end() == 0x302000000 + 3 * 8192);
    CHECK(lseek(fd, 3 * 8192, SEEK_SET) >= 0 && write(fd, buffer, 8192) == 8192 && word(64) == 3 && end() == 0x302000000 + 4 * 8192);

    /* A sync waits for what was there when it was called, whoever wrote it, and for nothing else. */
    first = syncer(fd, 0);
    CHECK(pwrite(fd, buffer, 8192, 4 * 8192) == 8192 && word(64) == 4);
    second = syncer(fd, 1);
    kill(first, SIGUSR1);
    durable(2);
    usleep(100000);
    CHECK(!ended(first) && !ended(second));
    durable(3);
    CHECK(ends_well(first));
    CHECK(!ended(second));
    durable(4);
    CHECK(ends_well(second));
    CHECK(word(132) == 0);
    CHECK(fdatasync(fd) == 0);

    /* Nobody is answered after the lease. */
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    clock_gettime(CLOCK_BOOTTIME, &now);
    *(uint64_t *) (page + 192) = (uint64_t) now.tv_sec * 1000 + 60000;
    CHECK(send(pair[0], buffer, 10, 0) == 10);
    *(uint64_t *) (page + 192) = (uint64_t) now.tv_sec * 1000 - 1000;
    CHECK(send(pair[0], buffer, 10, 0) == -1 && errno == ECONNRESET);
    if (!failed) printf("ok\n");
    return failed;
}
