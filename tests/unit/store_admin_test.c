/* What an operator does: keys changed, copies made and restored, rollback noticed, damage found, a
 * plaintext store encrypted, data moved in and out. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/admin.h"
#include "store/anchor.h"
#include "store/transfer.h"
#include "support/scratch_store.h"

enum { MIB = 1024 * 1024, CONTENT = 2 * MIB + 4321 };

static uint8_t content[CONTENT];

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

static struct slice kms_key(const struct scratch_store *f)
{
    return slice_of(f->key, sizeof f->key);
}

/* Rows in a hashed and an ordered column, and two blobs that share a chunk. */
static struct blob_info fill(struct scratch_store *f, unsigned rows)
{
    struct error err;
    struct store_batch *b = NULL;
    scratch_noise(77, content, sizeof content);
    need(store_batch_begin(f->store, &b, &err), &err);
    for (unsigned i = 0; i < rows; i++) {
        char key[32], value[64];
        snprintf(key, sizeof key, "key-%04u", i);
        snprintf(value, sizeof value, "value of row %u", i);
        need(store_batch_put(b, i % 3 == 0 ? "SortedIndex" : "State", slice_str(key),
                             slice_str(value), &err),
             &err);
    }
    need(store_batch_commit(&b, &err), &err);
    (void)scratch_upload(f, slice_of(content, MIB));
    return scratch_upload(f, slice_of(content, sizeof content));
}

static void expect_filled(struct scratch_store *f, unsigned rows, const struct blob_info *blob)
{
    for (unsigned i = 0; i < rows; i++) {
        char key[32], value[64];
        snprintf(key, sizeof key, "key-%04u", i);
        snprintf(value, sizeof value, "value of row %u", i);
        const char *found = scratch_get(f, i % 3 == 0 ? "SortedIndex" : "State", key);
        assert_non_null(found);
        assert_string_equal(found, value);
    }
    scratch_expect_blob(f, &blob->id, slice_of(content, sizeof content), MIB);
}

static struct store_info info_of(struct scratch_store *f)
{
    static struct store_info info;
    struct error err;
    need(store_info_get(f->store, &info, &err), &err);
    return info;
}

static struct store_verify_report verify(struct scratch_store *f)
{
    struct store_verify_report report;
    struct error err;
    need(store_verify(f->store, NULL, NULL, NULL, &report, &err), &err);
    return report;
}

static void info_counts(void **state)
{
    struct scratch_store *f = *state;
    (void)fill(f, 90);
    struct store_info info = info_of(f);
    assert_int_equal(info.format, 1);
    assert_string_equal(info.suite, "AES-256-GCM");
    assert_int_equal(info.blobs, 2);
    assert_int_equal(info.chunks, 3);
    assert_int_equal(info.key_epoch, 1);
    assert_int_equal(info.sessions, 1);
    assert_false(info.damage_seen);
    uint64_t state_rows = 0, index_rows = 0;
    for (size_t i = 0; i < info.column_count; i++) {
        state_rows += strcmp(info.columns[i].name, "State") == 0 ? info.columns[i].rows : 0;
        index_rows += strcmp(info.columns[i].name, "SortedIndex") == 0 ? info.columns[i].rows : 0;
    }
    assert_int_equal(state_rows, 60);
    assert_int_equal(index_rows, 30);
    scratch_reopen(f);
    scratch_put(f, "Meta", "k", "v");
    assert_int_equal(info_of(f).sessions, 2);
}

/* ---- keys ---- */

