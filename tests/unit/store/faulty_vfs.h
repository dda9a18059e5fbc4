/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_vfs.h -- SQLite's own interface to files, around the usual one, which fails when it is
 * told to, or loses the power: for tests.
 *
 *     vfs_install();                                    once; every database is opened through it
 *     vfs_fail(VFS_SYNC, 3, SQLITE_IOERR_FSYNC, false); the third sync from now fails, once
 *     vfs_fail(VFS_WRITE, 1, SQLITE_FULL, true);        and every write from now on
 *     vfs_heal();
 *
 *     vfs_watch();                                      from now on writes are remembered until
 * synced vfs_power_cut(seed);                              the files as a disk could have them: of
 * what was not synced all, some, parts, or nothing
 *
 * After vfs_power_cut() the process must end: what SQLite remembers is no longer true. */
#ifndef FAULTY_VFS_H
#define FAULTY_VFS_H

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum vfs_operation {
    VFS_OPEN,
    VFS_DELETE,
    VFS_READ,
    VFS_WRITE,
    VFS_TRUNCATE,
    VFS_SYNC,
    VFS_SIZE,
    VFS_LOCK,
    VFS_SHM_MAP,
    VFS_SHM_LOCK,
    VFS_OPERATIONS,
};

#ifdef __clang__ /* Its control flow integrity knows no function of SQLite's. */
#pragma clang attribute push(__attribute__((no_sanitize("cfi-icall"))), apply_to = function)
#endif

/* One write or truncation that is not synced yet. */
struct vfs_change {
    struct vfs_change *next, *previous;
    struct vfs_file *file;
    int64_t offset, old_size;
    size_t len, old_len; /* old_len: how much of the place there was before */
    bool truncates;
    char *data, *old;
};

struct vfs_file {
    sqlite3_file base;
    char path[512];
    bool is_watched;    /* the database or its log */
    int fd;             /* to look at what is there, and to put it back */
    sqlite3_file *real; /* directly behind this struct */
};

static struct {
    sqlite3_vfs *real;
    sqlite3_vfs vfs;
    sqlite3_io_methods methods;
    struct {
        enum vfs_operation operation;
        unsigned nth; /* counted down; 0: nothing is planned */
        int code;
        bool stays;
    } plan;
    unsigned counts[VFS_OPERATIONS]; /* since the last plan */
    unsigned failed;
    bool is_watching;
    struct vfs_change *oldest, *newest;
    void (*instead)(void); /* called instead of failing, and does not return */
} vfs;

/* SQLITE_OK, or what the operation must fail with. */
static int vfs_check(enum vfs_operation operation)
{
    vfs.counts[operation]++;
    if (vfs.plan.nth == 0 || vfs.plan.operation != operation) return SQLITE_OK;
    if (vfs.plan.nth > 1) {
        vfs.plan.nth--;
        return SQLITE_OK;
    }
    if (vfs.instead) vfs.instead();
    if (!vfs.plan.stays) vfs.plan.nth = 0;
    vfs.failed++;
    return vfs.plan.code;
}

static inline void vfs_fail(enum vfs_operation operation, unsigned nth, int code, bool stays)
{
    memset(vfs.counts, 0, sizeof(vfs.counts));
    vfs.failed = 0;
    vfs.plan.operation = operation;
    vfs.plan.nth = nth;
    vfs.plan.code = code;
    vfs.plan.stays = stays;
}

static inline void vfs_heal(void)
{
    vfs.plan.nth = 0;
}

/* ---- what is not synced ---- */

static void vfs_forget(struct vfs_change *change)
{
    *(change->previous ? &change->previous->next : &vfs.oldest) = change->next;
    *(change->next ? &change->next->previous : &vfs.newest) = change->previous;
    free(change->data);
    free(change->old);
    free(change);
}

static void vfs_synced(struct vfs_file *file)
{
    for (struct vfs_change *change = vfs.oldest, *next; change; change = next) {
        next = change->next;
        if (strcmp(change->file->path, file->path) == 0) vfs_forget(change);
    }
}

static int64_t vfs_size_of(const struct vfs_file *file)
{
    struct stat status;
    return fstat(file->fd, &status) == 0 ? (int64_t)status.st_size : 0;
}

