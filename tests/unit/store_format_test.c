/* The test vectors of docs/format.md, computed by the code that writes stores. (The page is
 * computed once more, by other hands, in tests/e2e/store_vectors_test.py.) And the small encodings
 * at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "store/blob_rows.h"
#include "store/chunk.h"
#include "store/engine.h"

static struct buf page = {.max = 1 << 20};

static void expect(const char *name, const void *bytes, size_t len)
{
    char line[1024], hex[600];
    assert_true(len < sizeof hex / 2);
    hex_encode(slice_of(bytes, len), hex);
    snprintf(line, sizeof line, "\n%-16s %s\n", name, hex);
    if (strstr(buf_cstr(&page), line) == NULL)
        fail_msg("docs/format.md has another value than%s", line);
}

static void run(uint8_t *out, unsigned first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)(first + i);
}

struct fixed {
    struct store store;
    struct store_keys keys;
    struct data_key dek;
    struct session session;
};

static void fixed_begin(struct fixed *f)
{
    uint8_t kms[48], salt[32], secret[32];
    struct kek kek;
    memset(f, 0, sizeof *f);
    memset(kms, 0x42, sizeof kms);
    run(f->store.id.bytes, 0, 16);
    run(salt, 0x20, 32);
    run(secret, 0x40, 32);
    run(f->dek.key, 0x60, 32);
    f->dek.epoch = 1;
    f->store.keys = &f->keys;
    assert_true(kek_derive(&f->store.id, salt, slice_of(kms, sizeof kms), &kek, NULL));
    assert_true(name_keys_derive(&f->store.id, secret, &f->keys.names, NULL));
    expect("kek", kek.key, sizeof kek.key);
    expect("kcv", kek.kcv, sizeof kek.kcv);
}

static void vectors_of_names(void **state)
{
    (void)state;
    struct fixed f;
    fixed_begin(&f);
    const struct name_keys *n = &f.keys.names;
    expect("rows", n->rows, sizeof n->rows);
    expect("files", n->files, sizeof n->files);
    expect("sessions", n->sessions, sizeof n->sessions);
    expect("places", n->places, sizeof n->places);
    expect("root", n->root, sizeof n->root);
    expect("anchor", n->anchor, sizeof n->anchor);
}

static void vectors_of_records(void **state)
{
    (void)state;
    struct fixed f;
    uint8_t key[32], row_text[SESSION_ROW_LEN + 1], plain_text[64], record[128], random[6];
    struct buf row = BUF_FIXED(row_text), plain = BUF_FIXED(plain_text);
    struct disk_key place, session_place;
    const struct column *column = NULL;
    SET_HASHER_AUTO struct set_hasher *hasher = NULL;
    struct set_root root = {0};
    uint8_t element[STATE_ROOT_LEN], anchored[STATE_ROOT_LEN];
    fixed_begin(&f);
    assert_true(column_by_name("State", &column, NULL));
    assert_true(disk_key_make(&f.keys.names, column, slice_str("key"), &place, NULL));
    expect("row key", place.bytes, place.len);
    run(f.session.id, 0x80, 32);
    f.session.number = 7;
    f.session.epoch = 1;
    f.session.records = 3;
    assert_true(session_key_derive(&f.store.id, &f.dek, f.session.id, 7, key, NULL));
    expect("session key", key, sizeof key);
    session_row(&f.store, &f.session, &session_place, &row);
    expect("session row", row.data, row.len);
    assert_true(sealer_open(&f.session.sealer, SUITE_AES256_GCM, key, NULL));
    assert_true(record_compose(column, slice_str("key"), slice_str("value"), &plain, NULL));
    run(random, 0xf0, sizeof random);
    assert_true(record_seal(&f.store, &f.session, random, disk_key_slice(&place), buf_slice(&plain),
                            record, NULL));
    struct slice sealed = slice_of(record, plain.len + RECORD_OVERHEAD);
    expect("record", sealed.data, sealed.len);
    assert_true(set_hasher_open(&hasher, &f.keys.names, NULL));
    set_root_add(hasher, &root, disk_key_slice(&place), sealed);
    set_root_encode(&root, element);
    expect("element", element, sizeof element);
    anchor_root(&f.keys.names, 9, element, anchored);
    expect("anchored, 9", anchored, sizeof anchored);
    set_root_remove(hasher, &root, disk_key_slice(&place), sealed);
    set_root_encode(&root, element);
    assert_true(slice_is_zero(slice_of(element, sizeof element)));
    session_forget(&f.session);
}

static void vectors_of_chunks(void **state)
{
    (void)state;
    struct fixed f;
    uint8_t id[32], name[FILE_NAME_LEN], key[32], file[200], hello[] = {'h', 'e', 'l', 'l', 'o'};
    struct chunk_header header = {.segment_log2 = 16, .epoch = 1, .len = sizeof hello};
    struct chunk_cipher cipher = {0};
    fixed_begin(&f);
    run(header.salt, 0xa0, 32);
    sha256(slice_of(hello, sizeof hello), id);
    expect("chunk id", id, sizeof id);
    file_name(&f.keys.names, id, name);
    expect("file name", name, sizeof name);
    assert_true(chunk_key_derive(&f.store.id, &f.dek, header.salt, id, key, NULL));
    expect("chunk key", key, sizeof key);
    assert_true(
        chunk_cipher_open(&cipher, &f.store.id, SUITE_AES256_GCM, &f.dek, &header, id, NULL));
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_true(chunk_write(fileno(out), &cipher, hello, NULL));
    ssize_t len = pread(fileno(out), file, sizeof file, 0);
    assert_int_equal(len, chunk_file_len(&header));
    expect("chunk file", file, (size_t)len);
    fclose(out);
    chunk_cipher_close(&cipher);
}

/* ---- encodings ---- */