static void rotating_keeps_everything(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct blob_info blob = fill(f, 30);
    for (unsigned epoch = 2; epoch <= 16; epoch++) {
        char key[16];
        need(store_rotate(f->store, kms_key(f), &err), &err);
        snprintf(key, sizeof key, "epoch-%u", epoch);
        scratch_put(f, "Meta", key, key);
        if (epoch % 5 == 0)
            scratch_reopen(f);
        assert_int_equal(info_of(f).key_epoch, epoch);
    }
    assert_false(store_rotate(f->store, kms_key(f), &err));
    assert_true(error_is(&err, "store/full"));
    uint8_t wrong[48] = {1};
    assert_false(store_rotate(f->store, slice_of(wrong, sizeof wrong), &err));
    assert_true(error_is(&err, "store/wrong-key"));
    for (int round = 0; round < 2; round++) {
        expect_filled(f, 30, &blob);
        assert_string_equal(scratch_get(f, "Meta", "epoch-9"), "epoch-9");
        assert_true(verify(f).clean);
        if (round == 0)
            need(store_reseal(f->store, kms_key(f), NULL, &err), &err);
    }
    struct store_info info = info_of(f);
    assert_int_equal(info.key_count, 1);
    assert_int_equal(info.key_epoch, 16);
    scratch_reopen(f);
    expect_filled(f, 30, &blob);
    assert_true(verify(f).clean);
    need(store_rotate(f->store, kms_key(f), &err), &err);
}

static void rekeying_changes_the_key(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct blob_info blob = fill(f, 10);
    uint8_t other[32];
    scratch_noise(5, other, sizeof other);
    assert_false(store_rekey(f->store, kms_key(f), slice_of(other, 31), &err));
    assert_true(error_is(&err, "store/key"));
    assert_false(store_rekey(f->store, slice_of(other, 32), kms_key(f), &err));
    assert_true(error_is(&err, "store/wrong-key"));
    need(store_rekey(f->store, kms_key(f), slice_of(other, 32), &err), &err);
    scratch_put(f, "Meta", "after", "rekey");
    store_close(&f->store);
    assert_string_equal(scratch_open_fails(f, &err), "store/wrong-key");
    f->options.key = slice_of(other, 32);
    scratch_open(f);
    expect_filled(f, 10, &blob);
    f->options.key = kms_key(f);
}

/* A crash between the two superblocks: either key opens, and opening settles it. */
static void half_a_rekey_opens_with_either_key(void **state)
{
    (void)state;
    for (int with_new = 0; with_new < 2; with_new++) {
        struct scratch_store f;
        struct error err;
        uint8_t other[32] = {9};
        char path[PATH_TEXT_MAX], saved[PATH_TEXT_MAX];
        scratch_begin(&f);
        scratch_open(&f);
        scratch_put(&f, "Meta", "k", "v");
        store_close(&f.store);
        assert_true(path_join(f.root, "saved", saved, NULL));
        scratch_copy_tree(f.data_dir, saved);
        scratch_open(&f);
        struct slice key = kms_key(&f);
        need(store_rekey(f.store, key, slice_of(other, 32), &err), &err);
        store_close(&f.store);
        /* The second copy and the data as they were before the crash. */
        static const char *const names[] = {"superblock.2", "data.mdb"};
        for (size_t i = 0; i < 2; i++) {
            char from[PATH_TEXT_MAX];
            assert_true(path_join(saved, names[i], from, NULL));
            assert_true(path_join(f.data_dir, names[i], path, NULL));
            assert_int_equal(rename(from, path), 0);
        }
        f.options.key = with_new ? slice_of(other, 32) : key;
        scratch_open(&f);
        assert_string_equal(scratch_get(&f, "Meta", "k"), "v");
        store_close(&f.store);
        f.options.key = with_new ? key : slice_of(other, 32);
        assert_string_equal(scratch_open_fails(&f, &err), "store/wrong-key");
        scratch_end(&f);
    }
}

/* ---- rollback ---- */

