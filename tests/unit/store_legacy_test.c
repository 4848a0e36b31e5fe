/* Records of the existing node: the published known answer, both eras of additional data, damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "store/legacy.h"

static void expect_key(size_t ikm_len, uint8_t version, const char *hex)
{
    uint8_t ikm[48], key[AEAD_KEY_LEN];
    char text[2 * AEAD_KEY_LEN + 1];
    memset(ikm, 0x42, sizeof ikm);
    assert_true(legacy_data_key(slice_of(ikm, ikm_len), version, key, NULL));
    hex_encode(slice_of(key, sizeof key), text);
    assert_string_equal(text, hex);
}

static void data_keys(void **state)
{
    (void)state;
    expect_key(48, 1, "e74f29ab53c58e411443ad1c8fcdfa8d1b7b3f9c43b27f9ade58459da49d4efc");
    expect_key(32, 1, "4e4af8a4531c2b196cdcefc31205adfc28174675669ad46534f3cbd53199da67");
    expect_key(32, 2, "b321fa641a5d6844a9151e6f136cd4bb1e2c6471c5bc289572bfa664a0f90bf8");
}

static const struct {
    size_t ikm_len;
    const char *record, *value;
} answers[] = {
    {48,
     "01de580218dfe14e1fa9dc788b21354dfaa53ccad65d6c86c121b1ad2d37ccedb6fb81f761ecc785df8ae58a05"
     "e1628913454615c6fe",
     "sealed-under-aes-gcm-0.10"},
    {32, "01000102030405060708090a0b073f14c56bed1f58d534a1417f2640d57dc3a8a014", "hello"},
    {32, "01000102030405060708090a0b073f14c56b819e7f7340685d30ffe974c063e74d90", "hello"},
};

static void known_answers_and_their_damage(void **state)
{
    (void)state;
    uint8_t ikm[48], record[128];
    memset(ikm, 0x42, sizeof ikm);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        size_t len = strlen(answers[i].record) / 2;
        struct slice key = slice_of(ikm, answers[i].ikm_len);
        BUF_AUTO struct buf value = BUF_INIT(100);
        struct error err;
        assert_true(hex_decode(slice_str(answers[i].record), record, len));
        assert_true(legacy_open(key, slice_of(record, len), &value, &err));
        assert_true(slice_equal_str(buf_slice(&value), answers[i].value));
        for (size_t at = 0; at < len; at++) {
            record[at] ^= 0x20;
            assert_false(legacy_open(key, slice_of(record, len), &value, &err));
            assert_true(error_is(&err, "legacy/tag"));
            record[at] ^= 0x20;
        }
        for (size_t cut = 0; cut < len; cut++) {
            assert_false(legacy_open(key, slice_of(record, cut), &value, &err));
            assert_true(error_is(&err, cut < LEGACY_OVERHEAD ? "legacy/short" : "legacy/tag"));
        }
        assert_int_equal(value.len, strlen(answers[i].value));
    }
}

static void sealing_opens_again(void **state)
{
    (void)state;
    uint8_t ikm[40] = {3};
    struct error err;
    BUF_AUTO struct buf record = BUF_INIT(100);
    BUF_AUTO struct buf value = BUF_INIT(100);
    struct slice key = slice_of(ikm, sizeof ikm);
    assert_true(legacy_seal(key, slice_str("content"), &record, &err));
    assert_int_equal(record.len, 7 + LEGACY_OVERHEAD);
    assert_true(legacy_open(key, buf_slice(&record), &value, &err));
    assert_true(slice_equal_str(buf_slice(&value), "content"));
    assert_false(legacy_seal(slice_of(ikm, 31), slice_str("content"), &record, &err));
    assert_true(error_is(&err, "legacy/key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_keys),
        cmocka_unit_test(known_answers_and_their_damage),
        cmocka_unit_test(sealing_opens_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
