/* The audit log. `lock` covers everything; the file is synced with it released, by one thread for
 * all that wait. */
#include "kms/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_reader.h"
#include "base/secret.h"

/* Where the chain is: rolled back when what was built on it could not be written. */
struct chain {
    uint64_t seq;
    uint8_t mac[AUDIT_MAC_LEN];
};

struct kms_audit {
    pthread_mutex_t lock;
    pthread_cond_t synced;
    char *path;
    int fd;
    struct secret key;
    struct chain next;    /* as after everything in `pending` */
    struct chain written; /* as in the file */
    uint64_t size;        /* of the file */
    struct buf pending;   /* lines that are not in the file yet */
    uint64_t pending_refusals, pending_summary;
    bool syncing, failing;
    uint64_t synced_seq;
    uint64_t suppressed, dropped;
    uint64_t tokens; /* thousandths of a refusal */
    int64_t filled_ms;
};

/* ---- opening ---- */

struct tail_line {
    uint64_t seq;
    uint8_t mac[AUDIT_MAC_LEN];
};

static bool read_tail_line(struct slice line, struct chain *out, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct tail_line, seq, "seq", json_field_uint),
        JSON_FIELD(struct tail_line, mac, "mac", json_field_hex),
    };
    struct tail_line tail = {0};
    struct json_reader reader;
    json_reader_open(&reader, line);
    json_reader_fields(&reader, fields, 2, &tail, NULL);
    if (!json_reader_finish(&reader))
        return error_set(err, "audit/format", "audit log",
                         "the last line is not one of an audit log: %s", reader.problem);
    out->seq = tail.seq;
    memcpy(out->mac, tail.mac, sizeof(out->mac));
    return true;
}

/* The last complete line decides where the chain goes on; what follows it was never acknowledged.
 */
static bool find_end(int fd, uint64_t *size, struct chain *chain, struct error *err)
{
    uint8_t tail[2 * AUDIT_LINE_MAX];
    uint64_t from = *size > sizeof(tail) ? *size - sizeof(tail) : 0;
    ssize_t got = pread(fd, tail, sizeof(tail), (off_t)from);
    if (got < 0)
        return error_set(err, "audit/open", "audit log", "cannot read: %s", strerror(errno));
    size_t end = (size_t)got;
    while (end > 0 && tail[end - 1] != '\n')
        end--;
    *size = from + end;
    if (end == 0)
        return from == 0 || error_set(err, "audit/format", "audit log", "a line without an end");
    size_t start = end - 1;
    while (start > 0 && tail[start - 1] != '\n')
        start--;
    return read_tail_line(slice_of(&tail[start], end - 1 - start), chain, err);
}

static bool open_file(struct kms_audit *a, bool continues, struct error *err)
{
    struct stat st;
    struct chain found = {0};
    int fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set(err, "audit/open", a->path, "cannot open %s: %s", a->path,
                         strerror(errno));
    bool ok = true;
    uint64_t size = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        ok = error_set(err, "audit/busy", a->path, "%s is in use by another process", a->path);
    else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        ok = error_set(err, "audit/open", a->path, "%s is not a regular file", a->path);
    else
        size = (uint64_t)st.st_size;
    uint64_t whole = size;
    ok = ok && find_end(fd, &whole, &found, err);
    if (ok && whole < size && ftruncate(fd, (off_t)whole) != 0)
        ok = error_set(err, "audit/open", a->path, "cannot cut %s: %s", a->path, strerror(errno));
    if (!ok) {
        close(fd);
        return false;
    }
    a->fd = fd;
    a->size = whole;
    if (!continues || whole > 0)
        a->written = a->next = found;
    return true;
}

bool kms_audit_open(const char *path, struct kms_audit **out, struct error *err)
{
    struct kms_audit *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return error_set(err, "audit/open", path, "out of memory");
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->synced, NULL);
    a->fd = -1;
    a->path = strdup(path);
    a->pending = BUF_INIT(AUDIT_PENDING_MAX);
    a->tokens = (uint64_t)AUDIT_REFUSALS_BURST * 1000;
    a->filled_ms = clock_monotonic_ms();
    if (a->path == NULL || !open_file(a, false, err)) {
        kms_audit_close(&a);
        return false;
    }
    *out = a;
    return true;
}

void kms_audit_close(struct kms_audit **audit)
{
    struct kms_audit *a = *audit;
    if (a == NULL)
        return;
    if (a->fd >= 0) {
        kms_audit_flush(a);
        fdatasync(a->fd);
        close(a->fd);
    }
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->synced);
    secret_free(&a->key);
    buf_free(&a->pending);
    free(a->path);
    free(a);
    *audit = NULL;
}

