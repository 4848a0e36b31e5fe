/* configfs-tsm over FUSE 3. A few worker threads of ours instead of libfuse's loop, so that the end
 * does not depend on anybody closing files: each waits for the device or for the stop event. */
#define FUSE_USE_VERSION 314
#include "sim/tsm_fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_log.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/tsm_tree.h"

enum { WORKERS = 6, NAP_MS = 10 };

struct sim_tsm {
    struct sim_machine *machine;
    struct fuse *fuse;
    int stop_event;
    atomic_bool stopping;
    pthread_t workers[WORKERS];
    unsigned worker_count;
    bool mounted;
    pthread_mutex_t lock;
    struct tsm_tree tree; /* under lock */
};

/* One open file. */
struct handle {
    enum tsm_attribute attribute;
    uint64_t serial;  /* of its entry */
    struct buf data;  /* what was written, or what reading gives */
    bool dirty;       /* written and not committed */
    bool has_content; /* reading: data was made */
    pthread_mutex_t lock;
};

static struct sim_tsm *the_tsm(void)
{
    return fuse_get_context()->private_data;
}

static struct handle *the_handle(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh;
}

/* --- directories --- */

static void *on_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
    (void)conn;
    cfg->direct_io = 1;
    cfg->entry_timeout = 0;
    cfg->attr_timeout = 0;
    cfg->negative_timeout = 0;
    return the_tsm();
}

static void describe(enum tsm_kind kind, enum tsm_attribute attribute, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_uid = geteuid();
    st->st_gid = getegid();
    st->st_nlink = kind == TSM_FILE ? 1 : 2;
    st->st_mode = kind != TSM_FILE          ? S_IFDIR | 0755
                  : attribute == TSM_INBLOB ? S_IFREG | 0200
                                            : S_IFREG | 0444;
}

static int lookup(const char *path, enum tsm_kind *kind, enum tsm_attribute *attribute,
                  uint64_t *serial)
{
    struct sim_tsm *tsm = the_tsm();
    struct tsm_entry *entry;
    *attribute = TSM_ATTRIBUTES;
    pthread_mutex_lock(&tsm->lock);
    int failed = tsm_lookup(&tsm->tree, path, kind, &entry, attribute);
    if (failed == 0 && entry != NULL)
        *serial = entry->serial;
    pthread_mutex_unlock(&tsm->lock);
    return failed;
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    enum tsm_kind kind;
    enum tsm_attribute attribute;
    uint64_t serial;
    (void)fi;
    int failed = lookup(path, &kind, &attribute, &serial);
    if (failed == 0)
        describe(kind, attribute, st);
    return -failed;
}

static int on_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
    struct sim_tsm *tsm = the_tsm();
    enum tsm_kind kind;
    enum tsm_attribute attribute;
    uint64_t serial;
    (void)offset;
    (void)fi;
    (void)flags;
    int failed = lookup(path, &kind, &attribute, &serial);
    if (failed != 0 || kind == TSM_FILE)
        return failed != 0 ? -failed : -ENOTDIR;
    fill(out, ".", NULL, 0, 0);
    fill(out, "..", NULL, 0, 0);
    if (kind == TSM_ENTRY) {
        for (int i = 0; i < TSM_ATTRIBUTES; i++)
            fill(out, tsm_attribute_names[i], NULL, 0, 0);
        return 0;
    }
    pthread_mutex_lock(&tsm->lock);
    for (size_t i = 0; i < SIM_TSM_ENTRIES_MAX; i++)
        if (tsm->tree.entries[i].name[0] != '\0')
            fill(out, tsm->tree.entries[i].name, NULL, 0, 0);
    pthread_mutex_unlock(&tsm->lock);
    return 0;
}

static int on_mkdir(const char *path, mode_t mode)
{
    struct sim_tsm *tsm = the_tsm();
    (void)mode;
    if (sim_machine_scenario(tsm->machine).tsm_errno == ENXIO)
        return -ENXIO;
    pthread_mutex_lock(&tsm->lock);
    int failed = tsm_make(&tsm->tree, path);
    pthread_mutex_unlock(&tsm->lock);
    return -failed;
}

static int on_rmdir(const char *path)
{
    struct sim_tsm *tsm = the_tsm();
    pthread_mutex_lock(&tsm->lock);
    int failed = tsm_remove(&tsm->tree, path);
    pthread_mutex_unlock(&tsm->lock);
    return -failed;
}

static int on_unlink(const char *path)
{
    (void)path;
    return -EPERM; /* attributes live and die with their directory */
}

/* --- files --- */

static int on_open(const char *path, struct fuse_file_info *fi)
{
    enum tsm_kind kind;
    enum tsm_attribute attribute;
    uint64_t serial;
    int failed = lookup(path, &kind, &attribute, &serial);
    if (failed != 0 || kind != TSM_FILE)
        return failed != 0 ? -failed : -EISDIR;
    int wants = fi->flags & O_ACCMODE;
    if (wants != (attribute == TSM_INBLOB ? O_WRONLY : O_RDONLY))
        return -EACCES;
    struct handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return -ENOMEM;
    pthread_mutex_init(&handle->lock, NULL);
    handle->attribute = attribute;
    handle->serial = serial;
    handle->data =
        BUF_INIT(attribute == TSM_INBLOB ? (size_t)TSM_INBLOB_MAX : (size_t)SIM_QUOTE_MAX);
    fi->fh = (uint64_t)(uintptr_t)handle;
    fi->direct_io = 1;
    fi->nonseekable = 1;
    return 0;
}