static void vfs_remember(struct vfs_file *file, const void *data, size_t len, int64_t offset,
                         bool truncates)
{
    if (!vfs.is_watching || !file->is_watched) return;
    struct vfs_change *change = calloc(1, sizeof(*change));
    int64_t size = vfs_size_of(file);
    size_t room = truncates ? (size_t)(size > offset ? size - offset : 0) : len;
    *change = (struct vfs_change){.file = file,
                                  .offset = offset,
                                  .old_size = size,
                                  .len = len,
                                  .truncates = truncates,
                                  .previous = vfs.newest};
    change->old = malloc(room + 1);
    change->data = malloc(len + 1);
    if (len) memcpy(change->data, data, len);
    ssize_t got = pread(file->fd, change->old, room, (off_t)offset);
    change->old_len = got > 0 ? (size_t)got : 0;
    *(vfs.newest ? &vfs.newest->next : &vfs.oldest) = change;
    vfs.newest = change;
}

static inline void vfs_watch(void)
{
    vfs.is_watching = true;
}

static unsigned vfs_random(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

/* Seed 0 loses all that was not synced; 1 loses nothing; others some, the last sectors of one. */
static inline void vfs_power_cut(unsigned seed)
{
    const unsigned mode = seed;
    for (struct vfs_change *change = vfs.newest; change; change = change->previous) {
        int fd = change->file->fd;
        if (pwrite(fd, change->old, change->old_len, (off_t)change->offset) < 0) abort();
        if (ftruncate(fd, (off_t)change->old_size) != 0) abort();
    }
    for (struct vfs_change *change = vfs.oldest; change; change = change->next) {
        bool kept = mode == 1 || (mode > 1 && vfs_random(&seed) % 2);
        size_t len = change->len;
        if (!kept) continue;
        if (change->truncates && ftruncate(change->file->fd, (off_t)change->offset) != 0) abort();
        if (mode > 1 && len > 512 && vfs_random(&seed) % 4 == 0)
            len = len / 512 * 512 - 512 * (vfs_random(&seed) % (unsigned)(len / 512));
        if (pwrite(change->file->fd, change->data, len, (off_t)change->offset) < 0) abort();
    }
    /* The index of the log is memory, and gone. */
    for (struct vfs_change *change = vfs.oldest; change; change = change->next) {
        char path[540];
        snprintf(path, sizeof(path), "%s", change->file->path);
        char *end = strstr(path, "-wal");
        if (end) memcpy(end, "-shm", 4);
        if (end) unlink(path);
    }
}

/* ---- files ---- */

#define VFS_REAL(file) (((struct vfs_file *)(file))->real)
#define VFS_CHECK(operation)                                                                       \
    do {                                                                                           \
        int code_ = vfs_check(operation);                                                          \
        if (code_ != SQLITE_OK) return code_;                                                      \
    } while (0)

static int vfs_close(sqlite3_file *base)
{
    struct vfs_file *file = (struct vfs_file *)base;
    /* What is left is the system's to write. */
    for (struct vfs_change *change = vfs.oldest, *next; change; change = next) {
        next = change->next;
        if (change->file == file) vfs_forget(change);
    }
    if (file->fd >= 0) close(file->fd);
    return file->real->pMethods ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
}

static int vfs_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset)
{
    VFS_CHECK(VFS_READ);
    return VFS_REAL(file)->pMethods->xRead(VFS_REAL(file), data, len, offset);
}

static int vfs_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    VFS_CHECK(VFS_WRITE);
    vfs_remember((struct vfs_file *)file, data, (size_t)len, offset, false);
    return VFS_REAL(file)->pMethods->xWrite(VFS_REAL(file), data, len, offset);
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    VFS_CHECK(VFS_TRUNCATE);
    vfs_remember((struct vfs_file *)file, NULL, 0, size, true);
    return VFS_REAL(file)->pMethods->xTruncate(VFS_REAL(file), size);
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    VFS_CHECK(VFS_SYNC);
    int code = VFS_REAL(file)->pMethods->xSync(VFS_REAL(file), flags);
    if (code == SQLITE_OK) vfs_synced((struct vfs_file *)file);
    return code;
}

