/* Buffer ceilings, the bounded reader, errors, clock, JSON, files, hashes and AEAD of the base
 * room. */
#include "base/aead.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void buffer_stops_at_its_ceiling(void **state)
{
    (void)state;
    for (int wipe = 0; wipe <= 1; wipe++) {
        BUF_AUTO struct buf b = {.max = 100, .wipe = wipe != 0};
        uint8_t piece[99] = {0};
        assert_true(buf_append(&b, slice_of(piece, 99)));
        assert_true(buf_append_byte(&b, 'x'));
        assert_false(buf_append_byte(&b, 'y'));
        assert_true(b.failed);
        assert_int_equal(b.len, 100);
        assert_false(buf_append(&b, slice_of(NULL, 0))); /* a failure sticks */
        buf_reset(&b);
        assert_true(buf_printf(&b, "%s", "again"));
        assert_string_equal(buf_cstr(&b), "again");
        assert_false(buf_append(&b, slice_of(piece, SIZE_MAX)));
    }
}

static void reader_sticks_when_short(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    assert_int_equal(reader_u16le(&r), 0x0201);
    assert_int_equal(reader_u32be(&r), 0x03040506);
    assert_false(reader_at_end(&r));
    struct reader short_read = r;
    assert_int_equal(reader_u16le(&short_read), 0);
    assert_true(short_read.failed);
    assert_int_equal(reader_u8(&short_read), 0); /* nothing more after a failure */
    assert_false(reader_at_end(&short_read));
    assert_int_equal(reader_u8(&r), 7);
    assert_true(reader_at_end(&r));
    assert_null(reader_bytes(&r, SIZE_MAX));
}

static void errors_stay_one_printable_line(void **state)
{
    (void)state;
    struct error err = {0};
    assert_false(error_set(&err, "area/what", "fi\neld", "bad\x1b[31m %s\xff", "caf\xc3\xa9"));
    assert_string_equal(err.field, "fi?eld");
    assert_string_equal(err.message, "bad?[31m caf\xc3\xa9?");
    assert_false(error_prefix(&err, "while %d", 1));
    assert_string_equal(err.message, "while 1: bad?[31m caf\xc3\xa9?");
    assert_true(error_is(&err, "area/"));
    assert_true(error_is(&err, "area/what"));
    assert_false(error_is(&err, "area"));
    assert_false(error_set(NULL, "a/b", NULL, "nobody listens"));
}

static void times_parse_and_print(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t unix_s;
    } cases[] = {
        {"1970-01-01T00:00:00Z", true, 0},          {"2000-02-29T23:59:59Z", true, 951868799},
        {"2026-08-27T10:00:00Z", true, 1787824800}, {"9999-12-31T23:59:59Z", true, 253402300799},
        {"1900-01-01T00:00:00Z", false, 0},         {"2023-02-29T00:00:00Z", false, 0},
        {"2100-02-29T00:00:00Z", false, 0},         {"2023-13-01T00:00:00Z", false, 0},
        {"2023-01-01T24:00:00Z", false, 0},         {"2023-01-01T00:00:60Z", false, 0},
        {"2023-01-01T00:00:00+00:00", false, 0},    {"2023-01-01T00:00:00.0Z", false, 0},
        {"2023-01-01 00:00:00Z", false, 0},         {"2O23-01-01T00:00:00Z", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = -1;
        assert_int_equal(time_parse_utc(slice_str(cases[i].text), &got), cases[i].ok);
        if (!cases[i].ok)
            continue;
        char text[TIME_TEXT_MAX];
        time_format_utc(got, text);
        assert_int_equal(got, cases[i].unix_s);
        assert_string_equal(text, cases[i].text);
    }
}

/* depth arrays inside one another. */
static char *nested(size_t depth)
{
    char *text = calloc(1, 2 * depth + 1);
    assert_non_null(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return text;
}

static void times_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"1767225600", true, 1767225600},
        {"2026-01-01T00:00:00Z", true, 1767225600},
        {"999999999999", true, INT64_C(999999999999)},
        {"1000000000000", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"2026-01-01", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 0;
        if (time_parse(slice_str(cases[i].text), &value) != cases[i].ok)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(value, cases[i].value);
    }
}

