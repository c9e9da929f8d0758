/*
 * pgshim: loaded into a stock PostgreSQL with LD_PRELOAD, it makes a hole in a local file mean "this page lives in storage", and
 * a flush of the log mean "this log is on a write quorum".
 *
 *   read of a tracked file -> 8 KiB page all zero? -> in a hole (SEEK_DATA)? -> ask the agent -> write into the file -> return
 *   write of a log file    -> wake the agent, which reads and ships what is new
 *   sync of a log file     -> wait until all log that was in the files is on a write quorum; every other sync returns at once
 *
 * Tracked: relation files (base/N/N, global/N, pg_tblspc/N/PG_x/N/N; every fork and .N segment) and the files of pg_xact,
 * pg_multixact/offsets, pg_multixact/members, pg_commit_ts. Everything else, temporary relations (tN_N) too, passes through.
 *
 * Safety rules kept here:
 *  - A hole is a page that nobody touched since the bootstrap. So PostgreSQL may never make one: a write beyond the end of a
 *    file first fills the gap with real zeros, fallocate and a growing ftruncate write zeros.
 *  - No answer is never a zero page: the read waits, then fails with EIO and one line on stderr.
 *  - A fetched page goes into the file only where there is still a hole inside the file, under the lock that every write,
 *    extension and truncation of that file takes: an older page never lands on a newer one, nor beyond a truncation.
 *
 *  - A sync of a log file never fails (PostgreSQL would panic) and never returns early: neither for a signal, nor for an agent that
 *    has gone, nor for one that is fenced. Who waits there can be killed, and nothing else.
 *  - Nothing is sent to a client when storage has not confirmed this primary for too long: somebody else may have the volume.
 *
 * Environment, copied when the program starts (PostgreSQL overwrites it later for process titles):
 *   REDOUBT_SHIM_SOCKET      unix socket of the agent; missing or empty: the shim does nothing
 *   REDOUBT_SHIM_LOCKS       file of 64-byte lock slots shared with the agent; missing: anonymous memory of this process tree
 *   REDOUBT_SHIM_LOG         file of one 4 KiB page shared with the agent (struct log_page); missing: syncs of the log wait for nothing
 *   REDOUBT_SHIM_TIMEOUT_MS  how long a read waits for the agent (default 30000)
 *
 * Protocol, little-endian: { u32 0x47504452, u16 op (1 get, 2 prefetch without reply), u16 path length, u32 first block of
 * that file, u32 blocks (1..32), path relative to the data directory } -> { u32 status (0 or an errno), u32 blocks, pages }.
 * EINVAL, ENOENT and ESTALE are final; after any other status the request is repeated until the timeout.
 *
 * Log: pg_wal/TTTTTTTTXXXXXXXXYYYYYYYY, files of 16 MiB. After each write the end of what was written goes to log_page.written_end,
 * then log_page.writes counts on, and the agent is woken if it sleeps. It answers with log_page.durable: the newest count of writes
 * whose whole records are all on a write quorum. A sync waits until that has reached the count it found when it was called.
 *
 * Lock of a file: slot mix(st_ino) & (slots - 1), slots = largest power of two of 64-byte slots in the lock file. Its first
 * u32: 0 free, else the owner's pid, bit 31 set when somebody waits in futex(FUTEX_WAIT). The lock of a dead owner is taken.
 *
 * One file, plain system calls, no allocation, no threads. A page that is not zero costs one 64-bit compare.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE 8192
#define MAX_BLOCKS 32           /* blocks of one request */
#define MAX_FDS 65536
#define MAX_PATH_LEN 96
#define SLOT 64
#define MAGIC 0x47504452u
#define OP_GET 1
#define OP_PREFETCH 2
#define WAITERS 0x80000000u
#define LOG_FILE_SIZE (16u << 20)
#define TRACKED_PAGES 1         /* values of tracked[] */
#define TRACKED_LOG 2
#define EXPORT __attribute__((visibility("default")))

struct request { uint32_t magic; uint16_t op, path_length; uint32_t first_block, count; };
struct reply { uint32_t status, count; };

/* Shared with the agent; the two sides' words are in cache lines of their own. */
struct log_page
{
    uint32_t magic, version;                                /* by the agent: LOG_MAGIC, 1 */
    uint32_t writes __attribute__((aligned(64)));           /* by writers of the log; the agent sleeps on it */
    uint32_t agent_sleeps;
    uint64_t written_end;                                   /* LSN */
    uint32_t durable __attribute__((aligned(64)));          /* by the agent; syncs sleep on it */
    uint32_t sleepers;                                      /* syncs that may sleep */
    uint64_t lease_ms __attribute__((aligned(64)));         /* by the agent: CLOCK_BOOTTIME until which clients may be answered */
};
#define LOG_MAGIC 0x474C4452u

static int active;
static char socket_path[sizeof ((struct sockaddr_un *) 0)->sun_path];
static int timeout_ms = 30000;
static char *slots;
static uint64_t slot_mask;
static struct log_page *log_page;
static uint8_t tracked[MAX_FDS];
static char paths[MAX_FDS][MAX_PATH_LEN];
static char zeros[65536] __attribute__((aligned(4096)));

/* The agent's connection of this process; a forked child makes its own. */
static int agent_fd = -1;
static pid_t agent_owner;

/* ---- system calls, so that nothing here comes back through the names interposed below ---- */

