/* Scratch stores. */
#include "support/scratch_store.h"

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

#include "base/hash.h"

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

void scratch_begin(struct scratch_store *f)
{
    memset(f, 0, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->root, sizeof f->root, "%s/mero-store-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->root));
    assert_true(path_join(f->root, "data", f->data_dir, NULL));
    assert_true(path_join(f->root, "blobs", f->blob_dir, NULL));
    for (size_t i = 0; i < sizeof f->key; i++)
        f->key[i] = (uint8_t)(0xa0 + i);
    f->options = (struct store_options){.data_dir = f->data_dir,
                                        .blob_dir = f->blob_dir,
                                        .key = slice_of(f->key, sizeof f->key),
                                        .create = true};
}

void scratch_end(struct scratch_store *f)
{
    store_close(&f->store);
    struct error err;
    need(file_remove_tree(f->root, &err), &err);
}

void scratch_open(struct scratch_store *f)
{
    struct error err;
    need(store_open(&f->options, &f->store, &err), &err);
}

void scratch_reopen(struct scratch_store *f)
{
    store_close(&f->store);
    scratch_open(f);
}

const char *scratch_open_fails(struct scratch_store *f, struct error *err)
{
    STORE_AUTO struct store *s = NULL;
    assert_null(f->store);
    return store_open(&f->options, &s, err) ? "" : err->code;
}

void scratch_put(struct scratch_store *f, const char *column, const char *key, const char *value)
{
    struct error err;
    need(store_put(f->store, column, slice_str(key), slice_str(value), &err), &err);
}

const char *scratch_get(struct scratch_store *f, const char *column, const char *key)
{
    static char text[4096];
    BUF_AUTO struct buf value = BUF_INIT(sizeof text - 1);
    struct error err;
    bool found;
    need(store_get(f->store, column, slice_str(key), &value, &found, &err), &err);
    if (!found)
        return NULL;
    snprintf(text, sizeof text, "%s", value.len > 0 ? buf_cstr(&value) : "");
    return text;
}

struct blob_id scratch_blob_id(struct slice content)
{
    enum { MIB = 1 << 20 };
    uint8_t text[64 * SHA256_LEN + 1]; /* no allocation: tests make those fail */
    struct buf links = BUF_FIXED(text);
    struct blob_id id;
    for (size_t at = 0; at < content.len; at += MIB) {
        uint8_t chunk[SHA256_LEN];
        sha256(slice_cut(content, at, MIB), chunk);
        assert_true(buf_append(&links, slice_of(chunk, sizeof chunk)));
    }
    sha256(buf_slice(&links), id.bytes);
    return id;
}

struct blob_info scratch_upload(struct scratch_store *f, struct slice content)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    struct error err;
    need(blob_writer_open(f->store, &w, &err), &err);
    need(blob_writer_append(w, content, &err), &err);
    need(blob_writer_finish(&w, NULL, &info, &err), &err);
    return info;
}

void scratch_expect_blob(struct scratch_store *f, const struct blob_id *id, struct slice content,
                         size_t step)
{
    struct blob_reader *r = NULL;
    struct blob_info info;
    struct error err;
    need(blob_reader_open(f->store, id, &r, &info, &err), &err);
    assert_int_equal(info.size, content.len);
    uint8_t *piece = malloc(step);
    assert_non_null(piece);
    for (size_t at = 0;;) {
        size_t got;
        need(blob_reader_read(r, at, piece, step, &got, &err), &err);
        if (got == 0) {
            assert_int_equal(at, content.len);
            break;
        }
        assert_true(got <= content.len - at);
        assert_memory_equal(piece, &content.data[at], got);
        at += got;
    }
    free(piece);
    blob_reader_close(&r);
}

/* ---- trees ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void scratch_each_file(const char *dir, void (*visit)(const char *path, void *ctx), void *ctx)
{
    struct dirent **names = NULL;
    int count = scandir(dir, &names, NULL, by_name);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        char path[PATH_TEXT_MAX];
        const char *name = names[i]->d_name;
        assert_true(path_join(dir, name, path, NULL));
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            if (file_is_dir(path))
                scratch_each_file(path, visit, ctx);
            else
                visit(path, ctx);
        }
        free(names[i]);
    }
    free(names);
}

struct copying {
    const char *from, *to;
};

static void copy_file(const char *path, void *ctx)
{
    const struct copying *c = ctx;
    char target[PATH_TEXT_MAX], parent[PATH_TEXT_MAX];
    BUF_AUTO struct buf bytes = BUF_INIT((size_t)256 << 20);
    struct error err;
    assert_true(snprintf(target, sizeof target, "%s%s", c->to, &path[strlen(c->from)]) > 0);
    assert_true(path_dirname(target, parent, NULL));
    need(file_make_dirs(parent, 0700, &err), &err);
    need(file_read(path, &bytes, &err), &err);
    int fd = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    need(fd_write_all(fd, buf_slice(&bytes), &err), &err);
    close(fd);
}

void scratch_copy_tree(const char *from, const char *to)
{
    struct copying c = {from, to};
    scratch_each_file(from, copy_file, &c);
}

struct searching {
    struct slice needle;
    bool found;
};

static void search_file(const char *path, void *ctx)
{
    struct searching *s = ctx;
    BUF_AUTO struct buf bytes = BUF_INIT((size_t)256 << 20);
    struct error err;
    need(file_read(path, &bytes, &err), &err);
    for (size_t i = 0; i + s->needle.len <= bytes.len; i++)
        if (memcmp(&bytes.data[i], s->needle.data, s->needle.len) == 0)
            s->found = true;
}

bool scratch_tree_holds(const char *dir, struct slice needle)
{
    struct searching s = {.needle = needle};
    scratch_each_file(dir, search_file, &s);
    return s.found;
}

void scratch_noise(uint32_t seed, uint8_t *out, size_t len)
{
    uint64_t x = 0x9e3779b97f4a7c15ULL * (seed + 1ULL);
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) {
            x += 0x9e3779b97f4a7c15ULL;
            x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
            x ^= x >> 27;
        }
        out[i] = (uint8_t)(x >> (8 * (i % 8)));
    }
}