static void json_is_bounded(void **state)
{
    (void)state;
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        JSON_AUTO json_t *value = NULL;
        struct error err = {0};
        char *text = nested(depth);
        assert_int_equal(json_parse(slice_str(text), 1000, 0, &value, &err),
                         depth <= JSON_DEPTH_MAX);
        assert_int_equal(value == NULL, error_is(&err, "json/depth"));
        free(text);
    }
    static const char *const bad[] = {"",     "{",          "{}x", "{\"a\":1,\"a\":2}",
                                      "[1,]", "{\"a\":01}", "nul", "\"\xff\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *value = NULL;
        struct error err = {0};
        assert_false(json_parse(slice_str(bad[i]), 1000, 0, &value, &err));
        assert_true(error_is(&err, "json/syntax"));
    }
    json_t *value = NULL;
    struct error err = {0};
    assert_false(json_parse(slice_str("[1,2]"), 4, 0, &value, &err));
    assert_true(error_is(&err, "json/size"));
    assert_true(json_parse(slice_str("[1,2]"), 5, 0, &value, &err));
    json_release(&value);
}

static void json_spans_are_source_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *span;
    } cases[] = {
        {"{\"tcbInfo\":{\"a\":\"}\\\"\"},\"signature\":\"00\"}", "tcbInfo", "{\"a\":\"}\\\"\"}"},
        {" { \"x\" : [1, {\"tcbInfo\":2}] , \"tcbInfo\" : 7 }", "tcbInfo", "7"},
        {"{\"s\":\"00\"}", "s", "\"00\""},
        {"{\"a\":1}", "b", NULL},
        {"[\"a\",1]", "a", NULL},
        {"{\"a\"", "a", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice span = {0};
        assert_int_equal(json_member_span(slice_str(cases[i].text), cases[i].name, &span),
                         cases[i].span != NULL);
        if (cases[i].span != NULL)
            assert_true(slice_equal_str(span, cases[i].span));
    }
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    char dir[] = "/tmp/merotee-base-XXXXXX", path[PATH_TEXT_MAX], deep[PATH_TEXT_MAX],
         link_path[PATH_TEXT_MAX];
    struct error err = {0};
    struct stat st;
    assert_non_null(mkdtemp(dir));
    assert_true(path_join(dir, "a/b/c", deep, &err));
    assert_true(file_make_dirs(deep, 0700, &err));
    assert_true(path_join(deep, "file", path, &err));
    assert_true(file_write_atomic(path, slice_str("one"), 0600, &err));
    assert_true(file_write_atomic(path, slice_str("second"), 0640, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    for (size_t max = 5; max <= 7; max++) {
        BUF_AUTO struct buf out = BUF_INIT(max);
        assert_int_equal(file_read(path, &out, &err), max >= 6);
        if (max < 6)
            assert_true(error_is(&err, "file/too-large"));
    }
    /* A symlink inside the tree is removed, never followed. */
    assert_true(path_join(dir, "link", link_path, &err));
    assert_int_equal(symlink("/etc", link_path), 0);
    assert_true(file_remove_tree(dir, &err));
    assert_false(file_exists(dir));
    assert_true(file_exists("/etc/passwd"));
    BUF_AUTO struct buf none = BUF_INIT(10);
    assert_false(file_read(path, &none, &err));
    assert_true(error_is(&err, "file/missing"));
}

static void hashes_match_published_answers(void **state)
{
    (void)state;
    uint8_t out[SHA384_LEN];
    char hex[2 * SHA384_LEN + 1];
    struct slice parts[] = {slice_str("a"), slice_str(""), slice_str("bc")};
    sha256_parts(parts, 3, out);
    hex_encode(slice_of(out, SHA256_LEN), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha384(slice_str("abc"), out);
    hex_encode(slice_of(out, 8), hex);
    assert_string_equal(hex, "cb00753f45a35e8b");
    struct slice data = slice_str("what do ya want for nothing?"); /* RFC 4231 test case 2 */
    hmac_sha256(slice_str("Jefe"), &data, 1, out);
    hex_encode(slice_of(out, 8), hex);
    assert_string_equal(hex, "5bdcc146bf60754e");
    uint8_t ikm[22], okm[42]; /* RFC 5869 test case 3: no salt, no info */
    memset(ikm, 0x0b, sizeof ikm);
    assert_true(hkdf_sha256(slice_str(""), slice_of(ikm, 22), slice_str(""), okm, 42, NULL));
    hex_encode(slice_of(okm, 8), hex);
    assert_string_equal(hex, "8da4e775a563c18f");
}

static void sha256_stream_starts_again(void **state)
{
    (void)state;
    uint8_t whole[SHA256_LEN], streamed[SHA256_LEN];
    __attribute__((cleanup(sha256_free))) struct sha256_stream *h = NULL;
    assert_true(sha256_begin(&h, NULL));
    sha256(slice_str("message digest"), whole);
    for (int round = 0; round < 2; round++) {
        sha256_add(h, slice_str("message "));
        sha256_add(h, slice_str(""));
        sha256_add(h, slice_str("digest"));
        sha256_finish(h, streamed);
        assert_memory_equal(streamed, whole, SHA256_LEN);
    }
}

static void aead_detached_is_the_same_in_place(void **state)
{
    (void)state;
    const uint8_t key[AEAD_KEY_LEN] = {7}, nonce[AEAD_NONCE_LEN] = {1};
    uint8_t sealed[5 + AEAD_TAG_LEN], piece[6] = "hello", tag[AEAD_TAG_LEN];
    struct error err;
    AEAD_AUTO struct aead *a = NULL;
    assert_true(aead_open_key(&a, key, &err));
    assert_true(aead_seal(a, nonce, slice_str("aad"), slice_str("hello"), sealed, &err));
    assert_true(
        aead_seal_detached(a, nonce, slice_str("aad"), slice_of(piece, 5), piece, tag, &err));
    assert_memory_equal(piece, sealed, 5);
    assert_memory_equal(tag, &sealed[5], AEAD_TAG_LEN);
    assert_true(
        aead_unseal_detached(a, nonce, slice_str("aad"), slice_of(piece, 5), tag, piece, &err));
    assert_string_equal((const char *)piece, "hello");
    tag[0] ^= 1;
    assert_false(
        aead_unseal_detached(a, nonce, slice_str("aad"), slice_of(sealed, 5), tag, piece, &err));
    assert_true(error_is(&err, "aead/tag"));
    assert_true(slice_is_zero(slice_of(piece, 5)));
}

static void aead_binds_everything(void **state)
{
    (void)state;
    uint8_t key[AEAD_KEY_LEN] = {1}, nonce[AEAD_NONCE_LEN] = {2}, sealed[5 + AEAD_TAG_LEN],
            plain[5];
    struct error err = {0};
    AEAD_AUTO struct aead *a = NULL;
    assert_true(aead_open_key(&a, key, &err));
    assert_true(aead_seal(a, nonce, slice_str("aad"), slice_str("hello"), sealed, &err));
    assert_true(
        aead_unseal(a, nonce, slice_str("aad"), slice_of(sealed, sizeof sealed), plain, &err));
    assert_memory_equal(plain, "hello", 5);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_false(
            aead_unseal(a, nonce, slice_str("aad"), slice_of(sealed, sizeof sealed), plain, &err));
        assert_true(error_is(&err, "aead/tag"));
        assert_true(slice_is_zero(slice_of(plain, 5))); /* nothing unauthenticated is left behind */
        sealed[i] ^= 1;
    }
    assert_false(
        aead_unseal(a, nonce, slice_str("aae"), slice_of(sealed, sizeof sealed), plain, &err));
    assert_false(
        aead_unseal(a, nonce, slice_str("aad"), slice_of(sealed, AEAD_TAG_LEN - 1), plain, &err));
    nonce[0] ^= 1;
    assert_false(
        aead_unseal(a, nonce, slice_str("aad"), slice_of(sealed, sizeof sealed), plain, &err));
    /* Empty plaintext without additional data. */
    assert_true(aead_seal(a, nonce, slice_str(""), slice_str(""), sealed, &err));
    assert_true(aead_unseal(a, nonce, slice_str(""), slice_of(sealed, AEAD_TAG_LEN), plain, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_stops_at_its_ceiling),
        cmocka_unit_test(reader_sticks_when_short),
        cmocka_unit_test(errors_stay_one_printable_line),
        cmocka_unit_test(times_parse_and_print),
        cmocka_unit_test(times_as_people_write_them),
        cmocka_unit_test(json_is_bounded),
        cmocka_unit_test(json_spans_are_source_bytes),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(hashes_match_published_answers),
        cmocka_unit_test(aead_binds_everything),
        cmocka_unit_test(aead_detached_is_the_same_in_place),
        cmocka_unit_test(sha256_stream_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