static int sys_openat(int dir, const char *path, int flags, mode_t mode) { return (int) syscall(SYS_openat, dir, path, flags, mode); }
static int sys_close(int fd) { return (int) syscall(SYS_close, fd); }
static ssize_t sys_read(int fd, void *buf, size_t n) { return syscall(SYS_read, fd, buf, n); }
static ssize_t sys_write(int fd, const void *buf, size_t n) { return syscall(SYS_write, fd, buf, n); }
static ssize_t sys_pread(int fd, void *buf, size_t n, off_t off) { return syscall(SYS_pread64, fd, buf, n, off); }
static ssize_t sys_pwrite(int fd, const void *buf, size_t n, off_t off) { return syscall(SYS_pwrite64, fd, buf, n, off); }
static ssize_t sys_preadv(int fd, const struct iovec *iov, int n, off_t off) { return syscall(SYS_preadv, fd, iov, n, off, 0); }
static ssize_t sys_pwritev(int fd, const struct iovec *iov, int n, off_t off) { return syscall(SYS_pwritev, fd, iov, n, off, 0); }

static ssize_t sys_send(int fd, const void *buf, size_t n, int flags) { return syscall(SYS_sendto, fd, buf, n, flags, NULL, 0); }

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- which files ---- */

static const char *digits(const char *p)
{
    if (*p < '0' || *p > '9') return NULL;
    while (*p >= '0' && *p <= '9') p++;
    return p;
}

static int is_relation_name(const char *p)
{
    if (!(p = digits(p))) return 0;
    if (!strncmp(p, "_fsm", 4)) p += 4;
    else if (!strncmp(p, "_vm", 3)) p += 3;
    else if (!strncmp(p, "_init", 5)) p += 5;
    if (*p == '.') p = digits(p + 1);
    return p && *p == 0;
}

static int is_slru_name(const char *p)
{
    size_t n = strlen(p);
    return n >= 4 && n <= 15 && strspn(p, "0123456789ABCDEF") == n;
}

/* The path relative to the data directory, NULL when it is none. PostgreSQL works in that directory and names its files relative to it; an absolute name
 * may still mean one. */
static const char *relative_path(const char *p)
{
    char cwd[4096];
    size_t n;
    if (p[0] == '.' && p[1] == '/') p += 2;
    if (p[0] != '/') return p;
    if (!getcwd(cwd, sizeof cwd)) return NULL;
    n = strlen(cwd);
    return strncmp(p, cwd, n) || p[n] != '/' ? NULL : p + n + 1;
}

/* A relative path when it names a file whose holes are pages, else NULL. */
static const char *tracked_path(const char *p)
{
    const char *q;
    if (!strncmp(p, "base/", 5)) return (q = digits(p + 5)) && *q == '/' && is_relation_name(q + 1) ? p : NULL;
    if (!strncmp(p, "global/", 7)) return is_relation_name(p + 7) ? p : NULL;
    if (p[0] != 'p' || p[1] != 'g' || p[2] != '_') return NULL;
    if (!strncmp(p, "pg_tblspc/", 10))
    {
        if (!(q = digits(p + 10)) || strncmp(q, "/PG_", 4) || !(q = strchr(q + 1, '/')) || !(q = digits(q + 1))) return NULL;
        return *q == '/' && is_relation_name(q + 1) ? p : NULL;
    }
    if (!strncmp(p, "pg_xact/", 8)) return is_slru_name(p + 8) ? p : NULL;
    if (!strncmp(p, "pg_multixact/offsets/", 21)) return is_slru_name(p + 21) ? p : NULL;
    if (!strncmp(p, "pg_multixact/members/", 21)) return is_slru_name(p + 21) ? p : NULL;
    if (!strncmp(p, "pg_commit_ts/", 13)) return is_slru_name(p + 13) ? p : NULL;
    return NULL;
}

static inline int is_tracked(int fd) { return (unsigned) fd < MAX_FDS && tracked[fd] == TRACKED_PAGES; }

static inline int is_log(int fd) { return (unsigned) fd < MAX_FDS && tracked[fd] == TRACKED_LOG; }

static int hex_digits(const char *p, int n, uint64_t *value)
{
    for (*value = 0; n > 0; n--, p++)
    {
        int digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10 : -1;
        if (digit < 0) return 0;
        *value = *value << 4 | (uint64_t) digit;
    }
    return 1;
}

/* The LSN of the first byte of the log file that a relative path names: 0 when it names none. No log file begins at 0. */
static uint64_t log_file_start(const char *p)
{
    uint64_t timeline, high, low;
    if (strncmp(p, "pg_wal/", 7) || strlen(p) != 7 + 24) return 0;
    if (!hex_digits(p + 7, 8, &timeline) || !hex_digits(p + 15, 8, &high) || !hex_digits(p + 23, 8, &low)) return 0;
    return high << 32 | low * LOG_FILE_SIZE;
}