static int vfs_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    VFS_CHECK(VFS_SIZE);
    return VFS_REAL(file)->pMethods->xFileSize(VFS_REAL(file), size);
}

static int vfs_lock(sqlite3_file *file, int level)
{
    VFS_CHECK(VFS_LOCK);
    return VFS_REAL(file)->pMethods->xLock(VFS_REAL(file), level);
}

static int vfs_unlock(sqlite3_file *file, int level)
{
    return VFS_REAL(file)->pMethods->xUnlock(VFS_REAL(file), level);
}

static int vfs_check_reserved(sqlite3_file *file, int *out)
{
    return VFS_REAL(file)->pMethods->xCheckReservedLock(VFS_REAL(file), out);
}

static int vfs_control(sqlite3_file *file, int what, void *data)
{
    return VFS_REAL(file)->pMethods->xFileControl(VFS_REAL(file), what, data);
}

static int vfs_sector(sqlite3_file *file)
{
    return VFS_REAL(file)->pMethods->xSectorSize(VFS_REAL(file));
}

static int vfs_device(sqlite3_file *file)
{
    return VFS_REAL(file)->pMethods->xDeviceCharacteristics(VFS_REAL(file));
}

static int vfs_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **data)
{
    VFS_CHECK(VFS_SHM_MAP);
    return VFS_REAL(file)->pMethods->xShmMap(VFS_REAL(file), page, size, extend, data);
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if (flags & SQLITE_SHM_LOCK) VFS_CHECK(VFS_SHM_LOCK); /* giving back cannot fail */
    return VFS_REAL(file)->pMethods->xShmLock(VFS_REAL(file), offset, count, flags);
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    VFS_REAL(file)->pMethods->xShmBarrier(VFS_REAL(file));
}

static int vfs_shm_unmap(sqlite3_file *file, int remove)
{
    return VFS_REAL(file)->pMethods->xShmUnmap(VFS_REAL(file), remove);
}

static int vfs_open(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags,
                    int *ret_flags)
{
    struct vfs_file *file = (struct vfs_file *)base;
    (void)self;
    file->base.pMethods = NULL;
    VFS_CHECK(VFS_OPEN);
    file->real = (sqlite3_file *)(file + 1);
    int code = vfs.real->xOpen(vfs.real, name, file->real, flags, ret_flags);
    if (code != SQLITE_OK) return code;
    snprintf(file->path, sizeof(file->path), "%s", name ? name : "");
    file->is_watched = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL);
    /* Closing a second descriptor would drop SQLite's locks on the database: only while watching,
     * in a process that is going to end. */
    file->fd = file->is_watched && vfs.is_watching ? open(name, O_RDWR | O_CLOEXEC) : -1;
    file->base.pMethods = &vfs.methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *self, const char *name, int sync_directory)
{
    (void)self;
    VFS_CHECK(VFS_DELETE);
    return vfs.real->xDelete(vfs.real, name, sync_directory);
}

static inline void vfs_install(void)
{
    vfs.real = sqlite3_vfs_find(NULL);
    vfs.vfs = *vfs.real;
    vfs.vfs.zName = "faulty";
    vfs.vfs.szOsFile = (int)sizeof(struct vfs_file) + vfs.real->szOsFile;
    vfs.vfs.xOpen = vfs_open;
    vfs.vfs.xDelete = vfs_delete;
    vfs.methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = vfs_close,
        .xRead = vfs_read,
        .xWrite = vfs_write,
        .xTruncate = vfs_truncate,
        .xSync = vfs_sync,
        .xFileSize = vfs_file_size,
        .xLock = vfs_lock,
        .xUnlock = vfs_unlock,
        .xCheckReservedLock = vfs_check_reserved,
        .xFileControl = vfs_control,
        .xSectorSize = vfs_sector,
        .xDeviceCharacteristics = vfs_device,
        .xShmMap = vfs_shm_map,
        .xShmLock = vfs_shm_lock,
        .xShmBarrier = vfs_shm_barrier,
        .xShmUnmap = vfs_shm_unmap,
    };
    if (sqlite3_vfs_register(&vfs.vfs, 1) != SQLITE_OK) abort();
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
