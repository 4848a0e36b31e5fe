/* Damage and tampering: every byte of every file of a small store is changed, every file cut short,
 * swapped with a sibling's or with an older copy; rows are swapped, moved, removed and put back
 * with LMDB itself. What may come out: the right value, or an error - never a wrong value, never a
 * crash.
 *
 * `make test` takes a sample; MERO_SOAK=1 in the environment takes everything. */
#include <fcntl.h>
#include <lmdb.h>
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
#include "support/scratch_store.h"

enum { ROWS = 12, FILES_MAX = 16 };

static bool soak;

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

/* ---- a small store and its pristine copy ---- */

struct small {
    struct scratch_store f;
    char pristine[PATH_TEXT_MAX];
    char files[FILES_MAX][PATH_TEXT_MAX]; /* below f.root */
    unsigned file_count;
    struct blob_info blob;
    uint8_t content[3000];
};

static const char *const columns[] = {"State", "SortedIndex"};

static void row_text(unsigned i, char key[32], char value[64])
{
    snprintf(key, 32, "row-%02u", i);
    snprintf(value, 64, "the value of row %u, as it should be", i);
}

static void note_file(const char *path, void *ctx)
{
    struct small *s = ctx;
    assert_true(s->file_count < FILES_MAX);
    snprintf(s->files[s->file_count++], PATH_TEXT_MAX, "%s", path);
}

static void small_begin(struct small *s)
{
    char key[32], value[64];
    struct error err;
    bool found;
    memset(s, 0, sizeof *s);
    scratch_begin(&s->f);
    scratch_open(&s->f);
    for (unsigned i = 0; i < ROWS; i++) { /* several commits, so that old pages lie about */
        row_text(i, key, value);
        scratch_put(&s->f, columns[i % 2], key, "an older value");
        scratch_put(&s->f, columns[i % 2], key, value);
    }
    scratch_put(&s->f, "State", "gone", "deleted");
    need(store_delete(s->f.store, "State", slice_str("gone"), &found, &err), &err);
    scratch_noise(1, s->content, sizeof s->content);
    s->blob = scratch_upload(&s->f, slice_of(s->content, sizeof s->content));
    static uint8_t big[9000];
    need(store_put(s->f.store, "Meta", slice_str("big"), slice_of(big, sizeof big), &err), &err);
    store_close(&s->f.store);
    assert_true(path_join(s->f.root, "pristine", s->pristine, NULL));
    scratch_each_file(s->f.data_dir, note_file, s);
    scratch_each_file(s->f.blob_dir, note_file, s);
    char to[PATH_TEXT_MAX];
    assert_true(path_join(s->pristine, "data", to, NULL));
    scratch_copy_tree(s->f.data_dir, to);
    assert_true(path_join(s->pristine, "blobs", to, NULL));
    scratch_copy_tree(s->f.blob_dir, to);
}

static void small_restore(struct small *s)
{
    char from[PATH_TEXT_MAX];
    struct error err;
    need(file_remove_tree(s->f.data_dir, &err), &err);
    need(file_remove_tree(s->f.blob_dir, &err), &err);
    assert_true(path_join(s->pristine, "data", from, NULL));
    scratch_copy_tree(from, s->f.data_dir);
    assert_true(path_join(s->pristine, "blobs", from, NULL));
    scratch_copy_tree(from, s->f.blob_dir);
}

/* ---- what may come out ---- */

struct outcome {
    unsigned refused, errors, right;
};

