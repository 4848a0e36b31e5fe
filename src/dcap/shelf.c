/* Slots in memory, files behind them. */
#include "dcap/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

/* One document in memory. */
struct slot {
    struct document_key key;
    struct document_mark mark;
    struct collateral documents;
    uint64_t used; /* for eviction: larger is more recent */
};

struct shelf {
    pthread_mutex_t lock;
    char *dir; /* NULL = memory only */
    const struct dcap_root *root;
    const struct dcap_notices *notices;
    uint64_t clock;
    size_t count;
    struct slot *slots[SHELF_SLOTS_MAX];
};

static const char *const file_prefixes[] = {"tcb-info-", "qe-identity-", "pck-crl-", "root-crl"};
static const char file_suffix[] = ".json";

bool shelf_open(const char *dir, const struct dcap_root *root, const struct dcap_notices *notices,
                struct shelf **out, struct error *err)
{
    if (dir != NULL && !file_make_dirs(dir, 0700, err))
        return false;
    struct shelf *s = calloc(1, sizeof *s);
    char *own_dir = dir != NULL ? strdup(dir) : NULL;
    if (s == NULL || (dir != NULL && own_dir == NULL)) {
        free(s);
        free(own_dir);
        return error_set(err, "memory", NULL, "out of memory");
    }
    pthread_mutex_init(&s->lock, NULL);
    s->dir = own_dir;
    s->root = root;
    s->notices = notices;
    *out = s;
    return true;
}

static void slot_free(struct slot *slot)
{
    collateral_free(&slot->documents);
    free(slot);
}

void shelf_close(struct shelf **s)
{
    struct shelf *mine = *s;
    *s = NULL;
    if (mine == NULL)
        return;
    for (size_t i = 0; i < mine->count; i++)
        slot_free(mine->slots[i]);
    pthread_mutex_destroy(&mine->lock);
    free(mine->dir);
    free(mine);
}

static struct slot *find_slot(struct shelf *s, const struct document_key *key)
{
    for (size_t i = 0; i < s->count; i++) {
        if (document_key_equal(&s->slots[i]->key, key)) {
            s->slots[i]->used = ++s->clock;
            return s->slots[i];
        }
    }
    return NULL;
}

/* A slot for a new key: the least recently used one when there is no room. NULL without memory. */
static struct slot *new_slot(struct shelf *s, const struct document_key *key)
{
    struct slot *slot = calloc(1, sizeof *slot);
    size_t at = s->count;
    if (slot == NULL)
        return NULL;
    if (s->count == SHELF_SLOTS_MAX) {
        at = 0;
        for (size_t i = 1; i < s->count; i++)
            if (s->slots[i]->used < s->slots[at]->used)
                at = i;
        slot_free(s->slots[at]);
    } else {
        s->count++;
    }
    collateral_init(&slot->documents);
    slot->key = *key;
    slot->used = ++s->clock;
    return s->slots[at] = slot;
}