static void rollback_is_noticed(void **state)
{
    struct scratch_store *f = *state;
    struct anchor_file file;
    struct store_anchor anchor;
    struct error err;
    char path[PATH_TEXT_MAX], old[PATH_TEXT_MAX], newer[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "anchor", path, NULL));
    assert_true(path_join(f->root, "old", old, NULL));
    assert_true(path_join(f->root, "newer", newer, NULL));
    need(anchor_file_use(&file, path, &anchor, &err), &err);
    f->options.anchor = &anchor;
    scratch_reopen(f);
    scratch_put(f, "Meta", "k", "1");
    store_close(&f->store);
    scratch_copy_tree(f->data_dir, old);
    scratch_open(f);
    scratch_put(f, "Meta", "k", "2");
    need(store_checkpoint(f->store, &err), &err);
    scratch_put(f, "Meta", "k", "3"); /* beyond the anchor: accepted */
    store_close(&f->store);
    scratch_copy_tree(f->data_dir, newer);
    scratch_open(f);
    assert_string_equal(scratch_get(f, "Meta", "k"), "3");
    store_close(&f->store);

    scratch_copy_tree(old, f->data_dir);
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back");
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back"); /* it stays */
    f->options.accept_rollback = true;
    scratch_open(f);
    assert_string_equal(scratch_get(f, "Meta", "k"), "1");
    assert_int_equal(info_of(f).rollbacks, 1);
    f->options.accept_rollback = false;
    scratch_reopen(f);
    assert_int_equal(info_of(f).rollbacks, 1);
    /* The state that was left behind is now the older one. */
    store_close(&f->store);
    scratch_copy_tree(newer, f->data_dir);
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back");
}

static void two_futures_of_one_state_are_told_apart(void **state)
{
    struct scratch_store *f = *state;
    struct anchor_file file;
    struct store_anchor anchor;
    struct error err;
    char path[PATH_TEXT_MAX], fork_of_it[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "anchor", path, NULL));
    assert_true(path_join(f->root, "fork", fork_of_it, NULL));
    need(anchor_file_use(&file, path, &anchor, &err), &err);
    store_close(&f->store);
    scratch_copy_tree(f->data_dir, fork_of_it);
    scratch_open(f); /* without an anchor: another future, as many commits long */
    scratch_put(f, "Meta", "k", "this one");
    store_close(&f->store);
    char ours[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "ours", ours, NULL));
    scratch_copy_tree(f->data_dir, ours);
    scratch_copy_tree(fork_of_it, f->data_dir);
    f->options.anchor = &anchor;
    scratch_open(f);
    scratch_put(f, "Meta", "k", "the other");
    store_close(&f->store);
    scratch_copy_tree(ours, f->data_dir);
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back");
    assert_non_null(strstr(err.message, "another copy"));
}

static void a_missing_store_is_a_rollback_too(void **state)
{
    struct scratch_store *f = *state;
    struct anchor_file file;
    struct store_anchor anchor;
    struct error err;
    char path[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "anchor", path, NULL));
    need(anchor_file_use(&file, path, &anchor, &err), &err);
    f->options.anchor = &anchor;
    scratch_reopen(f);
    store_close(&f->store);
    need(file_remove_tree(f->data_dir, &err), &err);
    need(file_remove_tree(f->blob_dir, &err), &err);
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back");
    f->options.accept_rollback = true;
    scratch_open(f);
    f->options.accept_rollback = false;
    scratch_reopen(f);
    store_close(&f->store);
    assert_true(file_write_atomic(path, slice_str("not an anchor"), 0600, NULL));
    assert_string_equal(scratch_open_fails(f, &err), "store/anchor");
}

/* ---- verify and damage ---- */

/* Xor at one place of data.mdb that is not a page header: the last byte of a record. */
static void spoil_record(struct scratch_store *f, const char *needle_column)
{
    (void)needle_column;
    char path[PATH_TEXT_MAX];
    assert_true(path_join(f->data_dir, "data.mdb", path, NULL));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    /* An ordered key is legible: its record starts right behind it. */
    for (off_t at = 0; at + 60 < st.st_size; at++)
        if (memcmp(&bytes[at], "key-0003", 8) == 0) {
            uint8_t byte = bytes[at + 8 + 20] ^ 1;
            assert_int_equal(pwrite(fd, &byte, 1, at + 8 + 20), 1);
        }
    free(bytes);
    close(fd);
}

static unsigned findings;
static void count_finding(void *ctx, const struct error *what)
{
    (void)ctx;
    assert_true(error_is(what, "store/damaged"));
    findings++;
}