void kms_audit_set_key(struct kms_audit *audit, const uint8_t key[32])
{
    struct secret copy = {0};
    pthread_mutex_lock(&audit->lock);
    if (audit->key.data == NULL && secret_copy(&copy, slice_of(key, 32), NULL))
        audit->key = copy;
    pthread_mutex_unlock(&audit->lock);
}

/* ---- lines ---- */

static void text_member(struct buf *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    buf_printf(out, ",\"%s\":", name);
    json_append_string(out, slice_cut(slice_str(text), 0, 400));
}

static void hex_member(struct buf *out, const char *name, const uint8_t *bytes, size_t len)
{
    buf_printf(out, ",\"%s\":\"", name);
    hex_append(out, slice_of(bytes, len));
    buf_append_byte(out, '"');
}

static void verdict_members(struct buf *out, const struct verdict *v)
{
    static const char *const names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    text_member(out, "tcb", tcb_status_name(v->status));
    hex_member(out, "fmspc", v->fmspc, sizeof(v->fmspc));
    hex_member(out, "mrtd", v->mrtd, sizeof(v->mrtd));
    for (size_t i = 0; i < 4; i++)
        hex_member(out, names[i], v->rtmr[i], sizeof(v->rtmr[i]));
}

static void record_members(struct buf *out, const struct kms_audit_record *r)
{
    text_member(out, "event", r->event);
    text_member(out, "code", r->code);
    text_member(out, "form", r->form);
    if (r->peer_id.len > 0) {
        buf_append_str(out, ",\"peer\":");
        json_append_string(out, slice_cut(r->peer_id, 0, 128));
    }
    text_member(out, "source", r->source);
    text_member(out, "profile", r->profile);
    text_member(out, "reason", r->reason);
    if (r->verdict != NULL)
        verdict_members(out, r->verdict);
}

/* Lock held. Puts a line into pending and moves the chain; false when there is no room. */
static bool append_line(struct kms_audit *a, const struct kms_audit_record *record,
                        uint64_t suppressed)
{
    struct buf line BUF_AUTO = BUF_INIT(AUDIT_LINE_MAX);
    char when[TIME_TEXT_MAX];
    uint8_t mac[AUDIT_MAC_LEN];
    time_format_utc(clock_unix_s(), when);
    buf_printf(&line, "{\"v\":1,\"seq\":%llu,\"time\":\"%s\"",
               (unsigned long long)(a->next.seq + 1), when);
    record_members(&line, record);
    if (suppressed > 0)
        buf_printf(&line, ",\"count\":%llu", (unsigned long long)suppressed);
    const struct slice parts[] = {slice_of(a->next.mac, sizeof(a->next.mac)), buf_slice(&line)};
    hmac_sha256(secret_slice(&a->key), parts, 2, mac);
    hex_member(&line, "mac", mac, sizeof(mac));
    buf_append_str(&line, "}\n");
    size_t before = a->pending.len;
    if (line.failed || !buf_append(&a->pending, buf_slice(&line))) {
        a->pending.len = before;
        a->pending.failed = false;
        return false;
    }
    a->next.seq++;
    memcpy(a->next.mac, mac, sizeof(mac));
    return true;
}

/* Lock held. Refusals that were too many become one line. */
static void summarise(struct kms_audit *a)
{
    const struct kms_audit_record record = {.event = "refusals_not_recorded"};
    if (a->suppressed == 0 || a->key.data == NULL)
        return;
    if (append_line(a, &record, a->suppressed)) {
        a->pending_summary += a->suppressed;
        a->suppressed = 0;
    }
}

/* ---- to the file ---- */

/* Lock held. What waits is given up, and counted. */
static void give_up_pending(struct kms_audit *a)
{
    a->next = a->written;
    a->dropped += a->pending_refusals;
    a->suppressed += a->pending_refusals + a->pending_summary;
    a->pending_refusals = a->pending_summary = 0;
    buf_reset(&a->pending);
}

