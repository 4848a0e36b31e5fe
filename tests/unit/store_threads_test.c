/* Several threads on one store: readers, writers, scans, uploads, downloads, deletions, key changes
 * and a backup at once. Each checks what it can know; the thread sanitizer looks at the rest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/admin.h"
#include "support/scratch_store.h"

enum { PAIRS = 40, RUN_MS = 2500, CONTENT_MAX = 1500000 };

static struct scratch_store scratch;
static atomic_bool stop;
static atomic_uint writes, reads, scans, blobs;

static void check(bool ok, const struct error *err)
{
    if (ok)
        return;
    fprintf(stderr, "thread: %s: %s\n", err->code, err->message);
    abort();
}

static uint32_t next_random(uint64_t *x)
{
    *x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*x >> 33);
}

/* Two rows always carry the same number: a reader that sees one without the other has seen half a
 * batch. */
static void *write_pairs(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg;
    while (!atomic_load(&stop)) {
        struct store_batch *b = NULL;
        struct error err = {0};
        char key[32], value[32];
        snprintf(key, sizeof key, "pair-%u", next_random(&x) % PAIRS);
        snprintf(value, sizeof value, "%u", next_random(&x));
        check(store_batch_begin(scratch.store, &b, &err), &err);
        check(store_batch_put(b, "State", slice_str(key), slice_str(value), &err) &&
                  store_batch_put(b, "SortedIndex", slice_str(key), slice_str(value), &err),
              &err);
        if (next_random(&x) % 8 == 0)
            store_batch_drop(&b);
        else
            check(store_batch_commit(&b, &err), &err);
        atomic_fetch_add(&writes, 1);
    }
    return NULL;
}

static void get_text(struct store_snapshot *snapshot, const char *column, const char *key,
                     struct buf *out, bool *found)
{
    struct error err = {0};
    buf_reset(out);
    check(store_snapshot_get(snapshot, column, slice_str(key), out, found, &err), &err);
}

static void *read_pairs(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg;
    BUF_AUTO struct buf a = BUF_INIT(64);
    BUF_AUTO struct buf b = BUF_INIT(64);
    while (!atomic_load(&stop)) {
        STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
        struct error err = {0};
        bool in_a, in_b;
        char key[32];
        check(store_snapshot_open(scratch.store, &snapshot, &err), &err);
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "pair-%u", next_random(&x) % PAIRS);
            get_text(snapshot, "State", key, &a, &in_a);
            get_text(snapshot, "SortedIndex", key, &b, &in_b);
            if (in_a != in_b || !slice_equal(buf_slice(&a), buf_slice(&b)))
                abort();
            buf_reset(&a);
            check(store_get(scratch.store, "State", slice_str(key), &a, &in_a, &err), &err);
            atomic_fetch_add(&reads, 3);
        }
    }
    return NULL;
}

static void *scan(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
        STORE_CURSOR_AUTO struct store_cursor *c = NULL;
        struct error err = {0};
        char last[64] = "";
        check(store_snapshot_open(scratch.store, &snapshot, &err) &&
                  store_cursor_open(snapshot, "SortedIndex", slice_str(""), &c, &err),
              &err);
        for (bool found = true; found;) {
            struct slice key, value;
            char name[64];
            check(store_cursor_next(c, &key, &value, &found, &err), &err);
            if (!found)
                break;
            snprintf(name, sizeof name, "%.*s", (int)key.len, (const char *)key.data);
            if (strcmp(last, name) >= 0)
                abort();
            memcpy(last, name, sizeof last);
        }
        atomic_fetch_add(&scans, 1);
    }
    return NULL;
}

static void read_back(const struct blob_id *id, struct slice content)
{
    struct blob_reader *r = NULL;
    struct blob_info info;
    struct error err = {0};
    uint8_t *out = malloc(content.len + 1);
    size_t got = 0;
    if (out == NULL)
        abort();
    check(blob_reader_open(scratch.store, id, &r, &info, &err) &&
              blob_reader_read(r, 0, out, content.len + 1, &got, &err),
          &err);
    if (!slice_equal(slice_of(out, got), content))
        abort();
    blob_reader_close(&r);
    free(out);
}

/* Uploads share their first chunk, so that links are counted up and down by both threads. */
static void *upload(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg;
    uint8_t *content = malloc(CONTENT_MAX);
    if (content == NULL)
        abort();
    scratch_noise(1, content, CONTENT_MAX);
    while (!atomic_load(&stop)) {
        struct blob_writer *w = NULL;
        struct blob_info info;
        struct error err = {0};
        uint32_t tail = next_random(&x);
        memcpy(&content[CONTENT_MAX - 8], &tail, sizeof tail);
        memcpy(&content[CONTENT_MAX - 4], &arg, 4);
        struct slice whole = slice_of(content, CONTENT_MAX);
        check(blob_writer_open(scratch.store, &w, &err) && blob_writer_append(w, whole, &err),
              &err);
        if (next_random(&x) % 5 == 0) {
            blob_writer_abort(&w);
            continue;
        }
        check(blob_writer_finish(&w, NULL, &info, &err), &err);
        read_back(&info.id, whole);
        if (next_random(&x) % 4 != 0)
            check(blob_delete(scratch.store, &info.id, &err), &err);
        atomic_fetch_add(&blobs, 1);
    }
    free(content);
    return NULL;
}

static void *administer(void *arg)
{
    struct slice key = slice_of(scratch.key, sizeof scratch.key);
    (void)arg;
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        struct error err = {0};
        struct store_info info;
        char name[32], dir[PATH_TEXT_MAX];
        if (i < 10)
            check(store_rotate(scratch.store, key, &err), &err);
        check(store_info_get(scratch.store, &info, &err), &err);
        check(store_checkpoint(scratch.store, &err), &err);
        if (i % 4 != 0)
            continue;
        snprintf(name, sizeof name, "backup-%u", i);
        if (!path_join(scratch.root, name, dir, NULL))
            abort();
        check(store_backup(scratch.store, dir, NULL, &err), &err);
        check(file_remove_tree(dir, &err), &err);
    }
    return NULL;
}

static void all_at_once(void **state)
{
    (void)state;
    static void *(*const jobs[])(void *) = {write_pairs, write_pairs, read_pairs,
                                            read_pairs,  read_pairs,  scan,
                                            upload,      upload,      administer};
    enum { JOBS = sizeof jobs / sizeof jobs[0] };
    pthread_t threads[JOBS];
    struct store_verify_report report;
    struct error err;
    scratch_begin(&scratch);
    scratch.options.relaxed_sync = true;
    scratch_open(&scratch);
    for (uintptr_t i = 0; i < JOBS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], (void *)(i + 1)), 0);
    int64_t until = clock_monotonic_ms() + RUN_MS;
    while (clock_monotonic_ms() < until) {
        struct timespec nap = {0, 20 * 1000 * 1000};
        nanosleep(&nap, NULL);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("%u batches, %u reads, %u scans, %u blobs\n", atomic_load(&writes),
                  atomic_load(&reads), atomic_load(&scans), atomic_load(&blobs));
    assert_true(atomic_load(&writes) > 10 && atomic_load(&reads) > 10 && atomic_load(&blobs) > 1);
    assert_true(store_verify(scratch.store, NULL, NULL, NULL, &report, &err));
    assert_true(report.clean);
    assert_int_equal(report.strange_files, 0);
    scratch_reopen(&scratch);
    assert_true(store_verify(scratch.store, NULL, NULL, NULL, &report, &err));
    assert_true(report.clean);
    scratch_end(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