static void damage_is_found_and_stays_reported(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct store_verify_report report;
    BUF_AUTO struct buf value = BUF_INIT(100);
    bool found;
    (void)fill(f, 30);
    assert_true(verify(f).clean);
    store_close(&f->store);
    spoil_record(f, "SortedIndex");
    scratch_open(f); /* the tag is intact, so the set of records is */
    assert_false(info_of(f).damage_seen);
    assert_false(store_get(f->store, "SortedIndex", slice_str("key-0003"), &value, &found, &err));
    assert_true(error_is(&err, "store/damaged"));
    assert_string_equal(scratch_get(f, "SortedIndex", "key-0006"), "value of row 6");
    scratch_reopen(f);
    struct store_info info = info_of(f);
    assert_true(info.damage_seen);
    assert_non_null(strstr(info.damage, "SortedIndex"));
    findings = 0;
    need(store_verify(f->store, NULL, count_finding, NULL, &report, &err), &err);
    assert_false(report.clean);
    assert_int_equal(report.record_errors, 1);
    assert_int_equal(findings, 1);
    assert_true(info_of(f).damage_seen);
    scratch_put(f, "SortedIndex", "key-0003", "written anew");
    assert_true(verify(f).clean);
    assert_false(info_of(f).damage_seen);
}

static void note_chunk(const char *path, void *ctx)
{
    if (strstr(path, "store.id") == NULL)
        snprintf(ctx, PATH_TEXT_MAX, "%s", path);
}

static void verify_reads_every_chunk(void **state)
{
    struct scratch_store *f = *state;
    char path[PATH_TEXT_MAX] = "", stray[PATH_TEXT_MAX];
    (void)fill(f, 3);
    struct store_verify_report report = verify(f);
    assert_int_equal(report.chunks, 3);
    assert_int_equal(report.blobs, 2);
    assert_int_equal(report.chunk_bytes, CONTENT);
    assert_true(path_join(f->blob_dir, "0123456789abcdef0123456789abcdef01234567", stray, NULL));
    assert_true(file_write_atomic(stray, slice_str("?"), 0600, NULL));
    report = verify(f);
    assert_true(report.clean);
    assert_int_equal(report.strange_files, 1);
    assert_int_equal(unlink(stray), 0);
    scratch_each_file(f->blob_dir, note_chunk, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, st.st_size - 20), 1);
    byte ^= 0x80;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 20), 1);
    close(fd);
    report = verify(f);
    assert_false(report.clean);
    assert_int_equal(report.chunk_errors, 1);
    assert_int_equal(report.record_errors, 0);
}

/* ---- copies ---- */

static void backup_and_restore(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char dir[PATH_TEXT_MAX], data[PATH_TEXT_MAX], blobs[PATH_TEXT_MAX];
    struct blob_info blob = fill(f, 60);
    need(store_rotate(f->store, kms_key(f), &err), &err);
    scratch_put(f, "Meta", "k", "in the backup");
    assert_true(path_join(f->root, "backup", dir, NULL));
    assert_true(path_join(f->root, "data2", data, NULL));
    assert_true(path_join(f->root, "blobs2", blobs, NULL));
    need(store_backup(f->store, dir, NULL, &err), &err);
    assert_false(store_backup(f->store, dir, NULL, &err));
    assert_true(error_is(&err, "store/foreign"));
    scratch_put(f, "Meta", "k", "after it");
    need(blob_delete(f->store, &blob.id, &err), &err);

    need(store_restore(dir, data, blobs, NULL, &err), &err);
    assert_false(store_restore(dir, data, blobs, NULL, &err));
    assert_true(error_is(&err, "store/foreign"));
    struct scratch_store g = *f;
    g.store = NULL;
    g.options.data_dir = data;
    g.options.blob_dir = blobs;
    scratch_open(&g);
    expect_filled(&g, 60, &blob);
    assert_string_equal(scratch_get(&g, "Meta", "k"), "in the backup");
    assert_true(verify(&g).clean);
    scratch_put(&g, "Meta", "k", "goes on from there");
    scratch_reopen(&g);
    assert_string_equal(scratch_get(&g, "Meta", "k"), "goes on from there");
    store_close(&g.store);
    assert_string_equal(scratch_get(f, "Meta", "k"), "after it");
}

