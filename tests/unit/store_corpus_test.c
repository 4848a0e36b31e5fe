/* Stores that earlier builds have written (tests/data/store-format-1): they open, hold what they
 * held, and can be written to. With MERO_WRITE_CORPUS=DIR this program makes such stores in DIR
 * instead; do that for a new format only, beside the old ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/admin.h"
#include "support/scratch_store.h"

enum { ROWS = 20, BLOB_LEN = 70000, LONG_LEN = 5000 };

static uint8_t blob_bytes[BLOB_LEN], long_value[LONG_LEN];

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

static void row_text(unsigned i, char key[32], char value[64])
{
    snprintf(key, 32, "corpus-key-%u", i);
    snprintf(value, 64, "value %u of the corpus", i);
}

static const char *column_of(unsigned i)
{
    static const char *const columns[] = {"State", "SortedIndex", "Generic"};
    return columns[i % 3];
}

static void put_rows(struct scratch_store *f, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char key[32], value[64];
        row_text(i, key, value);
        scratch_put(f, column_of(i), key, value);
    }
}

/* Two sessions, two data keys (when there are any), a long value, blobs, things deleted. */
static void write_corpus(struct scratch_store *f)
{
    struct error err;
    bool found;
    scratch_open(f);
    put_rows(f, 0, ROWS / 2);
    scratch_put(f, "Meta", "gone", "deleted");
    (void)scratch_upload(f, slice_str("hello"));
    struct blob_info doomed = scratch_upload(f, slice_str("doomed"));
    if (store_is_encrypted(f->store))
        need(store_rotate(f->store, slice_of(f->key, sizeof f->key), &err), &err);
    scratch_reopen(f);
    put_rows(f, ROWS / 2, ROWS / 2);
    need(store_put(f->store, "Delta", slice_str("long"), slice_of(long_value, LONG_LEN), &err),
         &err);
    need(store_delete(f->store, "Meta", slice_str("gone"), &found, &err), &err);
    (void)scratch_upload(f, slice_of(blob_bytes, BLOB_LEN));
    (void)scratch_upload(f, slice_str(""));
    need(blob_delete(f->store, &doomed.id, &err), &err);
    store_close(&f->store);
}

static void expect_blob(struct scratch_store *f, struct slice content)
{
    struct blob_id id = scratch_blob_id(content);
    scratch_expect_blob(f, &id, content, 30000);
}

static void expect_corpus(struct scratch_store *f)
{
    struct error err;
    struct store_info info;
    struct store_verify_report report;
    BUF_AUTO struct buf value = BUF_INIT(LONG_LEN);
    bool found;
    for (unsigned i = 0; i < ROWS; i++) {
        char key[32], expected[64];
        row_text(i, key, expected);
        const char *got = scratch_get(f, column_of(i), key);
        assert_non_null(got);
        assert_string_equal(got, expected);
    }
    assert_null(scratch_get(f, "Meta", "gone"));
    need(store_get(f->store, "Delta", slice_str("long"), &value, &found, &err), &err);
    assert_true(found && slice_equal(buf_slice(&value), slice_of(long_value, LONG_LEN)));
    expect_blob(f, slice_of(blob_bytes, BLOB_LEN));
    expect_blob(f, slice_str("hello"));
    expect_blob(f, slice_str(""));
    need(store_info_get(f->store, &info, &err), &err);
    assert_int_equal(info.blobs, 3);
    assert_int_equal(info.format, 1);
    need(store_verify(f->store, NULL, NULL, NULL, &report, &err), &err);
    assert_true(report.clean);
    assert_int_equal(report.strange_files, 0);
}

static void begin(struct scratch_store *f, bool encrypted)
{
    scratch_begin(f);
    f->options.key.len = encrypted ? sizeof f->key : 0;
    scratch_noise(11, blob_bytes, sizeof blob_bytes);
    scratch_noise(12, long_value, sizeof long_value);
}

static const char *name_of(bool encrypted)
{
    return encrypted ? "encrypted" : "plaintext";
}

static void make(const char *dir)
{
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        struct scratch_store f;
        char to[PATH_TEXT_MAX];
        begin(&f, encrypted);
        write_corpus(&f);
        assert_true(path_join(dir, name_of(encrypted), to, NULL));
        scratch_copy_tree(f.root, to);
        scratch_end(&f);
    }
}

static void old_stores_open(void **state)
{
    (void)state;
    const char *source = getenv("MERO_SOURCE_DIR");
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        struct scratch_store f;
        struct error err;
        char corpus[PATH_TEXT_MAX], from[PATH_TEXT_MAX];
        begin(&f, encrypted);
        assert_true(
            path_join(source != NULL ? source : ".", "tests/data/store-format-1", corpus, NULL));
        assert_true(path_join(corpus, name_of(encrypted), from, NULL));
        scratch_copy_tree(from, f.root);
        f.options.create = false;
        scratch_open(&f);
        assert_int_equal(store_is_encrypted(f.store), encrypted);
        expect_corpus(&f);
        scratch_put(&f, "Meta", "k", "written by this build");
        scratch_reopen(&f);
        expect_corpus(&f);
        if (!encrypted) { /* and the old plaintext store can be encrypted */
            store_close(&f.store);
            f.options.key.len = sizeof f.key;
            need(store_encrypt(&f.options, NULL, &err), &err);
            scratch_open(&f);
            expect_corpus(&f);
        }
        scratch_end(&f);
    }
}

/* The creator still makes stores like those in the corpus. */
static void new_stores_are_alike(void **state)
{
    (void)state;
    for (int encrypted = 0; encrypted < 2; encrypted++) {
        struct scratch_store f;
        begin(&f, encrypted);
        write_corpus(&f);
        scratch_open(&f);
        expect_corpus(&f);
        scratch_end(&f);
    }
}

int main(void)
{
    const char *dir = getenv("MERO_WRITE_CORPUS");
    if (dir != NULL) {
        make(dir);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_stores_open),
        cmocka_unit_test(new_stores_are_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