/* Puts a verified document into memory. */
static bool remember(struct shelf *s, const struct document_key *key,
                     const struct document_mark *mark, const struct collateral *from,
                     struct error *err)
{
    struct slot *slot = find_slot(s, key);
    if (slot == NULL)
        slot = new_slot(s, key);
    if (slot == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    if (!collateral_copy(document_parts(key->kind), from, &slot->documents, err))
        return false;
    slot->mark = *mark;
    return true;
}

static bool file_path(const struct shelf *s, const struct document_key *key,
                      char out[PATH_TEXT_MAX], struct error *err)
{
    char name[DOCUMENT_NAME_MAX], file[DOCUMENT_NAME_MAX + sizeof file_suffix];
    document_key_name(key, name);
    snprintf(file, sizeof file, "%s%s", name, file_suffix);
    return path_join(s->dir, file, out, err);
}

/* Brings memory up to what the file says, if it says anything newer. A file that cannot be read or
 * believed counts as none. */
static void look_at_disk(struct shelf *s, const struct document_key *key,
                         const struct pck_issuer *issuer, bool warn)
{
    char path[PATH_TEXT_MAX];
    struct error err;
    struct document_mark mark;
    BUF_AUTO struct buf text = BUF_INIT(COLLATERAL_FILE_MAX);
    COLLATERAL_AUTO struct collateral documents;
    collateral_init(&documents);
    if (s->dir == NULL || !file_path(s, key, path, NULL))
        return;
    bool ok = file_read(path, &text, &err);
    if (!ok && error_is(&err, "file/missing"))
        return;
    ok = ok && collateral_read(buf_slice(&text), &documents, &err) &&
         document_inspect(key, &documents, issuer, s->root, &mark, &err);
    struct slot *slot = find_slot(s, key);
    if (ok && (slot == NULL || document_is_older(&slot->mark, &mark)))
        ok = remember(s, key, &mark, &documents, &err);
    if (!ok && warn)
        dcap_notices_warn(s->notices, "cache/unreadable", "%s: %s; it counts as empty", path,
                          err.message);
}

static bool counts(const struct document_mark *mark, int64_t now_s, struct error *err)
{
    return validity_check(mark->spans, mark->span_count, VALIDITY_OF_COLLATERAL, now_s, err);
}

static bool get_locked(struct shelf *s, const struct document_key *key,
                       const struct pck_issuer *issuer, int64_t now_s, struct collateral *into,
                       struct error *err)
{
    char name[DOCUMENT_NAME_MAX];
    struct slot *slot = find_slot(s, key);
    if (slot == NULL || !counts(&slot->mark, now_s, NULL)) {
        look_at_disk(s, key, issuer, true);
        slot = find_slot(s, key);
    }
    document_key_name(key, name);
    if (slot == NULL)
        return error_set(err, "collateral/missing", name, "there is no %s in the cache", name);
    if (!counts(&slot->mark, now_s, err))
        return false;
    return collateral_copy(document_parts(key->kind), &slot->documents, into, err);
}

bool shelf_get(struct shelf *s, const struct document_key *key, const struct pck_issuer *issuer,
               int64_t now_s, struct collateral *into, struct error *err)
{
    pthread_mutex_lock(&s->lock);
    bool ok = get_locked(s, key, issuer, now_s, into, err);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

/* One process at a time compares and replaces. -1 when that cannot be had: memory still counts. */
static int lock_dir(const struct shelf *s)
{
    char path[PATH_TEXT_MAX];
    if (s->dir == NULL || !path_join(s->dir, "lock", path, NULL))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
        ;
    return fd;
}

static void write_file(struct shelf *s, const struct document_key *key,
                       const struct collateral *from)
{
    char path[PATH_TEXT_MAX];
    struct error err;
    BUF_AUTO struct buf text = BUF_INIT(COLLATERAL_FILE_MAX);
    if (s->dir == NULL)
        return;
    if (!file_path(s, key, path, &err) ||
        !collateral_write_parts(from, document_parts(key->kind), &text, &err) ||
        !file_write_atomic(path, buf_slice(&text), 0600, &err))
        dcap_notices_warn(s->notices, "cache/unwritable", "%s; it is kept in memory only",
                          err.message);
}

static bool put_locked(struct shelf *s, const struct document_key *key,
                       const struct pck_issuer *issuer, const struct document_mark *mark,
                       const struct collateral *from, struct error *err)
{
    char name[DOCUMENT_NAME_MAX], date[TIME_TEXT_MAX], there_date[TIME_TEXT_MAX];
    look_at_disk(s, key, issuer, false); /* what cannot be read is about to be replaced */
    struct slot *there = find_slot(s, key);
    if (there != NULL && document_is_older(mark, &there->mark)) {
        document_key_name(key, name);
        time_format_utc(mark->issued_s, date);
        time_format_utc(there->mark.issued_s, there_date);
        return error_set(err, "collateral/older", name,
                         "%s of %s (evaluation number %u) is older than the one of %s (%u) seen "
                         "before",
                         name, date, mark->evaluation_number, there_date,
                         there->mark.evaluation_number);
    }
    if (!remember(s, key, mark, from, err))
        return false;
    write_file(s, key, from);
    return true;
}

bool shelf_put(struct shelf *s, const struct document_key *key, const struct pck_issuer *issuer,
               int64_t now_s, const struct collateral *from, struct error *err)
{
    struct document_mark mark;
    if (!document_inspect(key, from, issuer, s->root, &mark, err) || !counts(&mark, now_s, err))
        return false;
    pthread_mutex_lock(&s->lock);
    int fd = lock_dir(s);
    bool ok = put_locked(s, key, issuer, &mark, from, err);
    if (fd >= 0)
        close(fd);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

static bool is_ours(const char *name)
{
    size_t len = strlen(name), suffix = strlen(file_suffix);
    if (len < suffix || strcmp(&name[len - suffix], file_suffix) != 0)
        return false;
    for (size_t i = 0; i < sizeof file_prefixes / sizeof file_prefixes[0]; i++)
        if (strncmp(name, file_prefixes[i], strlen(file_prefixes[i])) == 0)
            return true;
    return false;
}

bool shelf_forget(const char *dir, struct error *err)
{
    DIR *handle = opendir(dir);
    struct dirent *entry;
    bool ok = true;
    if (handle == NULL)
        return errno == ENOENT ? true
                               : error_set(err, "file/io", dir, "%s: %s", dir, strerror(errno));
    while (ok && (entry = readdir(handle)) != NULL)
        if (is_ours(entry->d_name) && unlinkat(dirfd(handle), entry->d_name, 0) != 0)
            ok = error_set(err, "file/io", entry->d_name, "%s/%s: %s", dir, entry->d_name,
                           strerror(errno));
    closedir(handle);
    return ok;
}