static void acceptable(const struct error *err, const char *doing)
{
    static const char *const codes[] = {"store/damaged",   "store/wrong-key",   "store/too-new",
                                        "store/plaintext", "store/rolled-back", "blob/not-found"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (error_is(err, codes[i]))
            return;
    fail_msg("%s: %s: %s", doing, err->code, err->message);
}

static void check_row(struct store *s, unsigned i, struct outcome *o)
{
    char key[32], expected[64];
    BUF_AUTO struct buf value = BUF_INIT(100);
    struct error err;
    bool found;
    row_text(i, key, expected);
    if (!store_get(s, columns[i % 2], slice_str(key), &value, &found, &err)) {
        acceptable(&err, "get");
        o->errors++;
        return;
    }
    assert_true(found);
    assert_true(slice_equal_str(buf_slice(&value), expected));
    o->right++;
}

static void check_absent(struct store *s, struct outcome *o)
{
    BUF_AUTO struct buf value = BUF_INIT(100);
    struct error err;
    bool found;
    if (!store_get(s, "State", slice_str("gone"), &value, &found, &err)) {
        acceptable(&err, "get");
        o->errors++;
        return;
    }
    assert_false(found);
}

static void check_scan(struct store *s, unsigned column, struct outcome *o)
{
    STORE_SNAPSHOT_AUTO struct store_snapshot *snapshot = NULL;
    STORE_CURSOR_AUTO struct store_cursor *c = NULL;
    struct error err;
    unsigned rows = 0;
    need(store_snapshot_open(s, &snapshot, &err), &err);
    bool ok = store_cursor_open(snapshot, columns[column], slice_str(""), &c, &err);
    for (bool found = true; ok && found;) {
        struct slice key, value;
        ok = store_cursor_next(c, &key, &value, &found, &err);
        rows += ok && found;
    }
    if (ok)
        assert_int_equal(rows, ROWS / 2);
    else
        acceptable(&err, "scan");
    o->errors += !ok;
    o->right += ok;
}

static void check_blob(struct store *s, const struct small *small, struct outcome *o)
{
    struct blob_reader *r = NULL;
    struct blob_info info;
    struct error err;
    uint8_t out[4000];
    size_t got;
    bool ok = blob_reader_open(s, &small->blob.id, &r, &info, &err) &&
              blob_reader_read(r, 0, out, sizeof out, &got, &err);
    blob_reader_close(&r);
    if (ok)
        assert_true(
            slice_equal(slice_of(out, got), slice_of(small->content, sizeof small->content)));
    else
        acceptable(&err, "blob");
    assert_true(ok || !error_is(&err, "blob/not-found"));
    o->errors += !ok;
    o->right += ok;
}

/* Writing must not make it worse: either it is refused or it holds. */
static void check_writing(struct store *s, struct outcome *o)
{
    struct error err;
    bool found;
    BUF_AUTO struct buf value = BUF_INIT(100);
    if (!store_put(s, "Config", slice_str("new"), slice_str("row"), &err) ||
        !store_delete(s, "State", slice_str("row-00"), &found, &err)) {
        acceptable(&err, "write");
        o->errors++;
        return;
    }
    assert_true(found);
    need(store_get(s, "Config", slice_str("new"), &value, &found, &err), &err);
    assert_true(found);
}

static struct outcome try_store(struct small *small, bool writing)
{
    STORE_AUTO struct store *s = NULL;
    struct outcome o = {0};
    struct error err;
    small->f.options.read_only = !writing;
    small->f.options.create = false;
    if (!store_open(&small->f.options, &s, &err)) {
        acceptable(&err, "open");
        o.refused = 1;
        return o;
    }
    for (unsigned i = 0; i < ROWS; i++)
        check_row(s, i, &o);
    check_absent(s, &o);
    check_scan(s, 0, &o);
    check_scan(s, 1, &o);
    check_blob(s, small, &o);
    if (writing)
        check_writing(s, &o);
    return o;
}

static void change_byte(const char *path, off_t at, uint8_t mask)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* ---- tests ---- */

static void the_small_store_is_right(void **state)
{
    struct small *s = *state;
    struct outcome o = try_store(s, false);
    assert_int_equal(o.refused + o.errors, 0);
    assert_int_equal(o.right, ROWS + 3);
}

static void every_byte_changed_reading(void **state)
{
    struct small *s = *state;
    uint64_t tried = 0, noticed = 0;
    for (unsigned i = 0; i < s->file_count; i++) {
        off_t size = size_of(s->files[i]), step = soak || size < 2000 ? 1 : 13;
        for (off_t at = 0; at < size; at += step) {
            uint8_t mask = soak ? 0xff : (uint8_t)(1U << (at / step) % 8);
            change_byte(s->files[i], at, mask);
            struct outcome o = try_store(s, false);
            noticed += o.refused + o.errors > 0;
            tried++;
            change_byte(s->files[i], at, mask);
        }
    }
    print_message("%llu bytes changed, %llu noticed, the others did not matter\n",
                  (unsigned long long)tried, (unsigned long long)noticed);
    assert_true(noticed > tried / 20);
}

static void bytes_changed_writing(void **state)
{
    struct small *s = *state;
    for (unsigned i = 0; i < s->file_count; i++) {
        off_t size = size_of(s->files[i]), step = soak ? 1 : size < 400 ? 17 : 211;
        for (off_t at = 0; at < size; at += step) {
            change_byte(s->files[i], at, (uint8_t)(1U << at % 8));
            (void)try_store(s, true);
            small_restore(s);
        }
    }
}

static void every_length(void **state)
{
    struct small *s = *state;
    for (unsigned i = 0; i < s->file_count; i++) {
        off_t size = size_of(s->files[i]), step = soak ? 1 : size < 400 ? 19 : 509;
        for (off_t len = 0; len < size; len += step) {
            assert_int_equal(truncate(s->files[i], len), 0);
            (void)try_store(s, false);
            small_restore(s);
        }
    }
}

/* Each file of another store under the same key, alone in the place of ours. */
static void files_of_a_sibling(void **state)
{
    struct small *s = *state;
    struct small *other = calloc(1, sizeof *other);
    assert_non_null(other);
    small_begin(other);
    for (unsigned i = 0; i < s->file_count; i++) {
        const char *name = strrchr(s->files[i], '/');
        for (unsigned j = 0; j < other->file_count; j++) {
            bool chunks = strlen(name) == 41 && strlen(strrchr(other->files[j], '/')) == 41;
            if (!chunks && strcmp(strrchr(other->files[j], '/'), name) != 0)
                continue;
            BUF_AUTO struct buf bytes = BUF_INIT(1 << 20);
            struct error err;
            need(file_read(other->files[j], &bytes, &err), &err);
            need(file_write_atomic(s->files[i], buf_slice(&bytes), 0600, &err), &err);
            struct outcome o = try_store(s, false);
            bool harmless = strstr(name, "lock") != NULL || strstr(name, "superblock") != NULL;
            assert_true(harmless || o.refused + o.errors > 0);
            small_restore(s);
        }
    }
    scratch_end(&other->f);
    free(other);
}

/* Data of yesterday under the superblock of today, and the other way round. */
static void old_files_beside_new_ones(void **state)
{
    struct small *s = *state;
    struct anchor_file file;
    struct store_anchor anchor;
    struct error err;
    char path[PATH_TEXT_MAX], data[PATH_TEXT_MAX];
    assert_true(path_join(s->f.root, "anchor", path, NULL));
    need(anchor_file_use(&file, path, &anchor, &err), &err);
    s->f.options.anchor = &anchor;
    s->f.options.read_only = false;
    scratch_open(&s->f);
    need(store_rotate(s->f.store, slice_of(s->f.key, sizeof s->f.key), &err), &err);
    scratch_put(&s->f, "State", "row-00", "of today");
    store_close(&s->f.store);
    assert_true(path_join(s->pristine, "data", data, NULL));
    static const char *const groups[][2] = {{"data.mdb", NULL}, {"superblock.1", "superblock.2"}};
    for (size_t g = 0; g < 2; g++) {
        char today[PATH_TEXT_MAX], from[PATH_TEXT_MAX], to[PATH_TEXT_MAX];
        assert_true(path_join(s->f.root, "today", today, NULL));
        scratch_copy_tree(s->f.data_dir, today);
        for (size_t i = 0; i < 2 && groups[g][i] != NULL; i++) {
            BUF_AUTO struct buf bytes = BUF_INIT(1 << 20);
            assert_true(path_join(data, groups[g][i], from, NULL));
            assert_true(path_join(s->f.data_dir, groups[g][i], to, NULL));
            need(file_read(from, &bytes, &err), &err);
            need(file_write_atomic(to, buf_slice(&bytes), 0600, &err), &err);
        }
        assert_string_equal(scratch_open_fails(&s->f, &err), "store/rolled-back");
        scratch_copy_tree(today, s->f.data_dir);
    }
    assert_string_equal(scratch_open_fails(&s->f, &err), "");
    s->f.options.anchor = NULL;
}

/* ---- rows rearranged ---- */

enum hand { NOTHING, SWAP, MOVE, DUPLICATE, PUT_BACK, SESSION_CHANGE, REMOVE, HANDS };

struct raw {
    uint8_t key[512], value[4096];
    size_t key_len, value_len;
};

struct env {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
};

static void env_open(struct env *e, const char *dir, unsigned flags)
{
    assert_int_equal(mdb_env_create(&e->env), 0);
    assert_int_equal(mdb_env_open(e->env, dir, flags, 0600), 0);
    assert_int_equal(mdb_txn_begin(e->env, NULL, flags, &e->txn), 0);
    assert_int_equal(mdb_dbi_open(e->txn, NULL, 0, &e->dbi), 0);
}

/* The n-th row whose first key byte is kind. */
static void raw_row(const struct env *e, uint8_t kind, unsigned n, struct raw *out)
{
    MDB_cursor *c;
    MDB_val k, v;
    assert_int_equal(mdb_cursor_open(e->txn, e->dbi, &c), 0);
    for (MDB_cursor_op op = MDB_FIRST; mdb_cursor_get(c, &k, &v, op) == 0; op = MDB_NEXT) {
        if (((const uint8_t *)k.mv_data)[0] != kind || n-- > 0)
            continue;
        memcpy(out->key, k.mv_data, k.mv_size);
        memcpy(out->value, v.mv_data, v.mv_size);
        out->key_len = k.mv_size;
        out->value_len = v.mv_size;
        mdb_cursor_close(c);
        return;
    }
    fail_msg("no such row of kind 0x%02x", kind);
}

static void read_rows(struct small *s, uint8_t kind, struct raw *a, struct raw *b)
{
    struct env e;
    env_open(&e, s->f.data_dir, MDB_RDONLY);
    raw_row(&e, kind, 0, a);
    raw_row(&e, kind == 0x02 ? 0x13 : kind, 1, b);
    mdb_txn_abort(e.txn);
    mdb_env_close(e.env);
}

static void raw_put(const struct env *e, const struct raw *key, const struct raw *value)
{
    MDB_val k = {key->key_len, (void *)(uintptr_t)key->key};
    MDB_val v = {value->value_len, (void *)(uintptr_t)value->value};
    assert_int_equal(mdb_put(e->txn, e->dbi, &k, &v, 0), 0);
}

static void raw_delete(const struct env *e, const struct raw *key)
{
    MDB_val k = {key->key_len, (void *)(uintptr_t)key->key};
    assert_int_equal(mdb_del(e->txn, e->dbi, &k, NULL), 0);
}

/* The rows as the hand leaves them; the key of a may change. */
static void rearrange(enum hand hand, struct raw *a, struct raw *b, const struct raw *older)
{
    struct raw spare = *a;
    if (hand == SWAP) {
        memcpy(a->value, b->value, sizeof a->value);
        memcpy(b->value, spare.value, sizeof b->value);
    } else if (hand == MOVE) {
        a->key[a->key_len - 1] ^= 1;
    } else if (hand == DUPLICATE) {
        memcpy(b->value, a->value, sizeof b->value);
    } else if (hand == PUT_BACK) {
        memcpy(a->value, older->value, sizeof a->value);
    } else if (hand == SESSION_CHANGE) {
        a->value[10] ^= 1;
    }
}

/* As a transaction of LMDB. */
static void tamper_committing(struct small *s, enum hand hand, const struct raw *was,
                              const struct raw *a, const struct raw *b)
{
    struct env e;
    env_open(&e, s->f.data_dir, 0);
    raw_delete(&e, was);
    if (hand != REMOVE)
        raw_put(&e, a, a);
    raw_put(&e, b, b);
    assert_int_equal(mdb_txn_commit(e.txn), 0);
    mdb_env_close(e.env);
}

/* In every page that holds the row, live or free: nothing else changes. */
static void overwrite(struct buf *file, const struct raw *was, const struct raw *is)
{
    unsigned places = 0;
    for (size_t at = 0; at + was->key_len + was->value_len <= file->len; at++) {
        if (memcmp(&file->data[at], was->key, was->key_len) != 0)
            continue;
        if (memcmp(&file->data[at + was->key_len], was->value, was->value_len) != 0)
            continue;
        memcpy(&file->data[at], is->key, is->key_len);
        memcpy(&file->data[at + is->key_len], is->value, is->value_len);
        places++;
    }
    assert_true(places > 0);
}

static void tamper_in_place(struct small *s, const struct raw was[2], const struct raw is[2])
{
    char path[PATH_TEXT_MAX];
    struct error err;
    BUF_AUTO struct buf file = BUF_INIT(1 << 22);
    assert_true(path_join(s->f.data_dir, "data.mdb", path, NULL));
    need(file_read(path, &file, &err), &err);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(was[i].value_len, is[i].value_len);
        overwrite(&file, &was[i], &is[i]);
    }
    need(file_write_atomic(path, buf_slice(&file), 0600, &err), &err);
}