/* Lock held, released while another thread syncs. */
static void close_file(struct kms_audit *a)
{
    while (a->syncing)
        pthread_cond_wait(&a->synced, &a->lock);
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

/* Lock held. All of pending or nothing. */
static bool write_pending(struct kms_audit *a, struct error *err)
{
    if (a->pending.len == 0)
        return true;
    a->failing = !fd_write_all(a->fd, buf_slice(&a->pending), err);
    if (!a->failing) {
        a->size += a->pending.len;
        a->written = a->next;
        a->pending_refusals = a->pending_summary = 0;
        buf_reset(&a->pending);
        return true;
    }
    /* A line cut short would end the chain: the file goes back to where it was. */
    bool whole = ftruncate(a->fd, (off_t)a->size) == 0;
    give_up_pending(a);
    if (!whole)
        close_file(a);
    return false;
}

/* Lock held; released meanwhile. Whoever comes first syncs for all that have written. */
static bool sync_to(struct kms_audit *a, uint64_t seq)
{
    while (a->synced_seq < seq) {
        if (a->syncing) {
            pthread_cond_wait(&a->synced, &a->lock);
            continue;
        }
        a->syncing = true;
        uint64_t upto = a->written.seq;
        int fd = a->fd;
        pthread_mutex_unlock(&a->lock);
        bool ok = fdatasync(fd) == 0;
        pthread_mutex_lock(&a->lock);
        a->syncing = false;
        a->failing = !ok;
        if (ok)
            a->synced_seq = upto;
        pthread_cond_broadcast(&a->synced);
        if (!ok)
            return false;
    }
    return true;
}

/* The last part of the disk is for releases. */
static bool space_for_refusals(int fd)
{
    struct statvfs fs;
    return fstatvfs(fd, &fs) != 0 ||
           (uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize > AUDIT_RESERVE_BYTES;
}

/* Lock held. Refusals that wait may be written with a release, except into its reserve. */
static void make_way(struct kms_audit *a)
{
    if (a->pending.len > 0 && !space_for_refusals(a->fd))
        give_up_pending(a);
}

/* Lock held. */
static bool write_durably(struct kms_audit *a, const struct kms_audit_record *record,
                          struct error *err)
{
    make_way(a);
    if (!append_line(a, record, 0))
        return error_set(err, "audit/write", a->path, "no memory for an audit record");
    if (!write_pending(a, err)) {
        if (err != NULL)
            err->code = "audit/write";
        return error_prefix(err, "cannot write %s", a->path);
    }
    return sync_to(a, a->written.seq) ||
           error_set(err, "audit/write", a->path, "cannot sync %s", a->path);
}

bool kms_audit_write(struct kms_audit *audit, const struct kms_audit_record *record,
                     struct error *err)
{
    bool ok = false;
    pthread_mutex_lock(&audit->lock);
    if (audit->key.data == NULL)
        error_set(err, "audit/key", NULL, "the audit log has no key yet");
    else if (audit->fd >= 0 || open_file(audit, true, err))
        ok = write_durably(audit, record, err);
    pthread_mutex_unlock(&audit->lock);
    return ok;
}

/* Lock held. */
static bool take_token(struct kms_audit *a)
{
    const uint64_t full = (uint64_t)AUDIT_REFUSALS_BURST * 1000;
    int64_t now_ms = clock_monotonic_ms();
    a->tokens += (uint64_t)(now_ms - a->filled_ms) * AUDIT_REFUSALS_PER_S;
    a->tokens = a->tokens < full ? a->tokens : full;
    a->filled_ms = now_ms;
    if (a->tokens < 1000)
        return false;
    a->tokens -= 1000;
    return true;
}

void kms_audit_note(struct kms_audit *audit, const struct kms_audit_record *record)
{
    pthread_mutex_lock(&audit->lock);
    bool kept = audit->key.data != NULL && audit->pending.len < AUDIT_PENDING_MAX / 2 &&
                take_token(audit) && append_line(audit, record, 0);
    audit->pending_refusals += kept;
    audit->suppressed += !kept;
    audit->dropped += !kept;
    pthread_mutex_unlock(&audit->lock);
}

void kms_audit_flush(struct kms_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    summarise(audit);
    if (audit->pending.len > 0 && audit->fd >= 0) {
        if (space_for_refusals(audit->fd))
            write_pending(audit, NULL);
        else
            give_up_pending(audit);
    }
    pthread_mutex_unlock(&audit->lock);
}

bool kms_audit_reopen(struct kms_audit *audit, struct error *err)
{
    pthread_mutex_lock(&audit->lock);
    bool ok = audit->fd < 0 || write_pending(audit, err);
    close_file(audit); /* its lock would be in the way when the path is still the same file */
    ok = open_file(audit, true, err) && ok;
    pthread_mutex_unlock(&audit->lock);
    return ok;
}

struct kms_audit_state kms_audit_state(struct kms_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    struct kms_audit_state state = {
        .size = audit->size,
        .dropped = audit->dropped,
        .ready = audit->key.data != NULL,
        .failing = audit->failing || audit->fd < 0,
    };
    pthread_mutex_unlock(&audit->lock);
    return state;
}
