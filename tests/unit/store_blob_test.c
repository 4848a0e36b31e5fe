/* The blobstore: ids as published, streaming in and out, ranges, deduplication, deletion, uploads
 * that end early, and nothing of it legible on disk. */
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

#include "base/codec.h"
#include "base/hash.h"
#include "support/scratch_store.h"

enum { MIB = 1024 * 1024 };

static void expect_base58(const uint8_t id[32], const char *text)
{
    BUF_AUTO struct buf b = BUF_INIT(64);
    assert_true(base58_append(&b, slice_of(id, 32)));
    assert_string_equal(buf_cstr(&b), text);
}

static void count_file(const char *path, void *ctx)
{
    (void)path;
    ++*(unsigned *)ctx;
}

/* Chunk files, without the marker. */
static unsigned chunk_files(const struct scratch_store *f)
{
    unsigned count = 0;
    scratch_each_file(f->blob_dir, count_file, &count);
    return count - 1;
}

static void published_ids(void **state)
{
    struct scratch_store *f = *state;
    struct blob_info info = scratch_upload(f, slice_str("hello"));
    expect_base58(info.id.bytes, "B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH");
    expect_base58(info.content_hash, "42TEXg1vFAbcJ65y7qdYG9iCPvYfy3NDdVLd75akX2P5");
    assert_int_equal(info.size, 5);
    struct blob_info empty = scratch_upload(f, slice_str(""));
    expect_base58(empty.id.bytes, "GKot5hBsd81kMupNCXHaqbhv3huEbxAFMLnpcX2hniwn");
    scratch_expect_blob(f, &info.id, slice_str("hello"), 3);
    scratch_expect_blob(f, &empty.id, slice_str(""), 3);
    assert_int_equal(chunk_files(f), 1);
}

static void sizes_around_every_edge(void **state)
{
    struct scratch_store *f = *state;
    static const size_t sizes[] = {1,           65535,   65536,         65537,   MIB - 65536,
                                   MIB - 1,     MIB,     MIB + 1,       2 * MIB, 2 * MIB + 65537,
                                   3 * MIB - 1, 5 * MIB, 4096 * 16 - 16};
    uint8_t *content = malloc(5 * MIB);
    assert_non_null(content);
    scratch_noise(1, content, 5 * MIB);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice whole = slice_of(content, sizes[i]);
        struct blob_info info = scratch_upload(f, whole), again;
        struct error err;
        uint8_t hash[SHA256_LEN];
        sha256(whole, hash);
        assert_memory_equal(hash, info.content_hash, sizeof hash);
        assert_true(blob_stat(f->store, &info.id, &again, &err));
        assert_int_equal(again.size, sizes[i]);
        scratch_expect_blob(f, &info.id, whole, 100000);
        scratch_expect_blob(f, &info.id, whole, 65536);
        scratch_expect_blob(f, &info.id, whole, 2 * MIB);
    }
    scratch_reopen(f);
    struct blob_info last = scratch_upload(f, slice_of(content, 5 * MIB));
    scratch_expect_blob(f, &last.id, slice_of(content, 5 * MIB), MIB);
    free(content);
}

static void ranges(void **state)
{
    struct scratch_store *f = *state;
    size_t len = 3 * MIB + 12345;
    uint8_t *content = malloc(len), *piece = malloc(len);
    assert_true(content != NULL && piece != NULL);
    scratch_noise(2, content, len);
    struct blob_info info = scratch_upload(f, slice_of(content, len));
    struct blob_reader *r = NULL;
    struct error err;
    assert_true(blob_reader_open(f->store, &info.id, &r, &info, &err));
    uint64_t x = 7;
    for (int i = 0; i < 300; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t at = (size_t)(x >> 20) % (len + 10),
               want = (size_t)(x >> 40) % (i < 150 ? 200 : len);
        size_t expected = at >= len ? 0 : want < len - at ? want : len - at, got;
        assert_true(blob_reader_read(r, at, piece, want, &got, &err));
        assert_int_equal(got, expected);
        if (got > 0)
            assert_memory_equal(piece, &content[at], got);
    }
    blob_reader_close(&r);
    blob_reader_close(&r);
    free(content);
    free(piece);
}