/* Every row is written again, so that an older record can be put back. */
static void write_again(struct small *s)
{
    s->f.options.read_only = false;
    scratch_open(&s->f);
    for (unsigned row = 0; row < ROWS; row++) {
        char key[32], value[64];
        row_text(row, key, value);
        scratch_put(&s->f, columns[row % 2], key, value);
    }
    store_close(&s->f.store);
}

static void rows_rearranged(void **state)
{
    struct small *s = *state;
    static struct raw older, was[2], is[2];
    for (int kind = 0; kind < 2; kind++)
        for (int hand = NOTHING; hand < HANDS; hand++)
            for (int in_place = 0; in_place < 2 - (hand == REMOVE); in_place++) {
                uint8_t column = hand == SESSION_CHANGE ? 0x02 : kind == 0 ? 0x13 : 0x1c;
                read_rows(s, column, &older, &is[1]);
                write_again(s);
                read_rows(s, column, &was[0], &was[1]);
                memcpy(is, was, sizeof is);
                rearrange((enum hand)hand, &is[0], &is[1], &older);
                if (in_place)
                    tamper_in_place(s, was, is);
                else
                    tamper_committing(s, (enum hand)hand, &was[0], &is[0], &is[1]);
                struct outcome o = try_store(s, false);
                bool harmless = hand == NOTHING && in_place;
                if (harmless != (o.refused + o.errors == 0))
                    fail_msg("hand %d in place %d: %u errors", hand, in_place, o.errors);
                assert_true(in_place || o.refused); /* a foreign commit shows by its number */
                small_restore(s);
            }
}

static int set_up(void **state)
{
    struct small *s = malloc(sizeof *s);
    small_begin(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct small *s = *state;
    scratch_end(&s->f);
    free(s);
    return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    soak = getenv("MERO_SOAK") != NULL;
    const struct CMUnitTest tests[] = {
        WITH_STORE(the_small_store_is_right), WITH_STORE(every_byte_changed_reading),
        WITH_STORE(bytes_changed_writing),    WITH_STORE(every_length),
        WITH_STORE(files_of_a_sibling),       WITH_STORE(old_files_beside_new_ones),
        WITH_STORE(rows_rearranged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