/* Remembers an opened file; a file that must be tracked but cannot be is closed and refused. */
static int remember(int fd, const char *path)
{
    const char *rel;
    uint64_t start = 0;
    if (fd < 0 || !active) return fd;
    if ((unsigned) fd < MAX_FDS) tracked[fd] = 0;
    if (!(path = relative_path(path))) return fd;
    rel = tracked_path(path);
    if (log_page && !rel && (start = log_file_start(path)) != 0) rel = path;
    if (!rel) return fd;
    if (fd >= MAX_FDS || (!start && strlen(rel) >= MAX_PATH_LEN))
    {
        sys_close(fd);
        dprintf(2, "pgshim: cannot follow %s: %s\n", rel, fd >= MAX_FDS ? "file descriptor too high" : "name too long");
        errno = fd >= MAX_FDS ? EMFILE : ENAMETOOLONG;
        return -1;
    }
    if (start) memcpy(paths[fd], &start, sizeof start);
    else strcpy(paths[fd], rel);
    tracked[fd] = start ? TRACKED_LOG : TRACKED_PAGES;
    return fd;
}

static int remember_copy(int from, int to)
{
    if (to < 0 || !active || to == from) return to;
    if ((unsigned) to < MAX_FDS) tracked[to] = 0;
    if (!is_log(from)) return is_tracked(from) ? remember(to, paths[from]) : to;
    if (to >= MAX_FDS) { sys_close(to); errno = EMFILE; return -1; }
    memcpy(paths[to], paths[from], sizeof (uint64_t));
    tracked[to] = TRACKED_LOG;
    return to;
}

/* ---- the lock of a file ---- */

static uint32_t *lock_of(int fd, struct stat *st)
{
    uint64_t h;
    if (fstat(fd, st) != 0) return NULL;
    h = st->st_ino;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;
    return (uint32_t *) (slots + (h & slot_mask) * SLOT);
}

