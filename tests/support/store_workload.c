/* Puts, deletes, uploads, deletions of blobs, and every change of keys. */
#include "support/store_workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/admin.h"

enum { BLOB_LEN = 40000 };

static struct slice blob_content(unsigned seed)
{
    static uint8_t bytes[BLOB_LEN];
    scratch_noise(seed, bytes, sizeof bytes);
    return slice_of(bytes, sizeof bytes);
}

static struct blob_id blob_id_of(unsigned seed)
{
    return scratch_blob_id(blob_content(seed));
}

static bool upload(struct store *s, unsigned seed, struct error *err)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    bool ok = blob_writer_open(s, &w, err) && blob_writer_append(w, blob_content(seed), err) &&
              blob_writer_finish(&w, NULL, &info, err);
    blob_writer_abort(&w);
    return ok;
}

static bool put(struct store *s, const char *key, const char *value, struct error *err)
{
    return store_put(s, "State", slice_str(key), slice_str(value), err);
}

static bool put_two(struct store *s, struct error *err)
{
    STORE_BATCH_AUTO struct store_batch *b = NULL;
    return store_batch_begin(s, &b, err) &&
           store_batch_put(b, "State", slice_str("a"), slice_str("2"), err) &&
           store_batch_put(b, "State", slice_str("b"), slice_str("1"), err) &&
           store_batch_commit(&b, err);
}

static bool reopen(struct scratch_store *f, struct error *err)
{
    store_close(&f->store);
    return store_open(&f->options, &f->store, err);
}

bool workload_step(struct scratch_store *f, unsigned number, struct error *err)
{
    struct slice key = slice_of(f->key, sizeof f->key);
    struct blob_id four = blob_id_of(4);
    bool found;
    switch (number) {
    case 1:
        return store_open(&f->options, &f->store, err);
    case 2:
        return put(f->store, "a", "1", err);
    case 3:
        return put_two(f->store, err);
    case 4:
    case 5:
    case 10:
        return upload(f->store, number, err);
    case 6:
        return store_rotate(f->store, key, err);
    case 7:
        return blob_delete(f->store, &four, err);
    case 8:
        return store_delete(f->store, "State", slice_str("b"), &found, err);
    case 9:
        return reopen(f, err);
    case 11:
        return store_rekey(f->store, key, key, err);
    case 12:
        return store_reseal(f->store, key, NULL, err);
    default:
        store_close(&f->store);
        return true;
    }
}

/* The value of a key is one of two (NULL: absent). */
static void expect_row(struct scratch_store *f, const char *key, const char *one, const char *other)
{
    const char *found = scratch_get(f, "State", key);
    const char *const both[] = {one, other};
    for (unsigned i = 0; i < 2; i++)
        if (both[i] == NULL ? found == NULL : found != NULL && strcmp(found, both[i]) == 0)
            return;
    fail_msg("%s is %s", key, found != NULL ? found : "missing");
}

static void expect_blob(struct scratch_store *f, unsigned seed, bool may_miss, bool may_be)
{
    struct blob_id id = blob_id_of(seed);
    struct blob_info info;
    struct error err;
    bool there = blob_stat(f->store, &id, &info, &err);
    assert_true(there || error_is(&err, "blob/not-found"));
    assert_true(there ? may_be : may_miss);
    if (there)
        scratch_expect_blob(f, &id, blob_content(seed), 9000);
}

void workload_expect(struct scratch_store *f, unsigned done)
{
    struct store_verify_report report;
    struct error err;
    const char *a = done < 2 ? NULL : done < 3 ? "1" : "2";
    const char *a_next = done == 1 ? "1" : done == 2 ? "2" : a;
    const char *b = done >= 3 && done < 8 ? "1" : NULL;
    const char *b_next = done == 2 ? "1" : done == 7 ? NULL : b;
    expect_row(f, "a", a, a_next);
    expect_row(f, "b", b, b_next);
    expect_blob(f, 4, done < 4 || done >= 6, done >= 3 && done < 7);
    expect_blob(f, 5, done < 5, done >= 4);
    expect_blob(f, 10, done < 10, done >= 9);
    assert_true(store_verify(f->store, NULL, NULL, NULL, &report, &err));
    if (!report.clean || report.strange_files != 0)
        fail_msg("after step %u: %llu strange files, %llu bad records, %llu bad chunks", done,
                 (unsigned long long)report.strange_files, (unsigned long long)report.record_errors,
                 (unsigned long long)report.chunk_errors);
}