/* Shells open with O_TRUNC; configfs does not mind. */
static int on_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
    enum tsm_kind kind;
    enum tsm_attribute attribute;
    uint64_t serial;
    (void)size;
    (void)fi;
    int failed = lookup(path, &kind, &attribute, &serial);
    return failed != 0 ? -failed : kind == TSM_FILE && attribute == TSM_INBLOB ? 0 : -EACCES;
}

static int on_write(const char *path, const char *data, size_t len, off_t offset,
                    struct fuse_file_info *fi)
{
    struct handle *handle = the_handle(fi);
    (void)path;
    (void)offset; /* not seekable: always at the end */
    pthread_mutex_lock(&handle->lock);
    bool ok = handle->attribute == TSM_INBLOB && buf_append(&handle->data, slice_of(data, len));
    handle->dirty = handle->dirty || ok;
    pthread_mutex_unlock(&handle->lock);
    return ok ? (int)len : -EFBIG;
}

/* close() waits for this one, not for release: here the kernel would commit. */
static int on_flush(const char *path, struct fuse_file_info *fi)
{
    struct sim_tsm *tsm = the_tsm();
    struct handle *handle = the_handle(fi);
    (void)path;
    pthread_mutex_lock(&handle->lock);
    bool commit = handle->dirty;
    handle->dirty = false;
    pthread_mutex_lock(&tsm->lock);
    struct tsm_entry *entry = tsm_by_serial(&tsm->tree, handle->serial);
    if (commit && entry != NULL)
        tsm_commit(entry, buf_slice(&handle->data));
    pthread_mutex_unlock(&tsm->lock);
    pthread_mutex_unlock(&handle->lock);
    return 0;
}

static int on_release(const char *path, struct fuse_file_info *fi)
{
    struct handle *handle = the_handle(fi);
    (void)path;
    buf_free(&handle->data);
    pthread_mutex_destroy(&handle->lock);
    free(handle);
    return 0;
}

/* --- reading --- */

/* Slow reads wait their time, silent ones until the scenario changes. False when the reader gave up
 * or the file system ends. */