static void lock_slow(uint32_t *word, uint32_t me)
{
    for (;;)
    {
        struct timespec wait = { 0, 100 * 1000000 };
        uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
        if (seen == 0)
        {
            /* Others may wait too: keep the flag, at worst one needless wake. */
            if (__atomic_compare_exchange_n(word, &seen, me | WAITERS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
            continue;
        }
        if (!(seen & WAITERS) && !__atomic_compare_exchange_n(word, &seen, seen | WAITERS, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
        seen |= WAITERS;
        if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &wait, NULL, 0) != 0 && errno == ETIMEDOUT
            && kill((pid_t) (seen & ~WAITERS), 0) != 0 && errno == ESRCH
            && __atomic_compare_exchange_n(word, &seen, me | WAITERS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    }
}

static void lock(uint32_t *word)
{
    uint32_t me = (uint32_t) getpid(), expected = 0;
    for (int spin = 0; spin < 64; spin++, expected = 0)
        if (__atomic_compare_exchange_n(word, &expected, me, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    lock_slow(word, me);
}

static void unlock(uint32_t *word)
{
    int saved = errno;
    if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) & WAITERS) syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
    errno = saved;
}

/* ---- the log ---- */

/* Somebody has written [off, off + done) of a log file. */
static ssize_t log_written(int fd, off_t off, ssize_t done)
{
    uint64_t start, end, seen;
    int saved = errno;
    if (done <= 0) return done;
    memcpy(&start, paths[fd], sizeof start);
    end = start + (uint64_t) off + (uint64_t) done;
    seen = __atomic_load_n(&log_page->written_end, __ATOMIC_RELAXED);
    while (seen < end && !__atomic_compare_exchange_n(&log_page->written_end, &seen, end, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) { }
    __atomic_add_fetch(&log_page->writes, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&log_page->agent_sleeps, __ATOMIC_SEQ_CST) && __atomic_exchange_n(&log_page->agent_sleeps, 0, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &log_page->writes, FUTEX_WAKE, 1, NULL, NULL, 0);
    errno = saved;
    return done;
}

/* Returns when everything that was in the log when it was called is on a write quorum, and not before. */
static int log_sync(void)
{
    uint32_t target = __atomic_load_n(&log_page->writes, __ATOMIC_SEQ_CST);
    int saved = errno, sleeps = 0;
    for (;;)
    {
        uint32_t durable = __atomic_load_n(&log_page->durable, __ATOMIC_SEQ_CST);
        if ((int32_t) (durable - target) >= 0) break;
        /* Counted before the word is looked at again: who changes it after that look sees a sleeper. */
        if (!sleeps) { __atomic_add_fetch(&log_page->sleepers, 1, __ATOMIC_SEQ_CST); sleeps = 1; continue; }
        syscall(SYS_futex, &log_page->durable, FUTEX_WAIT, durable, NULL, NULL, 0);
    }
    if (sleeps) __atomic_sub_fetch(&log_page->sleepers, 1, __ATOMIC_SEQ_CST);
    errno = saved;
    return 0;
}

/* True while clients may be answered. */
static int lease_holds(void)
{
    static int told;
    struct timespec t;
    uint64_t lease;
    if (!log_page || (lease = __atomic_load_n(&log_page->lease_ms, __ATOMIC_RELAXED)) == 0) return 1;
    clock_gettime(CLOCK_BOOTTIME, &t);
    if ((uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000 <= lease) return 1;
    if (!told) dprintf(2, "pgshim: storage has not confirmed that this is the primary for too long; the connection is closed\n");
    told = 1;
    return 0;
}

/* ---- the agent ---- */

static void agent_close(void)
{
    if (agent_fd >= 0) sys_close(agent_fd);
    agent_fd = -1;
}

/* 0 when connected. */
static int agent_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    pid_t me = getpid();
    if (agent_owner != me) agent_close();
    if (agent_fd >= 0) return 0;
    agent_owner = me;
    agent_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (agent_fd < 0) return -1;
    memcpy(address.sun_path, socket_path, sizeof address.sun_path);
    /* A unix socket connects at once or says EAGAIN when the agent's queue is full. */
    if (connect(agent_fd, (struct sockaddr *) &address, sizeof address) == 0) return 0;
    agent_close();
    return -1;
}

/* Waits for the socket; 0 when it may be used, -1 at the deadline. */
static int agent_wait(short events, int64_t deadline)
{
    for (;;)
    {
        struct pollfd p = { agent_fd, events, 0 };
        int64_t left = deadline - now_ms();
        int r;
        if (left <= 0) { errno = ETIMEDOUT; return -1; }
        r = poll(&p, 1, (int) left);
        if (r > 0) return 0;
        if (r < 0 && errno != EINTR) return -1;
    }
}

static int agent_send(const void *data, size_t n, int64_t deadline)
{
    const char *p = data;
    while (n > 0)
    {
        ssize_t r = sys_send(agent_fd, p, n, MSG_NOSIGNAL);
        if (r > 0) { p += r; n -= (size_t) r; }
        else if (r < 0 && errno == EINTR) continue;
        else if (r < 0 && errno == EAGAIN) { if (agent_wait(POLLOUT, deadline)) return -1; }
        else return -1;
    }
    return 0;
}

static int agent_receive(void *data, size_t n, int64_t deadline)
{
    char *p = data;
    while (n > 0)
    {
        ssize_t r = recv(agent_fd, p, n, 0);
        if (r > 0) { p += r; n -= (size_t) r; }
        else if (r == 0) { errno = ECONNRESET; return -1; }
        else if (errno == EINTR) continue;
        else if (errno == EAGAIN) { if (agent_wait(POLLIN, deadline)) return -1; }
        else return -1;
    }
    return 0;
}

static size_t make_request(char *out, int op, const char *path, uint32_t block, uint32_t count)
{
    struct request q = { MAGIC, (uint16_t) op, (uint16_t) strlen(path), block, count };
    memcpy(out, &q, sizeof q);
    memcpy(out + sizeof q, path, q.path_length);
    return sizeof q + q.path_length;
}

/* One request and its answer. 0, or an errno; *final when asking again cannot help. */
static int ask_once(const char *path, uint32_t block, uint32_t count, char *const *pages, int64_t deadline, int *final)
{
    char message[sizeof (struct request) + MAX_PATH_LEN];
    struct reply reply;
    if (agent_connect()
        || agent_send(message, make_request(message, OP_GET, path, block, count), deadline)
        || agent_receive(&reply, sizeof reply, deadline))
        goto broken;
    if (reply.status != 0)
    {
        if (reply.count != 0) { errno = EPROTO; goto broken; }
        *final = reply.status == EINVAL || reply.status == ENOENT || reply.status == ESTALE;
        return (int) reply.status;
    }
    if (reply.count != count) { errno = EPROTO; goto broken; }
    for (uint32_t i = 0; i < count; i++)
        if (agent_receive(pages[i], PAGE, deadline)) goto broken;
    return 0;
broken:
    {
        int error = errno ? errno : EIO;
        agent_close();
        return error;
    }
}

/* Fetches up to MAX_BLOCKS pages into the given buffers. On failure the buffers are undefined and errno is EIO. */
static int fetch(const char *path, uint32_t block, uint32_t count, char *const *pages)
{
    int64_t start = now_ms(), deadline = start + timeout_ms;
    int pause_ms = 5, error, final = 0;
    for (;;)
    {
        struct timespec nap;
        error = ask_once(path, block, count, pages, deadline, &final);
        if (error == 0) return 0;
        if (final || now_ms() + pause_ms >= deadline) break;
        nap = (struct timespec) { 0, pause_ms * 1000000L };
        nanosleep(&nap, NULL);
        pause_ms = pause_ms < 250 ? pause_ms * 2 : 250;
    }
    dprintf(2, "pgshim: no answer from storage for block %u (%u blocks) of %s after %lld ms: %s\n",
            block, count, path, (long long) (now_ms() - start), strerror(error));
    errno = EIO;
    return -1;
}

/* ---- holes ---- */

static int is_zero(const char *page)
{
    uint64_t first;
    memcpy(&first, page, sizeof first);
    return first == 0 && memcmp(page, page + 8, PAGE - 8) == 0;
}

/* Bytes from off on that are a hole, off being inside a file of the given size; -1 on error. */
static off_t hole_length(int fd, off_t off, off_t size)
{
    off_t data = lseek(fd, off, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? (off < size ? size - off : 0) : -1;
    return data - off;
}

/* Zero-fills [from, to) with data, never holes. */
static int write_zeros(int fd, off_t from, off_t to)
{
    while (from < to)
    {
        struct iovec iov[16];
        int n = 0;
        ssize_t r;
        for (off_t left = to - from; left > 0 && n < 16; n++, left -= (off_t) sizeof zeros)
            iov[n] = (struct iovec) { zeros, left < (off_t) sizeof zeros ? (size_t) left : sizeof zeros };
        r = sys_pwritev(fd, iov, n, from);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) { if (r == 0) errno = ENOSPC; return -1; }
        from += r;
    }
    return 0;
}

/*
 * Puts one fetched page into the file, the lock being held. Where the page became data meanwhile, that is what the caller gets.
 * A full disk is no reason to fail a read: the page then stays a hole.
 */
static int store_page(int fd, char *page, off_t off, off_t size)
{
    off_t hole;
    ssize_t done = 0;
    if (off + PAGE > size) return 0;
    if ((hole = hole_length(fd, off, size)) < 0) return -1;
    if (hole < PAGE) return sys_pread(fd, page, PAGE, off) == PAGE ? 0 : -1;
    while (done < PAGE)
    {
        ssize_t r = sys_pwrite(fd, page + done, (size_t) (PAGE - done), off + done);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) break;
        done += r;
    }
    if (done == 0 || done == PAGE) return 0;
    return (int) syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, (off_t) PAGE);
}

static int store_pages(int fd, uint32_t count, char *const *pages, off_t off)
{
    struct stat st;
    uint32_t *word = lock_of(fd, &st);
    int result = 0;
    if (!word) return -1;
    lock(word);
    if (fstat(fd, &st) != 0) result = -1;
    else
    {
        off_t length = (off_t) count * PAGE;
        ssize_t written = 0;
        /* The whole run in one call when it is still one hole; page by page otherwise. */
        if (count > 1 && off + length <= st.st_size && hole_length(fd, off, st.st_size) >= length)
        {
            struct iovec iov[MAX_BLOCKS];
            for (uint32_t i = 0; i < count; i++) iov[i] = (struct iovec) { pages[i], PAGE };
            written = sys_pwritev(fd, iov, (int) count, off);
        }
        if (written != length)
        {
            if (written > 0 && written % PAGE != 0)
                syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off + written / PAGE * PAGE, (off_t) PAGE);
            for (uint32_t i = 0; i < count && result == 0; i++) result = store_page(fd, pages[i], off + (off_t) i * PAGE, st.st_size);
        }
    }
    unlock(word);
    if (result != 0) errno = EIO;
    return result;
}


static char *page_at(const struct iovec *iov, int n, size_t at, size_t *room)
{
    for (int i = 0; i < n; i++)
    {
        if (at < iov[i].iov_len) { *room = iov[i].iov_len - at; return (char *) iov[i].iov_base + at; }
        at -= iov[i].iov_len;
    }
    *room = 0;
    return NULL;
}

static void copy_out(const struct iovec *iov, int n, size_t at, const char *from, size_t length)
{
    while (length > 0)
    {
        size_t room;
        char *to = page_at(iov, n, at, &room);
        if (!to) return;
        if (room > length) room = length;
        memcpy(to, from, room);
        from += room, at += room, length -= room;
    }
}

/* Any read that does not come as whole pages in whole buffers: every page it overlaps is looked at in a buffer of its own. */
static int fill_unaligned(int fd, const struct iovec *iov, int n, off_t off, ssize_t got)
{
    char page[PAGE] __attribute__((aligned(4096)));
    char *pages[1] = { page };
    struct stat st;
    if (fstat(fd, &st) != 0) return -1;
    for (off_t at = off / PAGE * PAGE; at < off + got; at += PAGE)
    {
        off_t hole, from, to;
        if (at + PAGE > st.st_size) break;
        if ((hole = hole_length(fd, at, st.st_size)) < 0) return -1;
        if (hole < PAGE) continue;
        if (fetch(paths[fd], (uint32_t) (at / PAGE), 1, pages) || store_pages(fd, 1, pages, at)) return -1;
        from = at > off ? at : off;
        to = at + PAGE < off + got ? at + PAGE : off + got;
        copy_out(iov, n, (size_t) (from - off), page + (from - at), (size_t) (to - from));
    }
    return 0;
}

/* Replaces the holes among what was read by pages from storage. 0, or -1 with errno. */
static int fill(int fd, const struct iovec *iov, int n, off_t off, ssize_t got)
{
    char *pages[MAX_BLOCKS];
    size_t size = (size_t) got / PAGE * PAGE;
    struct stat st;
    int whole = off % PAGE == 0, saved = errno;
    for (int i = 0; whole && i < n - 1; i++) whole = iov[i].iov_len % PAGE == 0;
    if (!whole) return fill_unaligned(fd, iov, n, off, got);
    st.st_size = -1;
    for (size_t at = 0; at < size;)
    {
        size_t room;
        char *page = page_at(iov, n, at, &room);
        off_t hole;
        uint32_t count = 0;
        if (!is_zero(page)) { at += PAGE; continue; }
        if (st.st_size < 0 && fstat(fd, &st) != 0) return -1;
        if ((hole = hole_length(fd, off + (off_t) at, st.st_size)) < 0) return -1;
        if (hole < PAGE) { at += PAGE; continue; }
        while (count < MAX_BLOCKS && at + count * (size_t) PAGE < size && hole >= (off_t) (count + 1) * PAGE)
        {
            pages[count] = page_at(iov, n, at + count * (size_t) PAGE, &room);
            count++;
        }
        if (fetch(paths[fd], (uint32_t) ((off + (off_t) at) / PAGE), count, pages) || store_pages(fd, count, pages, off + (off_t) at)) return -1;
        at += count * (size_t) PAGE;
    }
    errno = saved;
    return 0;
}

static ssize_t shim_preadv(int fd, const struct iovec *iov, int n, off_t off)
{
    ssize_t got = sys_preadv(fd, iov, n, off);
    return got > 0 && is_tracked(fd) && fill(fd, iov, n, off, got) ? -1 : got;
}

static ssize_t shim_pread(int fd, void *buf, size_t count, off_t off)
{
    struct iovec iov = { buf, count };
    ssize_t got = sys_pread(fd, buf, count, off);
    return got > 0 && is_tracked(fd) && fill(fd, &iov, 1, off, got) ? -1 : got;
}

static ssize_t shim_read(int fd, void *buf, size_t count)
{
    struct iovec iov = { buf, count };
    off_t start, end;
    ssize_t got;
    if (!is_tracked(fd)) return sys_read(fd, buf, count);
    if ((start = lseek(fd, 0, SEEK_CUR)) < 0) return -1;
    if ((got = sys_read(fd, buf, count)) <= 0) return got;
    end = start + got;
    /* Looking for holes moves the file position. */
    if (fill(fd, &iov, 1, start, got)) { lseek(fd, start, SEEK_SET); errno = EIO; return -1; }
    return lseek(fd, end, SEEK_SET) < 0 ? -1 : got;
}

/* ---- writes ---- */

static ssize_t shim_pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
    struct stat st;
    uint32_t *word;
    ssize_t result = -1;
    if (is_log(fd)) return log_written(fd, off, sys_pwritev(fd, iov, n, off));
    if (!is_tracked(fd)) return sys_pwritev(fd, iov, n, off);
    if (!(word = lock_of(fd, &st))) return -1;
    lock(word);
    if (fstat(fd, &st) == 0 && (off <= st.st_size || write_zeros(fd, st.st_size, off) == 0)) result = sys_pwritev(fd, iov, n, off);
    unlock(word);
    return result;
}

static ssize_t shim_pwrite(int fd, const void *buf, size_t count, off_t off)
{
    struct iovec iov = { (void *) buf, count };
    return is_tracked(fd) || is_log(fd) ? shim_pwritev(fd, &iov, 1, off) : sys_pwrite(fd, buf, count, off);
}

static ssize_t shim_write(int fd, const void *buf, size_t count)
{
    off_t off;
    ssize_t done;
    if (!is_tracked(fd) && !is_log(fd)) return sys_write(fd, buf, count);
    if (fcntl(fd, F_GETFL) & O_APPEND || (off = lseek(fd, 0, SEEK_CUR)) < 0) return sys_write(fd, buf, count);
    done = shim_pwrite(fd, buf, count, off);
    if (done > 0 && lseek(fd, off + done, SEEK_SET) < 0) return -1;
    return done;
}

/* Makes the file at least `length` bytes long, with zeros that are data. */
static int grow(int fd, off_t length)
{
    struct stat st;
    uint32_t *word = lock_of(fd, &st);
    int result = -1;
    if (!word) return -1;
    lock(word);
    if (fstat(fd, &st) == 0) result = st.st_size >= length ? 0 : write_zeros(fd, st.st_size, length);
    unlock(word);
    return result;
}

static int shim_ftruncate(int fd, off_t length)
{
    struct stat st;
    uint32_t *word;
    int result = -1;
    if (!is_tracked(fd)) return (int) syscall(SYS_ftruncate, fd, length);
    if (!(word = lock_of(fd, &st))) return -1;
    lock(word);
    if (fstat(fd, &st) == 0) result = length > st.st_size ? write_zeros(fd, st.st_size, length) : (int) syscall(SYS_ftruncate, fd, length);
    unlock(word);
    return result;
}

static int shim_fallocate(int fd, int mode, off_t off, off_t length)
{
    if (!is_tracked(fd)) return (int) syscall(SYS_fallocate, fd, mode, off, length);
    if (mode != 0) { errno = EOPNOTSUPP; return -1; }
    if (off < 0 || length <= 0) { errno = EINVAL; return -1; }
    return grow(fd, off + length);
}

static int shim_posix_fallocate(int fd, off_t off, off_t length)
{
    static int (*real)(int, off_t, off_t);
    int saved = errno, result;
    if (!is_tracked(fd))
    {
        if (!real) *(void **) &real = dlsym(RTLD_NEXT, "posix_fallocate");
        return real ? real(fd, off, length) : ENOSYS;
    }
    result = shim_fallocate(fd, 0, off, length) == 0 ? 0 : errno;
    errno = saved;
    return result;
}

/* POSIX_FADV_WILLNEED on a hole: a request that nobody waits for. Losing one costs time, never data. */
static int shim_posix_fadvise(int fd, off_t off, off_t length, int advice)
{
    char message[sizeof (struct request) + MAX_PATH_LEN];
    struct stat st;
    int saved = errno;
    off_t hole = 0, end;
    if (!is_tracked(fd) || advice != POSIX_FADV_WILLNEED)
        return syscall(SYS_fadvise64, fd, off, length, advice) == 0 ? 0 : errno;
    if (fstat(fd, &st) == 0 && off / PAGE * PAGE < st.st_size) hole = hole_length(fd, off / PAGE * PAGE, st.st_size);
    if (hole < PAGE)
    {
        errno = saved;
        return syscall(SYS_fadvise64, fd, off, length, advice) == 0 ? 0 : errno;
    }
    off = off / PAGE * PAGE;
    end = length == 0 || off + length > off + hole ? off + hole : off + length;
    if (agent_connect() == 0)
        for (; off < end; off += MAX_BLOCKS * PAGE)
        {
            uint32_t count = (uint32_t) ((end - off + PAGE - 1) / PAGE);
            size_t n = make_request(message, OP_PREFETCH, paths[fd], (uint32_t) (off / PAGE), count < MAX_BLOCKS ? count : MAX_BLOCKS);
            ssize_t sent = sys_send(agent_fd, message, n, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno == EAGAIN) break;
            /* Half a message would corrupt the stream. */
            if (sent != (ssize_t) n) { agent_close(); break; }
        }
    errno = saved;
    return 0;
}

static ssize_t shim_copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t length, unsigned flags)
{
    char buffer[8 * PAGE] __attribute__((aligned(4096)));
    ssize_t total = 0;
    if (!is_tracked(in) && !is_tracked(out)) return syscall(SYS_copy_file_range, in, in_off, out, out_off, length, flags);
    while (length > 0)
    {
        size_t want = length < sizeof buffer ? length : sizeof buffer;
        ssize_t got = in_off ? shim_pread(in, buffer, want, *in_off) : shim_read(in, buffer, want);
        if (got <= 0) return got < 0 && total == 0 ? -1 : total;
        for (ssize_t at = 0; at < got;)
        {
            ssize_t put = out_off ? shim_pwrite(out, buffer + at, (size_t) (got - at), *out_off) : shim_write(out, buffer + at, (size_t) (got - at));
            if (put < 0)
            {
                /* What was read but not written is unread again. */
                if (!in_off) { int saved = errno; lseek(in, at - got, SEEK_CUR); errno = saved; }
                return total > 0 ? total : -1;
            }
            at += put, total += put, length -= (size_t) put;
            if (in_off) *in_off += put;
            if (out_off) *out_off += put;
        }
    }
    return total;
}