static void equal_chunks_are_kept_once(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    uint8_t *content = calloc(1, 4 * MIB);
    assert_non_null(content);
    struct blob_info zeros = scratch_upload(f, slice_of(content, 4 * MIB));
    assert_int_equal(chunk_files(f), 1);
    content[2 * MIB] = 1;
    struct blob_info other = scratch_upload(f, slice_of(content, 4 * MIB));
    assert_int_equal(chunk_files(f), 2);
    struct blob_info same = scratch_upload(f, slice_of(content, 4 * MIB));
    assert_memory_equal(&same.id, &other.id, sizeof same.id);
    assert_int_equal(chunk_files(f), 2);
    scratch_expect_blob(f, &other.id, slice_of(content, 4 * MIB), MIB);
    assert_true(blob_delete(f->store, &zeros.id, &err));
    assert_int_equal(chunk_files(f), 2);
    scratch_reopen(f);
    scratch_expect_blob(f, &other.id, slice_of(content, 4 * MIB), MIB);
    assert_true(blob_delete(f->store, &other.id, &err));
    assert_int_equal(chunk_files(f), 0);
    assert_false(blob_delete(f->store, &other.id, &err));
    assert_true(error_is(&err, "blob/not-found"));
    scratch_reopen(f);
    assert_int_equal(chunk_files(f), 0);
    free(content);
}

struct listing {
    unsigned count, stop_at;
    uint64_t bytes;
};

static bool note(const struct blob_info *info, void *ctx)
{
    struct listing *l = ctx;
    l->count++;
    l->bytes += info->size;
    return l->count != l->stop_at;
}

static void listing_shows_blobs_only(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct listing none = {0}, all = {0}, some = {.stop_at = 2};
    assert_true(blob_list(f->store, note, &none, &err));
    assert_int_equal(none.count, 0);
    for (unsigned i = 1; i <= 5; i++) {
        uint8_t content[64];
        scratch_noise(i, content, sizeof content);
        (void)scratch_upload(f, slice_of(content, 10 * i));
    }
    assert_true(blob_list(f->store, note, &all, &err));
    assert_int_equal(all.count, 5);
    assert_int_equal(all.bytes, 150);
    assert_true(blob_list(f->store, note, &some, &err));
    assert_int_equal(some.count, 2);
}

static void a_wrong_hash_leaves_nothing(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct blob_writer *w = NULL;
    struct blob_info info;
    uint8_t hash[SHA256_LEN];
    sha256(slice_str("hello"), hash);
    assert_true(blob_writer_open(f->store, &w, &err));
    assert_true(blob_writer_append(w, slice_str("hullo"), &err));
    assert_false(blob_writer_finish(&w, hash, &info, &err));
    assert_true(error_is(&err, "blob/hash"));
    assert_null(w);
    assert_int_equal(chunk_files(f), 0);
    assert_true(blob_writer_open(f->store, &w, &err));
    assert_true(blob_writer_append(w, slice_str("hel"), &err));
    assert_true(blob_writer_append(w, slice_str("lo"), &err));
    assert_true(blob_writer_finish(&w, hash, &info, &err));
    assert_int_equal(chunk_files(f), 1);
}

static void given_up_uploads_leave_nothing(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct blob_writer *w = NULL;
    uint8_t *content = malloc(3 * MIB);
    assert_non_null(content);
    scratch_noise(9, content, 3 * MIB);
    assert_true(blob_writer_open(f->store, &w, &err));
    assert_true(blob_writer_append(w, slice_of(content, 3 * MIB), &err));
    assert_int_equal(chunk_files(f), 2);
    blob_writer_abort(&w);
    blob_writer_abort(&w);
    assert_int_equal(chunk_files(f), 0);
    free(content);
}