static void an_interrupted_restore_is_named(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char marker[PATH_TEXT_MAX];
    store_close(&f->store);
    assert_true(path_join(f->data_dir, "store.unfinished", marker, NULL));
    assert_true(file_write_atomic(marker, slice_str("restoring was interrupted"), 0600, NULL));
    assert_string_equal(scratch_open_fails(f, &err), "store/unfinished");
    assert_string_equal(err.message, "restoring was interrupted");
}

static void compacting_gives_space_back(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    uint64_t before, after;
    struct blob_info blob = fill(f, 60);
    static uint8_t big[100000];
    for (unsigned i = 0; i < 50; i++) {
        char key[16];
        snprintf(key, sizeof key, "big-%u", i);
        need(store_put(f->store, "Delta", slice_str(key), slice_of(big, sizeof big), &err), &err);
    }
    for (unsigned i = 0; i < 50; i++) {
        char key[16];
        bool found;
        snprintf(key, sizeof key, "big-%u", i);
        need(store_delete(f->store, "Delta", slice_str(key), &found, &err), &err);
        if (i % 10 == 0)
            scratch_reopen(f); /* sessions that will hold nothing */
    }
    assert_false(store_compact(&f->options, NULL, &before, &after, &err));
    assert_true(error_is(&err, "store/locked"));
    store_close(&f->store);
    need(store_compact(&f->options, NULL, &before, &after, &err), &err);
    assert_true(before > 4 * MIB && after < 100000);
    scratch_open(f);
    expect_filled(f, 60, &blob);
    assert_true(verify(f).clean);
    scratch_put(f, "Meta", "k", "v");
    scratch_reopen(f);
    assert_string_equal(scratch_get(f, "Meta", "k"), "v");
}

/* ---- encrypting ---- */

static void encrypting_leaves_no_plaintext(void **state)
{
    (void)state;
    struct scratch_store f;
    struct error err;
    scratch_begin(&f);
    f.options.key.len = 0;
    scratch_open(&f);
    struct blob_info blob = fill(&f, 40);
    scratch_put(&f, "Meta", "k", "legible-at-first");
    store_close(&f.store);
    assert_true(scratch_tree_holds(f.root, slice_str("legible-at-first")));
    assert_true(scratch_tree_holds(f.root, slice_of(&content[MIB + 100], 32)));
    f.options.key.len = sizeof f.key;
    assert_string_equal(scratch_open_fails(&f, &err), "store/plaintext");
    need(store_encrypt(&f.options, NULL, &err), &err);
    assert_false(scratch_tree_holds(f.root, slice_str("legible-at-first")));
    assert_false(scratch_tree_holds(f.root, slice_of(&content[MIB + 100], 32)));
    scratch_open(&f);
    assert_true(store_is_encrypted(f.store));
    expect_filled(&f, 40, &blob);
    assert_string_equal(scratch_get(&f, "Meta", "k"), "legible-at-first");
    assert_true(verify(&f).clean);
    store_close(&f.store);
    assert_false(store_encrypt(&f.options, NULL, &err));
    assert_true(error_is(&err, "store/encrypted"));
    scratch_open(&f);
    expect_filled(&f, 40, &blob);
    scratch_end(&f);
}

/* ---- moving data ---- */

static bool to_buf(void *ctx, struct slice bytes, struct error *err)
{
    return buf_append(ctx, bytes) || error_set(err, "memory", NULL, "too long");
}

static void import_text(struct scratch_store *f, struct slice text,
                        const struct store_import_options *options,
                        struct store_import_report *report)
{
    char path[PATH_TEXT_MAX];
    struct error err;
    assert_true(path_join(f->root, "lines", path, NULL));
    assert_true(file_write_atomic(path, text, 0600, NULL));
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    need(store_import(f->store, fd, options, NULL, report, &err), &err);
    close(fd);
}

static const char *import_fails(struct scratch_store *f, const char *text, struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct store_import_options options = {0};
    struct store_import_report report;
    assert_true(path_join(f->root, "lines", path, NULL));
    assert_true(file_write_atomic(path, slice_str(text), 0600, NULL));
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    bool ok = store_import(f->store, fd, &options, NULL, &report, err);
    close(fd);
    return ok ? "" : err->code;
}