/* ---- the names of libc ---- */

#define MODE_OF(flags) mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list args; va_start(args, flags); mode = (mode_t) va_arg(args, int); va_end(args); }
#ifndef __O_TMPFILE
#define __O_TMPFILE 020000000
#endif

EXPORT int open(const char *path, int flags, ...) { MODE_OF(flags) return remember(sys_openat(AT_FDCWD, path, flags, mode), path); }
EXPORT int open64(const char *path, int flags, ...) { MODE_OF(flags) return remember(sys_openat(AT_FDCWD, path, flags, mode), path); }
EXPORT int __open_2(const char *path, int flags) { return remember(sys_openat(AT_FDCWD, path, flags, 0), path); }
EXPORT int __open64_2(const char *path, int flags) { return remember(sys_openat(AT_FDCWD, path, flags, 0), path); }
EXPORT int creat(const char *path, mode_t mode) { return remember(sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode), path); }
EXPORT int creat64(const char *path, mode_t mode) { return remember(sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode), path); }

/* A name relative to a folder other than the working directory is none of PostgreSQL's. */
static int remember_at(int dir, int fd, const char *path) { return remember(fd, dir == AT_FDCWD || path[0] == '/' ? path : ""); }
EXPORT int openat(int dir, const char *path, int flags, ...) { MODE_OF(flags) return remember_at(dir, sys_openat(dir, path, flags, mode), path); }
EXPORT int openat64(int dir, const char *path, int flags, ...) { MODE_OF(flags) return remember_at(dir, sys_openat(dir, path, flags, mode), path); }
EXPORT int __openat_2(int dir, const char *path, int flags) { return remember_at(dir, sys_openat(dir, path, flags, 0), path); }
EXPORT int __openat64_2(int dir, const char *path, int flags) { return remember_at(dir, sys_openat(dir, path, flags, 0), path); }