static void blob_rows_at_their_limits(void **state)
{
    (void)state;
    uint8_t links[3 * 32] = {1};
    static const struct {
        uint64_t size;
        size_t links;
        bool ok;
    } cases[] = {{0, 0, true},
                 {0, 1, false},
                 {1, 1, true},
                 {1, 0, false},
                 {1 << 20, 1, true},
                 {(1 << 20) + 1, 1, false},
                 {(1 << 20) + 1, 2, true},
                 {3 << 20, 3, true},
                 {(3 << 20) + 1, 3, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        BUF_AUTO struct buf text = BUF_INIT(1000);
        struct blob_root in = {.size = cases[i].size,
                               .links = slice_of(links, 32 * cases[i].links)};
        struct blob_root out;
        in.refs = 7;
        blob_root_encode(&in, &text);
        assert_int_equal(blob_root_decode(buf_slice(&text), &out), cases[i].ok);
        if (cases[i].ok)
            assert_true(out.size == in.size && out.refs == 7 && slice_equal(in.links, out.links));
        for (size_t cut = 0; cut < text.len; cut++)
            assert_false(blob_root_decode(slice_cut(buf_slice(&text), 0, cut), &out));
    }
}

static void chunk_headers_at_their_limits(void **state)
{
    (void)state;
    static const struct {
        uint8_t log2;
        uint32_t len;
        bool ok;
        uint64_t file_len;
    } cases[] = {{11, 1, false, 0},
                 {12, 1, true, 48 + 1 + 16},
                 {12, 1 << 20, true, 48 + (1 << 20) + 256 * 16},
                 {16, 0, false, 0},
                 {16, 65536, true, 48 + 65536 + 16},
                 {16, 65537, true, 48 + 65537 + 32},
                 {20, 1 << 20, true, 48 + (1 << 20) + 16},
                 {20, (1 << 20) + 1, false, 0},
                 {21, 1, false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chunk_header in = {.segment_log2 = cases[i].log2, .len = cases[i].len, .epoch = 9};
        struct chunk_header out;
        uint8_t text[CHUNK_HEADER_LEN];
        chunk_header_encode(&in, text);
        assert_int_equal(chunk_header_decode(slice_of(text, sizeof text), &out), cases[i].ok);
        if (!cases[i].ok)
            continue;
        assert_int_equal(chunk_file_len(&out), cases[i].file_len);
        assert_false(chunk_header_decode(slice_of(text, sizeof text - 1), &out));
        for (size_t at = 0; at < 8; at++) { /* magic, reserved */
            if (at == 4)
                continue;
            text[at] ^= 1;
            assert_false(chunk_header_decode(slice_of(text, sizeof text), &out));
            text[at] ^= 1;
        }
    }
}

static void states_round_trip(void **state)
{
    (void)state;
    static struct state in, out;
    uint8_t text[STATE_TEXT_MAX + 1];
    struct buf b = BUF_FIXED(text);
    in.counter = 0x0102030405060708ULL;
    in.txnid = 2;
    in.sessions = 3;
    in.root.lanes[3] = 4;
    for (size_t i = 0; i < column_count(); i++)
        in.totals[column_at(i)->id] = (struct column_total){i + 1, UINT64_MAX - i};
    state_encode(&in, &b);
    assert_false(b.failed);
    assert_true(state_decode(buf_slice(&b), &out));
    assert_memory_equal(&in, &out, sizeof in);
    for (size_t cut = 0; cut < b.len; cut++)
        if ((cut < 64) || (cut - 64) % 17 != 0)
            assert_false(state_decode(slice_cut(buf_slice(&b), 0, cut), &out));
}

static void every_column_has_its_own_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < column_count(); i++) {
        const struct column *found = NULL, *c = column_at(i);
        assert_true(c->id >= COLUMN_FIRST);
        assert_ptr_equal(column_by_id(c->id), c);
        assert_true(column_by_name(c->name, &found, NULL));
        assert_ptr_equal(found, c);
    }
    assert_null(column_at(column_count()));
    assert_null(column_by_id(0));
}

int main(void)
{
    const char *root = getenv("MERO_SOURCE_DIR");
    char path[PATH_TEXT_MAX];
    if (!path_join(root != NULL ? root : ".", "docs/format.md", path, NULL) ||
        !file_read(path, &page, NULL)) {
        puts("docs/format.md is missing");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_names),
        cmocka_unit_test(vectors_of_records),
        cmocka_unit_test(vectors_of_chunks),
        cmocka_unit_test(blob_rows_at_their_limits),
        cmocka_unit_test(chunk_headers_at_their_limits),
        cmocka_unit_test(states_round_trip),
        cmocka_unit_test(every_column_has_its_own_number),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&page);
    return failed;
}