/* What a crash would leave: files in "uploads", swept at the next start. */
static void leftovers_are_swept(void **state)
{
    struct scratch_store *f = *state;
    char path[PATH_TEXT_MAX], uploads[PATH_TEXT_MAX];
    struct blob_info info = scratch_upload(f, slice_str("kept"));
    store_close(&f->store);
    assert_true(path_join(f->blob_dir, "uploads", uploads, NULL));
    assert_true(path_join(uploads, "00112233445566778899aabbccddeeff-0", path, NULL));
    assert_true(file_write_atomic(path, slice_str("half a chunk"), 0600, NULL));
    scratch_open(f);
    assert_false(file_exists(path));
    scratch_expect_blob(f, &info.id, slice_str("kept"), 64);
}

static void nothing_legible_on_disk(void **state)
{
    struct scratch_store *f = *state;
    static const char secret[] = "confidential-content-of-a-blob-0123456789";
    struct blob_info info = scratch_upload(f, slice_str(secret));
    uint8_t chunk_id[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    sha256(slice_str(secret), chunk_id);
    store_close(&f->store);
    assert_false(scratch_tree_holds(f->root, slice_str("content-of-a-blob")));
    assert_false(scratch_tree_holds(f->root, slice_of(chunk_id, 16)));
    assert_false(scratch_tree_holds(f->root, slice_of(info.id.bytes, 16)));
    hex_encode(slice_of(chunk_id, 8), hex);
    DIR *d = opendir(f->blob_dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        assert_null(strstr(e->d_name, hex));
    closedir(d);
}

static void deleted_while_read(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    uint8_t *content = malloc(3 * MIB), piece[16];
    assert_non_null(content);
    scratch_noise(4, content, 3 * MIB);
    struct blob_info info = scratch_upload(f, slice_of(content, 3 * MIB));
    struct blob_reader *r = NULL;
    size_t got;
    assert_true(blob_reader_open(f->store, &info.id, &r, &info, &err));
    assert_true(blob_reader_read(r, 0, piece, sizeof piece, &got, &err));
    assert_true(blob_delete(f->store, &info.id, &err));
    assert_false(blob_reader_read(r, 2 * MIB, piece, sizeof piece, &got, &err));
    assert_true(error_is(&err, "blob/not-found"));
    blob_reader_close(&r);
    free(content);
}

/* A blob whose 32 bytes are the chunk id of another: its chunk id is the other's root id. */
static void roots_and_chunks_do_not_mix(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    uint8_t chunk_id[SHA256_LEN];
    sha256(slice_str("hello"), chunk_id);
    struct blob_info hello = scratch_upload(f, slice_str("hello"));
    struct blob_info tricky = scratch_upload(f, slice_of(chunk_id, sizeof chunk_id));
    scratch_expect_blob(f, &hello.id, slice_str("hello"), 8);
    assert_true(blob_delete(f->store, &tricky.id, &err));
    scratch_expect_blob(f, &hello.id, slice_str("hello"), 8);
    assert_int_equal(chunk_files(f), 1);
}

/* ---- damage ---- */

static void only_chunk_path(const char *path, void *ctx)
{
    if (strstr(path, "store.id") == NULL)
        snprintf(ctx, PATH_TEXT_MAX, "%s", path);
}

static const char *read_fails(struct scratch_store *f, const struct blob_id *id, struct error *err)
{
    static uint8_t out[2 * MIB];
    struct blob_reader *r = NULL;
    struct blob_info info;
    size_t got;
    memset(out, 0, sizeof out);
    assert_true(blob_reader_open(f->store, id, &r, &info, err));
    bool ok = blob_reader_read(r, 0, out, sizeof out, &got, err);
    blob_reader_close(&r);
    if (!ok)
        assert_true(slice_is_zero(slice_of(out, sizeof out)));
    return ok ? "" : err->code;
}

static void damaged_chunks_are_refused(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    char path[PATH_TEXT_MAX] = "";
    uint8_t content[200];
    scratch_noise(3, content, sizeof content);
    struct blob_info info = scratch_upload(f, slice_of(content, sizeof content));
    scratch_each_file(f->blob_dir, only_chunk_path, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    off_t len = lseek(fd, 0, SEEK_END);
    assert_int_equal(len, 48 + 200 + 16);
    for (off_t at = 0; at < len; at++) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        uint8_t flipped = byte ^ 0x40;
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        assert_string_equal(read_fails(f, &info.id, &err), "store/damaged");
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_string_equal(read_fails(f, &info.id, &err), "");
    assert_int_equal(ftruncate(fd, len + 1), 0);
    assert_string_equal(read_fails(f, &info.id, &err), "store/damaged");
    for (off_t cut = len - 1; cut >= 0; cut--) {
        assert_int_equal(ftruncate(fd, cut), 0);
        assert_string_equal(read_fails(f, &info.id, &err), "store/damaged");
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(read_fails(f, &info.id, &err), "store/damaged");
    /* Uploading the same content again mends it. */
    (void)scratch_upload(f, slice_of(content, sizeof content));
    assert_string_equal(read_fails(f, &info.id, &err), "");
}

struct swap {
    char paths[2][PATH_TEXT_MAX];
    unsigned count;
};

static void note_path(const char *path, void *ctx)
{
    struct swap *s = ctx;
    if (strstr(path, "store.id") == NULL)
        snprintf(s->paths[s->count++], PATH_TEXT_MAX, "%s", path);
}

static void swapped_chunks_and_segments_are_refused(void **state)
{
    struct scratch_store *f = *state;
    struct error err;
    struct swap s = {0};
    uint8_t *content = malloc(4 * 65536);
    assert_non_null(content);
    scratch_noise(5, content, 4 * 65536);
    struct blob_info a = scratch_upload(f, slice_of(content, 2 * 65536));
    struct blob_info b = scratch_upload(f, slice_of(&content[2 * 65536], 2 * 65536));
    scratch_each_file(f->blob_dir, note_path, &s);
    assert_int_equal(s.count, 2);
    char spare[PATH_TEXT_MAX];
    assert_true(path_join(f->root, "spare", spare, NULL));
    assert_int_equal(rename(s.paths[0], spare), 0);
    assert_int_equal(rename(s.paths[1], s.paths[0]), 0);
    assert_int_equal(rename(spare, s.paths[1]), 0);
    assert_string_equal(read_fails(f, &a.id, &err), "store/damaged");
    assert_string_equal(read_fails(f, &b.id, &err), "store/damaged");
    /* Back in place; now the two segments of one file change places. */
    assert_int_equal(rename(s.paths[0], spare), 0);
    assert_int_equal(rename(s.paths[1], s.paths[0]), 0);
    assert_int_equal(rename(spare, s.paths[1]), 0);
    assert_string_equal(read_fails(f, &a.id, &err), "");
    enum { SEGMENT = 65536 + 16 };
    int fd = open(s.paths[0], O_RDWR);
    uint8_t *file = malloc(2 * SEGMENT);
    assert_true(fd >= 0 && file != NULL);
    assert_int_equal(pread(fd, file, 2 * SEGMENT, 48), 2 * SEGMENT);
    assert_int_equal(pwrite(fd, &file[SEGMENT], SEGMENT, 48), SEGMENT);
    assert_int_equal(pwrite(fd, file, SEGMENT, 48 + SEGMENT), SEGMENT);
    close(fd);
    bool a_fails = strcmp(read_fails(f, &a.id, &err), "store/damaged") == 0;
    bool b_fails = strcmp(read_fails(f, &b.id, &err), "store/damaged") == 0;
    assert_true(a_fails != b_fails);
    free(file);
    free(content);
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
        WITH_STORE(published_ids),
        WITH_STORE(sizes_around_every_edge),
        WITH_STORE(ranges),
        WITH_STORE(equal_chunks_are_kept_once),
        WITH_STORE(listing_shows_blobs_only),
        WITH_STORE(a_wrong_hash_leaves_nothing),
        WITH_STORE(given_up_uploads_leave_nothing),
        WITH_STORE(leftovers_are_swept),
        WITH_STORE(nothing_legible_on_disk),
        WITH_STORE(deleted_while_read),
        WITH_STORE(roots_and_chunks_do_not_mix),
        WITH_STORE(damaged_chunks_are_refused),
        WITH_STORE(swapped_chunks_and_segments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