EXPORT int close(int fd)
{
    if ((unsigned) fd < MAX_FDS) tracked[fd] = 0;
    return sys_close(fd);
}

EXPORT int dup(int fd) { return remember_copy(fd, (int) syscall(SYS_dup, fd)); }
EXPORT int dup2(int from, int to) { return from == to ? fcntl(from, F_GETFD) < 0 ? -1 : to : remember_copy(from, (int) syscall(SYS_dup3, from, to, 0)); }
EXPORT int dup3(int from, int to, int flags) { return remember_copy(from, (int) syscall(SYS_dup3, from, to, flags)); }

EXPORT ssize_t read(int fd, void *buf, size_t count) { return shim_read(fd, buf, count); }
EXPORT ssize_t __read_chk(int fd, void *buf, size_t count, size_t room) { if (count > room) abort(); return shim_read(fd, buf, count); }
EXPORT ssize_t pread(int fd, void *buf, size_t count, off_t off) { return shim_pread(fd, buf, count, off); }
EXPORT ssize_t pread64(int fd, void *buf, size_t count, off64_t off) { return shim_pread(fd, buf, count, off); }
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t count, off_t off, size_t room) { if (count > room) abort(); return shim_pread(fd, buf, count, off); }
EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t count, off64_t off, size_t room) { if (count > room) abort(); return shim_pread(fd, buf, count, off); }
EXPORT ssize_t preadv(int fd, const struct iovec *iov, int n, off_t off) { return shim_preadv(fd, iov, n, off); }
EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int n, off64_t off) { return shim_preadv(fd, iov, n, off); }

