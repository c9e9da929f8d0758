/* Makes the calls that PostgreSQL seldom makes, in a folder laid out like a data directory; prints what went wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 8192
#define CHECK(c) do { if (!(c)) { printf("line %d: %s (errno %d)\n", __LINE__, #c, errno); failed = 1; } } while (0)
static int failed;
static char buffer[64 * PAGE];

/* The page server's page b of every file consists of the byte b + 1. */
static int is_page(const char *p, size_t n, int block)
{
    for (size_t i = 0; i < n; i++) if ((unsigned char) p[i] != (unsigned char) (block + 1)) return 0;
    return 1;
}
static int is_zero(const char *p, size_t n) { for (size_t i = 0; i < n; i++) if (p[i]) return 0; return 1; }

static int hole_file(const char *path, int pages)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    close(fd);
    /* Through a name that the shim does not follow, so that holes stay holes. */
    fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (ftruncate(fd, (off_t) pages * PAGE)) exit(3);
    close(fd);
    if (rename("holes", path)) exit(3);
    return open(path, O_RDWR);
}
static int is_hole(int fd, int block) { off_t d = lseek(fd, (off_t) block * PAGE, SEEK_DATA); return d < 0 || d >= (off_t) (block + 1) * PAGE; }

int main(void)
{
    struct stat st;
    int fd = hole_file("base/5/100", 40);
    /* Unaligned, straddling pages. */
    CHECK(pread(fd, buffer, 100, 2 * PAGE - 50) == 100 && is_page(buffer, 50, 1) && is_page(buffer + 50, 50, 2));
    CHECK(!is_hole(fd, 1) && !is_hole(fd, 2) && is_hole(fd, 3));
    /* Vectors that cut pages. */
    struct iovec odd[2] = { { buffer, 3000 }, { buffer + 3000, 2 * PAGE - 3000 } };
    CHECK(preadv(fd, odd, 2, 5 * PAGE) == 2 * PAGE && is_page(buffer, PAGE, 5) && is_page(buffer + PAGE, PAGE, 6));
    /* Data among holes, a written zero page among them. */
    memset(buffer, 0, PAGE);
    CHECK(pwrite(fd, buffer, PAGE, 10 * PAGE) == PAGE);
    memset(buffer, 0x77, PAGE);
    CHECK(pwrite(fd, buffer, PAGE, 12 * PAGE) == PAGE);
    CHECK(pread(fd, buffer, 6 * PAGE, 9 * PAGE) == 6 * PAGE && is_page(buffer, PAGE, 9) && is_zero(buffer + PAGE, PAGE)
          && is_page(buffer + 2 * PAGE, PAGE, 11) && buffer[3 * PAGE] == 0x77 && is_page(buffer + 4 * PAGE, PAGE, 13));
    /* read() keeps its place. */
    lseek(fd, 20 * PAGE, SEEK_SET);
    CHECK(read(fd, buffer, 2 * PAGE) == 2 * PAGE && is_page(buffer, PAGE, 20) && is_page(buffer + PAGE, PAGE, 21));
    CHECK(lseek(fd, 0, SEEK_CUR) == 22 * PAGE);
    /* More than one request can carry, short at the end of the file. */
    CHECK(pread(fd, buffer, 64 * PAGE, 0) == 40 * PAGE && is_page(buffer + 39 * PAGE, PAGE, 39) && is_page(buffer, PAGE, 0));
    close(fd);

    /* Growth leaves zeros that are data, never holes; what was a hole before stays one. */
    fd = hole_file("base/5/101_fsm", 4);
    memset(buffer, 0x55, PAGE);
    CHECK(pwrite(fd, buffer, PAGE, 9 * PAGE) == PAGE && fstat(fd, &st) == 0 && st.st_size == 10 * PAGE);
    CHECK(is_hole(fd, 3) && !is_hole(fd, 4) && !is_hole(fd, 8));
    CHECK(posix_fallocate(fd, 2 * PAGE, 10 * PAGE) == 0 && !is_hole(fd, 11) && is_hole(fd, 2));
    CHECK(ftruncate(fd, 14 * PAGE) == 0 && !is_hole(fd, 13));
    CHECK(fallocate(fd, 0, 0, 15 * PAGE) == 0 && !is_hole(fd, 14));
    /* A page cut off does not come back when the file grows again. */
    CHECK(ftruncate(fd, 2 * PAGE) == 0 && ftruncate(fd, 6 * PAGE) == 0);
    CHECK(pread(fd, buffer, PAGE, 3 * PAGE) == PAGE && is_zero(buffer, PAGE));
    CHECK(truncate("base/5/101_fsm", 8 * PAGE) == 0 && !is_hole(fd, 7));
    close(fd);

    /* Copies of a descriptor, a fork, SLRU files, files that are none of ours. */
    fd = hole_file("pg_xact/0000", 3);
    int copy = dup(fd);
    close(fd);
    CHECK(pread(copy, buffer, PAGE, PAGE) == PAGE && is_page(buffer, PAGE, 1));
    CHECK(dup2(copy, 77) == 77 && pread(77, buffer, PAGE, 0) == PAGE && is_page(buffer, PAGE, 0));
    if (fork() == 0) _exit(!(pread(77, buffer, PAGE, 2 * PAGE) == PAGE && is_page(buffer, PAGE, 2)));
    int status;
    CHECK(wait(&status) > 0 && status == 0);
    close(77);
    close(copy);
    const char *others[] = { "base/5/t3_100", "base/5/pg_filenode.map", "pg_wal/000000010000000000000001", "base/5/100.x", "base/5/100_abc", "pg_xact/zzzz" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    {
        fd = hole_file(others[i], 2);
        CHECK(pread(fd, buffer, PAGE, 0) == PAGE && is_zero(buffer, PAGE) && is_hole(fd, 0));
        close(fd);
    }
    const char *ours[] = { "base/5/100.1", "base/5/100_vm.2", "global/1262", "pg_tblspc/9/PG_17_1/5/7_init", "pg_multixact/members/0000F", "pg_commit_ts/00000000000000A", "./base/5/8" };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    {
        fd = hole_file(ours[i], 2);
        CHECK(pread(fd, buffer, PAGE, PAGE) == PAGE && is_page(buffer, PAGE, 1));
        close(fd);
    }
    char absolute[4096];
    if (!getcwd(absolute, sizeof absolute - 20)) return 3;
    close(hole_file("global/77", 2));
    strcat(absolute, "/global/77");
    fd = openat(AT_FDCWD, absolute, O_RDWR);
    CHECK(pread(fd, buffer, PAGE, 0) == PAGE && is_page(buffer, PAGE, 0));
    close(fd);

    /* Copying inside the kernel would copy holes. */
    int from = hole_file("base/5/200", 5), to = open("base/5/201", O_RDWR | O_CREAT | O_TRUNC, 0600);
    lseek(from, 0, SEEK_SET);
    CHECK(copy_file_range(from, NULL, to, NULL, 1 << 20, 0) == 5 * PAGE && !is_hole(to, 4));
    CHECK(pread(to, buffer, PAGE, 4 * PAGE) == PAGE && is_page(buffer, PAGE, 4));
    fd = hole_file("base/5/202", 5);
    CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0 && is_hole(fd, 0));
    /* The same connection then answers a read, which proves that the announcement arrived whole. */
    CHECK(pread(fd, buffer, PAGE, 4 * PAGE) == PAGE && is_page(buffer, PAGE, 4));

    /* A sync is nothing at all: a pipe would refuse it. */
    int ends[2];
    CHECK(pipe(ends) == 0 && fsync(ends[1]) == 0 && fdatasync(ends[1]) == 0 && sync_file_range(ends[1], 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
    if (!failed) puts("ok");
    return failed;
}
