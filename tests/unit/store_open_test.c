/* Opening a store: keys, what else may lie in its directories, locks, fork, superblock copies. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "support/scratch_store.h"

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[PATH_TEXT_MAX];
    assert_true(file_make_dirs(dir, 0700, NULL));
    assert_true(path_join(dir, name, path, NULL));
    assert_true(file_write_atomic(path, slice_str(text), 0600, NULL));
}

static void remove_file(const char *dir, const char *name)
{
    char path[PATH_TEXT_MAX];
    assert_true(path_join(dir, name, path, NULL));
    assert_int_equal(unlink(path), 0);
}

/* Changes one byte of a file by xor. */
static void flip(const char *dir, const char *name, off_t at, uint8_t mask)
{
    char path[PATH_TEXT_MAX];
    uint8_t byte;
    assert_true(path_join(dir, name, path, NULL));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void made_encrypted_and_opened_again(void **state)
{
    struct scratch_store *f = *state;
    assert_true(store_is_encrypted(f->store));
    scratch_put(f, "Generic", "greeting", "a-plaintext-that-must-not-show");
    scratch_reopen(f);
    assert_string_equal(scratch_get(f, "Generic", "greeting"), "a-plaintext-that-must-not-show");
    assert_true(store_ping(f->store, NULL));
    store_close(&f->store);
    assert_false(scratch_tree_holds(f->root, slice_str("plaintext-that-must")));
    assert_false(scratch_tree_holds(f->root, slice_str("greeting")));
    assert_false(scratch_tree_holds(f->root, slice_of(f->key, 32)));
    struct stat st;
    assert_int_equal(stat(f->data_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void every_bit_of_the_key_counts(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    store_close(&f->store);
    for (size_t bit = 0; bit < 8 * sizeof f->key; bit += 7) {
        f->key[bit / 8] = (uint8_t)(f->key[bit / 8] ^ 1U << bit % 8);
        assert_string_equal(scratch_open_fails(f, &err), "store/wrong-key");
        f->key[bit / 8] = (uint8_t)(f->key[bit / 8] ^ 1U << bit % 8);
    }
    for (size_t len = 32; len < sizeof f->key; len++) {
        f->options.key.len = len;
        assert_string_equal(scratch_open_fails(f, &err), "store/wrong-key");
    }
    f->options.key.len = 31;
    assert_string_equal(scratch_open_fails(f, &err), "store/key");
    f->options.key.len = sizeof f->key;
    assert_string_equal(scratch_open_fails(f, &err), "");
}

static void plaintext_and_encrypted_do_not_mix(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    store_close(&f->store);
    f->options.key.len = 0;
    assert_string_equal(scratch_open_fails(f, &err), "store/encrypted");
    struct scratch_store plain;
    scratch_begin(&plain);
    plain.options.key.len = 0;
    scratch_open(&plain);
    assert_false(store_is_encrypted(plain.store));
    scratch_put(&plain, "Meta", "k", "legible-on-disk");
    scratch_reopen(&plain);
    assert_string_equal(scratch_get(&plain, "Meta", "k"), "legible-on-disk");
    store_close(&plain.store);
    assert_true(scratch_tree_holds(plain.root, slice_str("legible-on-disk")));
    plain.options.key.len = sizeof plain.key;
    assert_string_equal(scratch_open_fails(&plain, &err), "store/plaintext");
    scratch_end(&plain);
}

static void only_made_when_asked(void **state)
{
    (void)state;
    struct scratch_store f;
    struct error err;
    scratch_begin(&f);
    f.options.create = false;
    assert_string_equal(scratch_open_fails(&f, &err), "store/missing");
    assert_false(file_exists(f.data_dir));
    f.options.create = true;
    f.options.read_only = true;
    assert_string_equal(scratch_open_fails(&f, &err), "store/missing");
    scratch_end(&f);
}

static void foreign_directories_are_left_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool in_blobs;
        const char *says;
    } cases[] = {
        {"CURRENT", false, "RocksDB"},
        {"MANIFEST-000004", false, "RocksDB"},
        {"notes.txt", false, "notes.txt"},
        {"B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH", true, "not empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scratch_store f;
        struct error err;
        scratch_begin(&f);
        write_text(cases[i].in_blobs ? f.blob_dir : f.data_dir, cases[i].name, "x");
        assert_string_equal(scratch_open_fails(&f, &err), "store/foreign");
        assert_non_null(strstr(err.message, cases[i].says));
        scratch_end(&f);
    }
}

static void another_stores_blobs_are_refused(void **state)
{
    struct scratch_store *f = *state;
    struct scratch_store other;
    struct error err;
    scratch_begin(&other);
    scratch_open(&other);
    store_close(&other.store);
    store_close(&f->store);
    f->options.blob_dir = other.blob_dir;
    assert_string_equal(scratch_open_fails(f, &err), "store/damaged");
    f->options.blob_dir = f->blob_dir;
    remove_file(f->blob_dir, "store.id");
    assert_string_equal(scratch_open_fails(f, &err), "store/damaged");
    scratch_end(&other);
}

static void open_in_one_process_only(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    STORE_AUTO struct store *second = NULL;
    assert_false(store_open(&f->options, &second, &err));
    assert_true(error_is(&err, "store/locked"));
    f->options.read_only = true;
    assert_false(store_open(&f->options, &second, &err));
    assert_true(error_is(&err, "store/locked"));
}

static void a_child_may_not_use_the_parents_store(void **state)
{
    struct scratch_store *f = *state;
    scratch_put(f, "Meta", "k", "v");
    pid_t child = fork();
    if (child == 0) {
        struct error err;
        BUF_AUTO struct buf value = BUF_INIT(16);
        bool found, refused;
        refused = !store_put(f->store, "Meta", slice_str("k"), slice_str("w"), &err) &&
                  error_is(&err, "store/forked") &&
                  !store_get(f->store, "Meta", slice_str("k"), &value, &found, &err) &&
                  error_is(&err, "store/forked");
        store_close(&f->store);
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    scratch_put(f, "Meta", "k", "still the parent's");
    assert_string_equal(scratch_get(f, "Meta", "k"), "still the parent's");
}

static void one_superblock_is_enough(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    scratch_put(f, "Meta", "k", "v");
    static const char *const names[] = {"superblock.1", "superblock.2"};
    for (size_t i = 0; i < 2; i++) {
        store_close(&f->store);
        remove_file(f->data_dir, names[i]);
        scratch_open(f);
        store_close(&f->store);
        flip(f->data_dir, names[i], 40, 0x10);
        scratch_open(f);
        assert_string_equal(scratch_get(f, "Meta", "k"), "v");
    }
    store_close(&f->store);
    flip(f->data_dir, names[0], 40, 1);
    flip(f->data_dir, names[1], 200, 1);
    assert_string_equal(scratch_open_fails(f, &err), "store/damaged");
    remove_file(f->data_dir, names[0]);
    remove_file(f->data_dir, names[1]);
    assert_string_equal(scratch_open_fails(f, &err), "store/damaged");
    assert_true(file_exists(f->data_dir));
}

/* A later format keeps magic, version and closing checksum where they are. */
static void later_formats_are_named_without_a_key(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    store_close(&f->store);
    uint8_t text[200] = "MEROSTOR\0\0\0\x02 whatever comes then", digest[SHA256_LEN];
    sha256(slice_of(text, 100), digest);
    memcpy(&text[100], digest, sizeof digest);
    char path[PATH_TEXT_MAX];
    assert_true(path_join(f->data_dir, "superblock.2", path, NULL));
    assert_true(file_write_atomic(path, slice_of(text, 132), 0600, NULL));
    assert_string_equal(scratch_open_fails(f, &err), "store/too-new");
    f->key[0] ^= 1;
    assert_string_equal(scratch_open_fails(f, &err), "store/too-new");
}

static void an_old_superblock_is_noticed(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char old[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "old", old, NULL));
    store_close(&f->store);
    scratch_copy_tree(f->data_dir, old);
    /* A lost copy makes the store write both anew, one generation on. */
    remove_file(f->data_dir, "superblock.2");
    scratch_open(f);
    scratch_put(f, "Meta", "k", "v");
    store_close(&f->store);
    static const char *const names[] = {"superblock.1", "superblock.2"};
    for (size_t i = 0; i < 2; i++) {
        char from[PATH_TEXT_MAX], to[PATH_TEXT_MAX];
        assert_true(path_join(old, names[i], from, NULL));
        assert_true(path_join(f->data_dir, names[i], to, NULL));
        assert_int_equal(rename(from, to), 0);
    }
    assert_string_equal(scratch_open_fails(f, &err), "store/rolled-back");
}

static void an_unfinished_creation_is_done_over(void **state)
{
    (void)state;
    static const char *const last[] = {NULL, "superblock.2", "superblock.1"};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        struct scratch_store f;
        struct error err;
        scratch_begin(&f);
        scratch_open(&f);
        store_close(&f.store);
        write_text(f.data_dir, "store.creating", "");
        for (size_t gone = 1; gone <= i; gone++)
            remove_file(f.data_dir, last[gone]);
        f.options.create = i < 2;
        assert_string_equal(scratch_open_fails(&f, &err), i < 2 ? "" : "store/missing");
        f.options.create = true;
        assert_string_equal(scratch_open_fails(&f, &err), "");
        scratch_end(&f);
    }
}

static void reading_only_changes_nothing(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char before[PATH_TEXT_MAX];
    scratch_put(f, "Meta", "k", "v");
    store_close(&f->store);
    assert_true(path_join(f->root, "before", before, NULL));
    scratch_copy_tree(f->data_dir, before);
    f->options.read_only = true;
    scratch_open(f);
    assert_string_equal(scratch_get(f, "Meta", "k"), "v");
    assert_false(store_put(f->store, "Meta", slice_str("k"), slice_str("w"), &err));
    assert_true(error_is(&err, "store/read-only"));
    struct blob_writer *w = NULL;
    assert_false(blob_writer_open(f->store, &w, &err));
    store_close(&f->store);
    static const char *const names[] = {"data.mdb", "superblock.1", "superblock.2"};
    for (size_t i = 0; i < 3; i++) {
        char a[PATH_TEXT_MAX], b[PATH_TEXT_MAX];
        BUF_AUTO struct buf x = BUF_INIT(1 << 20);
        BUF_AUTO struct buf y = BUF_INIT(1 << 20);
        assert_true(path_join(before, names[i], a, NULL));
        assert_true(path_join(f->data_dir, names[i], b, NULL));
        assert_true(file_read(a, &x, NULL));
        assert_true(file_read(b, &y, NULL));
        assert_true(slice_equal(buf_slice(&x), buf_slice(&y)));
    }
}

static void a_replaced_directory_is_noticed(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char path[PATH_TEXT_MAX];
    assert_true(store_ping(f->store, &err));
    assert_true(path_join(f->data_dir, "data.mdb", path, NULL));
    assert_true(file_write_atomic(path, slice_str("another file"), 0600, NULL));
    assert_false(store_ping(f->store, &err));
    assert_true(error_is(&err, "store/replaced"));
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
        WITH_STORE(made_encrypted_and_opened_again),
        WITH_STORE(every_bit_of_the_key_counts),
        WITH_STORE(plaintext_and_encrypted_do_not_mix),
        cmocka_unit_test(only_made_when_asked),
        cmocka_unit_test(foreign_directories_are_left_alone),
        WITH_STORE(another_stores_blobs_are_refused),
        WITH_STORE(open_in_one_process_only),
        WITH_STORE(a_child_may_not_use_the_parents_store),
        WITH_STORE(one_superblock_is_enough),
        WITH_STORE(later_formats_are_named_without_a_key),
        WITH_STORE(an_old_superblock_is_noticed),
        cmocka_unit_test(an_unfinished_creation_is_done_over),
        WITH_STORE(reading_only_changes_nothing),
        WITH_STORE(a_replaced_directory_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