static bool wait_as_told(struct sim_tsm *tsm, const struct sim_scenario *told)
{
    const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
    int64_t until = clock_monotonic_ms() + told->tsm_slow_ms;
    while (told->tsm_silent ? sim_machine_scenario(tsm->machine).tsm_silent
                            : clock_monotonic_ms() < until) {
        if (atomic_load(&tsm->stopping) || fuse_interrupted())
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

/* The faults of this read: 0 = go on. */
static int read_fault(struct sim_tsm *tsm, bool *empty)
{
    int fault = 0;
    struct sim_scenario s = sim_machine_scenario(tsm->machine);
    *empty = s.tsm_empty;
    if (sim_machine_tsm_fails(tsm->machine, &fault))
        return fault;
    return wait_as_told(tsm, &s) ? 0 : EINTR;
}

static int make_outblob(struct sim_tsm *tsm, const struct tsm_entry *entry, struct buf *out)
{
    bool empty = false;
    if (entry->inblob_len != TSM_INBLOB_MAX)
        return EINVAL;
    int fault = read_fault(tsm, &empty);
    if (fault != 0 || empty)
        return fault;
    return sim_machine_quote(tsm->machine, entry->inblob, out, NULL) ? 0 : EIO;
}

static int make_content(struct sim_tsm *tsm, struct handle *handle)
{
    pthread_mutex_lock(&tsm->lock);
    struct tsm_entry *entry = tsm_by_serial(&tsm->tree, handle->serial);
    struct tsm_entry copy = entry == NULL ? (struct tsm_entry){0} : *entry;
    pthread_mutex_unlock(&tsm->lock);
    if (entry == NULL)
        return ENOENT;
    switch (handle->attribute) {
    case TSM_OUTBLOB:
        return make_outblob(tsm, &copy, &handle->data);
    case TSM_GENERATION:
        return buf_printf(&handle->data, "%llu\n", (unsigned long long)copy.generation) ? 0 : EIO;
    case TSM_PROVIDER:
        return buf_append_str(&handle->data, "tdx_guest\n") ? 0 : EIO;
    default:
        return EACCES;
    }
}

static int on_read(const char *path, char *out, size_t max, off_t offset, struct fuse_file_info *fi)
{
    struct handle *handle = the_handle(fi);
    (void)path;
    pthread_mutex_lock(&handle->lock);
    int failed = handle->has_content ? 0 : make_content(the_tsm(), handle);
    handle->has_content = failed == 0;
    struct slice part = slice_cut(buf_slice(&handle->data), (size_t)offset, max);
    if (failed == 0 && part.len > 0)
        memcpy(out, part.data, part.len);
    pthread_mutex_unlock(&handle->lock);
    return failed != 0 ? -failed : (int)part.len;
}

static const struct fuse_operations operations = {
    .init = on_init,
    .getattr = on_getattr,
    .readdir = on_readdir,
    .mkdir = on_mkdir,
    .rmdir = on_rmdir,
    .unlink = on_unlink,
    .open = on_open,
    .truncate = on_truncate,
    .write = on_write,
    .flush = on_flush,
    .release = on_release,
    .read = on_read,
};

/* --- life --- */

/* libfuse explains a failed mount on stderr only; keep its last line for the error instead. */
static _Thread_local char last_words[160];

PRINTF_LIKE(2, 0)
static void keep_words(enum fuse_log_level level, const char *format, va_list args)
{
    (void)level;
    vsnprintf(last_words, sizeof last_words, format, args);
    last_words[strcspn(last_words, "\n")] = '\0';
}

static void *work(void *arg)
{
    struct sim_tsm *tsm = arg;
    struct fuse_session *session = fuse_get_session(tsm->fuse);
    struct fuse_buf request = {0};
    struct pollfd watch[2] = {{.fd = fuse_session_fd(session), .events = POLLIN},
                              {.fd = tsm->stop_event, .events = POLLIN}};
    while (!atomic_load(&tsm->stopping)) {
        if (poll(watch, 2, -1) < 0 && errno != EINTR)
            break;
        if ((watch[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
            break; /* unmounted by somebody else */
        if ((watch[0].revents & POLLIN) == 0)
            continue;
        int got = fuse_session_receive_buf(session, &request);
        if (got > 0)
            fuse_session_process_buf(session, &request);
        else if (got != -EINTR && got != -EAGAIN)
            break;
    }
    free(request.mem);
    return NULL;
}

static bool start_workers(struct sim_tsm *tsm, struct error *err)
{
    sigset_t all;
    sigset_t before;
    int failed = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (failed == 0 && tsm->worker_count < WORKERS) {
        failed = pthread_create(&tsm->workers[tsm->worker_count], NULL, work, tsm);
        tsm->worker_count += failed == 0 ? 1 : 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0 || error_set(err, "sim/fuse", NULL, "cannot start a thread");
}

/* What a killed process leaves behind answers every call with ENOTCONN. */
static void remove_dead_mount(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOTCONN)
        umount2(path, MNT_DETACH);
}

static bool mount_tree(struct sim_tsm *tsm, const char *path, struct error *err)
{
    char program[] = "mero-sim";
    char flag[] = "-o";
    char options_root[] = "fsname=mero-sim,subtype=tsm,allow_other";
    char options_user[] = "fsname=mero-sim,subtype=tsm";
    char *argv[] = {program, flag, geteuid() == 0 ? options_root : options_user, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    fuse_set_log_func(keep_words);
    last_words[0] = '\0';
    if (access("/dev/fuse", R_OK | W_OK) != 0)
        return error_set(err, "sim/fuse", path, "cannot open /dev/fuse: %s", strerror(errno));
    tsm->fuse = fuse_new(&args, &operations, sizeof operations, tsm);
    fuse_opt_free_args(&args);
    if (tsm->fuse == NULL || fuse_mount(tsm->fuse, path) != 0)
        return error_set(err, "sim/fuse", path, "cannot mount on %s: %s", path,
                         last_words[0] != '\0' ? last_words : strerror(errno));
    tsm->mounted = true;
    int fd = fuse_session_fd(fuse_get_session(tsm->fuse));
    int flags = fcntl(fd, F_GETFL);
    return (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ||
           error_set(err, "sim/fuse", path, "cannot poll the FUSE device");
}

bool sim_tsm_start(struct sim_machine *machine, const char *path, struct sim_tsm **out,
                   struct error *err)
{
    struct sim_tsm *tsm = calloc(1, sizeof *tsm);
    if (tsm == NULL)
        return error_set(err, "sim/memory", NULL, "out of memory");
    tsm->machine = machine;
    pthread_mutex_init(&tsm->lock, NULL);
    tsm->stop_event = eventfd(0, EFD_CLOEXEC);
    remove_dead_mount(path);
    if (!file_make_dirs(path, 0755, err) || !mount_tree(tsm, path, err) ||
        !start_workers(tsm, err)) {
        sim_tsm_stop(&tsm);
        return false;
    }
    *out = tsm;
    return true;
}

void sim_tsm_stop(struct sim_tsm **tsm)
{
    struct sim_tsm *t = *tsm;
    if (t == NULL)
        return;
    *tsm = NULL;
    atomic_store(&t->stopping, true);
    eventfd_write(t->stop_event, 1);
    for (unsigned i = 0; i < t->worker_count; i++)
        pthread_join(t->workers[i], NULL);
    if (t->mounted)
        fuse_unmount(t->fuse);
    if (t->fuse != NULL)
        fuse_destroy(t->fuse);
    close(t->stop_event);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