EXPORT ssize_t write(int fd, const void *buf, size_t count) { return shim_write(fd, buf, count); }
EXPORT ssize_t pwrite(int fd, const void *buf, size_t count, off_t off) { return shim_pwrite(fd, buf, count, off); }
EXPORT ssize_t pwrite64(int fd, const void *buf, size_t count, off64_t off) { return shim_pwrite(fd, buf, count, off); }
EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off) { return shim_pwritev(fd, iov, n, off); }
EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n, off64_t off) { return shim_pwritev(fd, iov, n, off); }

EXPORT int ftruncate(int fd, off_t length) { return shim_ftruncate(fd, length); }
EXPORT int ftruncate64(int fd, off64_t length) { return shim_ftruncate(fd, length); }

static int shim_truncate(const char *path, off_t length)
{
    int fd, result, saved;
    const char *rel = active ? relative_path(path) : NULL;
    if (!rel || !tracked_path(rel)) return (int) syscall(SYS_truncate, path, length);
    if ((fd = remember(sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0), path)) < 0) return -1;
    result = shim_ftruncate(fd, length);
    saved = errno;
    close(fd);
    errno = saved;
    return result;
}

EXPORT int truncate(const char *path, off_t length) { return shim_truncate(path, length); }
EXPORT int truncate64(const char *path, off64_t length) { return shim_truncate(path, length); }