static void out_and_in_again(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char chunks[PATH_TEXT_MAX];
    struct blob_info blob = fill(f, 50), empty = scratch_upload(f, slice_str(""));
    assert_true(path_join(f->root, "chunks", chunks, NULL));
    for (int sealed = 0; sealed < 2; sealed++) {
        struct slice legacy = sealed ? kms_key(f) : slice_str("");
        BUF_AUTO struct buf lines = BUF_INIT(1 << 22);
        struct store_sink sink = {to_buf, &lines};
        struct store_export_options out = {.legacy_key = legacy, .blob_dir = chunks};
        struct store_import_options in = {.legacy_key = legacy, .blob_dir = chunks};
        struct store_import_report report;
        need(store_export(f->store, &out, &sink, NULL, &err), &err);
        struct scratch_store g;
        scratch_begin(&g);
        scratch_open(&g);
        import_text(&g, buf_slice(&lines), &in, &report);
        assert_int_equal(report.records, 50);
        assert_int_equal(report.blobs, 3);
        import_text(&g, buf_slice(&lines), &in, &report); /* again: the same */
        expect_filled(&g, 50, &blob);
        scratch_expect_blob(&g, &empty.id, slice_str(""), 10);
        assert_true(verify(&g).clean);
        assert_int_equal(info_of(&g).chunks, 3);
        scratch_end(&g);
        need(file_remove_tree(chunks, &err), &err);
    }
}

static void bad_lines_are_named(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    static const struct {
        const char *text, *code;
    } cases[] = {
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\",\"value_hex\":\"76\"}\n\n", ""},
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\",\"value_hex\":\"76\"}", ""},
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\"}\n", "import/line"},
        {"{\"column\":\"Meta\",\"key_hex\":\"6\",\"value_hex\":\"76\"}\n", "import/line"},
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\",\"value_hex\":7}\n", "import/line"},
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\",\"value_hex\":\"76\",\"x\":1}\n", "import/line"},
        {"{\"column\":\"Meta\",\"key_hex\":\"6b\",\"value_hex\":\"76\"} {}\n", "import/line"},
        {"{\"column\":\"Mata\",\"key_hex\":\"6b\",\"value_hex\":\"76\"}\n", "store/column"},
        {"{\"column\":\"_chunks\",\"key_hex\":\"6b\",\"value_hex\":\"76\"}\n", "store/column"},
        {"{\"column\":\"Meta\",\"key_hex\":\"\",\"value_hex\":\"76\"}\n", "store/key"},
        {"{\"column\":\"Blobs\",\"key_hex\":\"6b\",\"value_hex\":\"76\"}\n", "import/blob"},
        {"\n\nnonsense\n", "import/line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *code = import_fails(f, cases[i].text, &err);
        if (strcmp(code, cases[i].code) != 0)
            fail_msg("case %zu: \"%s\" instead of \"%s\"", i, code, cases[i].code);
    }
    assert_non_null(strstr(err.message, "line 3"));
    assert_string_equal(scratch_get(f, "Meta", "k"), "v");
}

static int set_up(void **state)
{
    static struct scratch_store f;
    scratch_begin(&f);
    scratch_open(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    scratch_end(*state);
    return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(info_counts),
        WITH_STORE(rotating_keeps_everything),
        WITH_STORE(rekeying_changes_the_key),
        cmocka_unit_test(half_a_rekey_opens_with_either_key),
        WITH_STORE(rollback_is_noticed),
        WITH_STORE(two_futures_of_one_state_are_told_apart),
        WITH_STORE(a_missing_store_is_a_rollback_too),
        WITH_STORE(damage_is_found_and_stays_reported),
        WITH_STORE(verify_reads_every_chunk),
        WITH_STORE(backup_and_restore),
        WITH_STORE(an_interrupted_restore_is_named),
        WITH_STORE(compacting_gives_space_back),
        cmocka_unit_test(encrypting_leaves_no_plaintext),
        WITH_STORE(out_and_in_again),
        WITH_STORE(bad_lines_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
