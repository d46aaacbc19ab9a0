/* Records what a process does to the files under POWER_LOSS_DIR, in order, into POWER_LOSS_LOG.
 *
 * Preloaded into the process under test. Each record: an operation byte, inode (8), offset (8), length of the first
 * and of the second byte string (4 each), the strings. All little-endian. Operations:
 *   W write: data        T truncate to offset     C create: path       R rename: from, to   U unlink: path
 *   D make directory: path     S sync of a file   Y sync of a directory: path     M write to standard output: data
 * With FAIL_SYNC=n every nth sync of a log file fails with EIO, with FAIL_WRITE=n every nth write to one with ENOSPC.
 * One lock covers each call and its record, so the order of records is the order of calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char root[4096];
static size_t root_length;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
    const char *directory = getenv("POWER_LOSS_DIR"), *path = getenv("POWER_LOSS_LOG");
    if (!directory || !path) return;
    snprintf(root, sizeof root, "%s", directory);
    root_length = strlen(root);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        long done = syscall(SYS_write, log_fd, at, length);
        if (done <= 0) abort();
        at += done;
        length -= (size_t)done;
    }
}

static void record(char operation, uint64_t inode, uint64_t offset, const void *a, size_t a_length, const char *b) {
    char head[25];
    uint32_t lengths[2] = {(uint32_t)a_length, b ? (uint32_t)strlen(b) : 0};
    head[0] = operation;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, lengths, 8);
    put(head, sizeof head);
    if (a_length) put(a, a_length);
    if (b) put(b, lengths[1]);
}

static int ends_with(const char *path, const char *end) {
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

/* The shared index of the log is rebuilt after a loss of power, and the lock file holds nothing. */
static int is_watched(const char *path) {
    return log_fd >= 0 && strncmp(path, root, root_length) == 0 && !ends_with(path, "-shm") && !ends_with(path, "/lock");
}

static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlink, link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

/* Whether this call is the nth on a log file; the lock is held. */
static int fails(const char *variable, const char *path, unsigned long *count, int error) {
    const char *every = getenv(variable);
    if (!every || !ends_with(path, "-wal") || ++*count % strtoul(every, NULL, 10) != 0) return 0;
    errno = error;
    return 1;
}
static unsigned long syncs, writes;

static uint64_t inode_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (!(flags & (O_CREAT | O_TRUNC)) || !is_watched(path)) return real(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat st;
    int was_there = stat(path, &st) == 0;
    int fd = real(path, flags, mode);
    if (fd >= 0 && !was_there) record('C', inode_of(fd), 0, path, strlen(path), NULL);
    if (fd >= 0 && was_there && (flags & O_TRUNC)) record('T', inode_of(fd), 0, NULL, 0, NULL);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        va_list list;                                     \
        va_start(list, flags);                            \
        mode_t mode = va_arg(list, mode_t);               \
        va_end(list);                                     \
        return opened(REAL(name), path, flags, mode);     \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t length) {
    char path[4096];
    int is_output = log_fd >= 0 && fd == 1;
    if (!is_output && !path_of(fd, path, sizeof path)) return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&lock);
    off_t at = is_output ? 0 : lseek(fd, 0, SEEK_CUR);
    int failed = !is_output && fails("FAIL_WRITE", path, &writes, ENOSPC);
    ssize_t done = failed ? -1 : REAL(write)(fd, bytes, length);
    if (done > 0) record(is_output ? 'M' : 'W', is_output ? 0 : inode_of(fd), (uint64_t)at, bytes, (size_t)done, NULL);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(name, offset_type)                                                                     \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type at) {                          \
        char path[4096];                                                                              \
        if (!path_of(fd, path, sizeof path)) return REAL(name)(fd, bytes, length, at);                \
        pthread_mutex_lock(&lock);                                                                    \
        int failed = fails("FAIL_WRITE", path, &writes, ENOSPC);                                      \
        ssize_t done = failed ? -1 : REAL(name)(fd, bytes, length, at);                               \
        if (done > 0) record('W', inode_of(fd), (uint64_t)at, bytes, (size_t)done, NULL);             \
        pthread_mutex_unlock(&lock);                                                                  \
        return done;                                                                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_type)                                                                   \
    int name(int fd, offset_type length) {                                                            \
        char path[4096];                                                                              \
        if (!path_of(fd, path, sizeof path)) return REAL(name)(fd, length);                           \
        pthread_mutex_lock(&lock);                                                                    \
        int result = REAL(name)(fd, length);                                                          \
        if (result == 0) record('T', inode_of(fd), (uint64_t)length, NULL, 0, NULL);                  \
        pthread_mutex_unlock(&lock);                                                                  \
        return result;                                                                                \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name)                                                                                    \
    int name(int fd) {                                                                                \
        char path[4096];                                                                              \
        if (!path_of(fd, path, sizeof path)) return REAL(name)(fd);                                   \
        pthread_mutex_lock(&lock);                                                                    \
        struct stat st;                                                                               \
        int failed = fails("FAIL_SYNC", path, &syncs, EIO);                                           \
        int result = !failed && fstat(fd, &st) == 0 ? REAL(name)(fd) : -1;                            \
        if (result == 0 && S_ISDIR(st.st_mode)) record('Y', 0, 0, path, strlen(path), NULL);          \
        if (result == 0 && !S_ISDIR(st.st_mode)) record('S', (uint64_t)st.st_ino, 0, NULL, 0, NULL);  \
        pthread_mutex_unlock(&lock);                                                                  \
        return result;                                                                                \
    }
SYNC(fsync)
SYNC(fdatasync)

int rename(const char *from, const char *to) {
    if (!is_watched(from)) return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    if (result == 0) record('R', 0, 0, from, strlen(from), to);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    if (!is_watched(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = REAL(unlink)(path);
    if (result == 0) record('U', 0, 0, path, strlen(path), NULL);
    pthread_mutex_unlock(&lock);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    if (!is_watched(path)) return REAL(mkdir)(path, mode);
    pthread_mutex_lock(&lock);
    int result = REAL(mkdir)(path, mode);
    if (result == 0) record('D', 0, 0, path, strlen(path), NULL);
    pthread_mutex_unlock(&lock);
    return result;
}