EXPORT int fallocate(int fd, int mode, off_t off, off_t length) { return shim_fallocate(fd, mode, off, length); }
EXPORT int fallocate64(int fd, int mode, off64_t off, off64_t length) { return shim_fallocate(fd, mode, off, length); }
EXPORT int posix_fallocate(int fd, off_t off, off_t length) { return shim_posix_fallocate(fd, off, length); }
EXPORT int posix_fallocate64(int fd, off64_t off, off64_t length) { return shim_posix_fallocate(fd, off, length); }
EXPORT int posix_fadvise(int fd, off_t off, off_t length, int advice) { return shim_posix_fadvise(fd, off, length, advice); }
EXPORT int posix_fadvise64(int fd, off64_t off, off64_t length, int advice) { return shim_posix_fadvise(fd, off, length, advice); }
EXPORT ssize_t copy_file_range(int in, off64_t *in_off, int out, off64_t *out_off, size_t length, unsigned flags)
{
    return shim_copy_file_range(in, in_off, out, out_off, length, flags);
}

/* Nothing local need survive but the log, and that survives in storage. */
EXPORT int fsync(int fd) { return is_log(fd) ? log_sync() : active ? 0 : (int) syscall(SYS_fsync, fd); }
EXPORT int fdatasync(int fd) { return is_log(fd) ? log_sync() : active ? 0 : (int) syscall(SYS_fdatasync, fd); }
EXPORT int sync_file_range(int fd, off64_t off, off64_t length, unsigned flags) { return active ? 0 : (int) syscall(SYS_sync_file_range, fd, off, length, flags); }

/* libpq and OpenSSL inside PostgreSQL write to their clients with it. */
EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    if (!lease_holds()) { errno = ECONNRESET; return -1; }
    return sys_send(fd, buf, n, flags);
}

/* ---- start ---- */

static void die(const char *what, const char *name)
{
    dprintf(2, "pgshim: %s %s: %s\n", what, name, strerror(errno));
    _exit(2);
}

static void map_log_page(const char *path)
{
    struct stat st;
    int fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) != 0) die("cannot open REDOUBT_SHIM_LOG", path);
    if (st.st_size < (off_t) sizeof *log_page) { errno = EINVAL; die("REDOUBT_SHIM_LOG is too short:", path); }
    log_page = mmap(NULL, sizeof *log_page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (log_page == MAP_FAILED) die("cannot map", path);
    if (log_page->magic != LOG_MAGIC || log_page->version != 1) { errno = EPROTO; die("not made by this agent:", path); }
    sys_close(fd);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("REDOUBT_SHIM_SOCKET"), *locks = getenv("REDOUBT_SHIM_LOCKS"), *timeout = getenv("REDOUBT_SHIM_TIMEOUT_MS");
    const char *log = getenv("REDOUBT_SHIM_LOG");
    size_t length = 1024 * SLOT;
    int fd = -1;
    if (!path || !*path) return;
    if (strlen(path) >= sizeof socket_path) { errno = ENAMETOOLONG; die("REDOUBT_SHIM_SOCKET", path); }
    strcpy(socket_path, path);
    if (timeout && atoi(timeout) > 0) timeout_ms = atoi(timeout);
    if (locks && *locks)
    {
        struct stat st;
        if ((fd = sys_openat(AT_FDCWD, locks, O_RDWR | O_CLOEXEC, 0)) < 0 || fstat(fd, &st) != 0) die("cannot open REDOUBT_SHIM_LOCKS", locks);
        for (length = SLOT; length * 2 <= (size_t) st.st_size;) length *= 2;
        if (st.st_size < SLOT) { errno = EINVAL; die("REDOUBT_SHIM_LOCKS is empty:", locks); }
    }
    slots = mmap(NULL, length, PROT_READ | PROT_WRITE, fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
    if (slots == MAP_FAILED) die("cannot map", "the lock table");
    if (fd >= 0) sys_close(fd);
    slot_mask = length / SLOT - 1;
    if (log && *log) map_log_page(log);
    active = 1;
}
