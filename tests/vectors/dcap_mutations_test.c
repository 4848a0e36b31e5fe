/* Real quotes and collateral with one thing changed at a time. Nothing that the reference verifier
 * refuses may pass, and what it accepts passes with the same status or is refused by a stricter
 * reading that is named here and in docs/verification.md. Prints what differs, by mutation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/hash.h"
#include "support/dcap_case.h"
#include "support/vectors.h"

/* Mutations that the reference accepts, and why they are refused here. */
static const struct {
    const char *mutation;
    const char *code;
    const char *why;
} stricter[] = {
    {"time-before", "collateral/not-yet-valid", "issue dates count"},
    {"time-before", "cert/not-yet-valid", "notBefore counts"},
    {"tcb_info-space", "signature/tcb-info", "signatures are over the bytes received"},
    {"tcb_info-newline-end", "signature/tcb-info", "the same"},
    {"qe_identity-space", "signature/qe-identity", "the same"},
    {"qe_identity-newline-end", "signature/qe-identity", "the same"},
    {"cert-swap-leaf-inter", "cert/subject", "the PCK chain is leaf first"},
    {"cert-reversed", "cert/root", "the same"},
    {"authlen+1", "quote/slack", "nothing may follow the certification data"},
    {"inner-cl-1", "quote/slack", "the same"},
};

struct difference {
    char mutation[64];
    char code[40];
    size_t count;
};
enum { DIFFERENCES_MAX = 64 };
static struct difference differences[DIFFERENCES_MAX];

/* The vector that the lines of the file are about. */
struct subject {
    char name[256];
    struct buf quote;
    json_t *collateral;
};

static struct dcap_root intel;
static size_t same_status, same_refusal, expired, stricter_count, laxer, other_status;

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value != NULL ? value : "";
}

static size_t number(const json_t *object, const char *name)
{
    return (size_t)json_integer_value(json_object_get(object, name));
}

static void load_subject(struct subject *s, const char *name)
{
    char path[512];
    if (strcmp(s->name, name) == 0)
        return;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(path, sizeof path, "dcap/real/%s/quote.bin", name);
    vectors_read(path, &s->quote);
    json_release(&s->collateral);
    snprintf(path, sizeof path, "dcap/real/%s/collateral.json", name);
    s->collateral = vectors_read_json(path);
}

static void release_subject(struct subject *s)
{
    buf_free(&s->quote);
    json_release(&s->collateral);
}

/* bytes[at, at+cut) becomes `with`. */
static void replace(struct buf *bytes, size_t at, size_t cut, struct slice with)
{
    struct slice all = buf_slice(bytes);
    struct buf out = BUF_INIT(1 << 24);
    assert_true(at <= all.len);
    buf_append(&out, slice_cut(all, 0, at));
    buf_append(&out, with);
    buf_append(&out, slice_cut(all, at + cut, all.len));
    assert_false(out.failed);
    buf_free(bytes);
    *bytes = out;
}

static void edit(struct buf *bytes, const json_t *op)
{
    const char *what = text(op, "op");
    size_t at = number(op, "at");
    BUF_AUTO struct buf with = BUF_INIT(1 << 20);
    assert_true(hex_decode_append(slice_str(text(op, "hex")), &with));
    if (strcmp(what, "xor") == 0) {
        assert_true(at < bytes->len);
        bytes->data[at] ^= (uint8_t)number(op, "mask");
    } else if (strcmp(what, "set") == 0) {
        replace(bytes, at, with.len, buf_slice(&with));
    } else if (strcmp(what, "insert") == 0) {
        replace(bytes, at, 0, buf_slice(&with));
    } else if (strcmp(what, "cut") == 0) {
        replace(bytes, at, number(op, "n"), slice_of(NULL, 0));
    } else if (strcmp(what, "keep") == 0) {
        replace(bytes, number(op, "n"), bytes->len, slice_of(NULL, 0));
    } else {
        fail_msg("unknown operation %s", what);
    }
}

/* Collateral as text, one buffer a member; drop makes it absent. */
struct texts {
    struct buf part[COLLATERAL_PARTS];
};

static void texts_free(struct texts *t)
{
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        buf_free(&t->part[i]);
}

static void put_text(struct buf *out, const char *value)
{
    buf_free(out);
    *out = BUF_INIT(1 << 24);
    assert_true(buf_append_str(out, value));
}

static struct buf *part_named(struct texts *t, const char *name)
{
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        if (strcmp(name, collateral_part_name((enum collateral_part)i)) == 0)
            return &t->part[i];
    fail_msg("unknown member %s", name);
    return NULL;
}

static void edit_collateral(struct texts *t, const json_t *collateral, const json_t *op)
{
    const char *what = text(op, "op");
    struct buf *part = part_named(t, text(op, "field"));
    if (strcmp(what, "text") == 0) {
        put_text(part, text(op, "value"));
    } else if (strcmp(what, "drop") == 0) {
        buf_reset(part);
    } else if (strcmp(what, "copy") == 0) {
        put_text(part, text(collateral, text(op, "from")));
    } else if (strcmp(what, "from") == 0) {
        char path[512];
        snprintf(path, sizeof path, "dcap/%s", text(op, "file"));
        JSON_AUTO json_t *file = vectors_read_json(path);
        put_text(part, text(file, text(op, "key")));
    } else {
        edit(part, op);
    }
}

static bool verify(struct slice quote, const struct texts *t, int64_t now_s, struct verdict *v,
                   struct error *err)
{
    COLLATERAL_AUTO struct collateral c;
    collateral_init(&c);
    for (size_t i = 0; i < COLLATERAL_PARTS; i++)
        if (t->part[i].len > 0 &&
            !collateral_set(&c, (enum collateral_part)i, buf_slice(&t->part[i]), err))
            return false;
    return dcap_verify(quote, &c, &intel, NULL, now_s, v, err);
}

static bool apply_and_verify(const struct subject *s, const json_t *line, struct verdict *v,
                             struct error *err)
{
    struct texts t __attribute__((cleanup(texts_free))) = {0};
    BUF_AUTO struct buf quote = BUF_INIT(1 << 24);
    uint8_t digest[SHA256_LEN];
    char digest_hex[2 * SHA256_LEN + 1];
    int64_t now_s = json_integer_value(json_object_get(line, "time"));
    const char *name;
    const json_t *value;
    size_t index;
    json_t *op;
    assert_true(buf_append(&quote, buf_slice(&s->quote)));
    json_object_foreach(s->collateral, name, value)
        put_text(part_named(&t, name), json_string_value(value));
    json_array_foreach(json_object_get(line, "ops"), index, op)
    {
        if (strcmp(text(op, "on"), "quote") == 0)
            edit(&quote, op);
        else if (strcmp(text(op, "on"), "time") == 0)
            now_s = json_integer_value(json_object_get(op, "value"));
        else
            edit_collateral(&t, s->collateral, op);
    }
    sha256(buf_slice(&quote), digest);
    hex_encode(slice_of(digest, sizeof digest), digest_hex);
    assert_string_equal(digest_hex, text(line, "sha256_quote"));
    return verify(buf_slice(&quote), &t, now_s, v, err);
}

static bool is_stricter(const char *mutation, const char *code)
{
    for (size_t i = 0; i < sizeof stricter / sizeof stricter[0]; i++)
        if (strcmp(mutation, stricter[i].mutation) == 0 && strcmp(code, stricter[i].code) == 0)
            return true;
    return false;
}

static void note_difference(const char *mutation, const char *code)
{
    for (size_t i = 0; i < DIFFERENCES_MAX; i++) {
        struct difference *d = &differences[i];
        if (d->count == 0) {
            snprintf(d->mutation, sizeof d->mutation, "%s", mutation);
            snprintf(d->code, sizeof d->code, "%s", code);
        }
        if (strcmp(d->mutation, mutation) == 0 && strcmp(d->code, code) == 0) {
            d->count++;
            return;
        }
    }
}

static void judge(const json_t *line, bool accepted, const struct verdict *v,
                  const struct error *err)
{
    const char *reference = text(json_object_get(line, "verdict"), "intel-qvl-1.27");
    enum tcb_status status;
    bool reference_accepts = tcb_status_parse(slice_str(reference), &status);
    if (accepted && !reference_accepts) {
        laxer++;
        print_error("%s: reference %s, accepted here as %s\n", text(line, "id"), reference,
                    tcb_status_name(v->status));
    } else if (accepted && v->status != status) {
        other_status++;
        print_error("%s: reference %s, here %s\n", text(line, "id"), reference,
                    tcb_status_name(v->status));
    } else if (accepted) {
        same_status++;
    } else if (strncmp(reference, "EXPIRED+", 8) == 0) {
        expired++;
    } else if (!reference_accepts) {
        same_refusal++;
    } else if (is_stricter(text(line, "mutation"), err->code)) {
        stricter_count++;
        note_difference(text(line, "mutation"), err->code);
    } else {
        other_status++;
        print_error("%s: reference %s, refused here: %s: %s\n", text(line, "id"), reference,
                    err->code, err->message);
    }
}

static void no_mutation_slips_through(void **state)
{
    BUF_AUTO struct buf file = BUF_INIT(1 << 24);
    struct subject subject __attribute__((cleanup(release_subject))) = {.collateral = NULL};
    size_t lines = 0;
    (void)state;
    vectors_read("dcap/mutations.jsonl", &file);
    struct slice rest = buf_slice(&file);
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
        JSON_AUTO json_t *line = NULL;
        struct verdict v;
        struct error err = {.code = ""};
        assert_true(json_parse(slice_cut(rest, 0, len), len, 0, &line, &err));
        load_subject(&subject, text(line, "vector"));
        bool accepted = apply_and_verify(&subject, line, &v, &err);
        judge(line, accepted, &v, &err);
        lines++;
        rest = slice_cut(rest, len + 1, rest.len);
    }
    print_message("%zu mutations: %zu same status, %zu refused by both, %zu expired and refused "
                  "here, %zu stricter\n",
                  lines, same_status, same_refusal, expired, stricter_count);
    for (size_t i = 0; i < DIFFERENCES_MAX && differences[i].count > 0; i++)
        print_message("  stricter: %4zu  %-32s %s\n", differences[i].count, differences[i].mutation,
                      differences[i].code);
    assert_int_equal(laxer + other_status, 0);
    assert_true(lines >= 8900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_mutation_slips_through)};
    vectors_require("dcap/mutations.jsonl");
    if (!dcap_root_open_intel(&intel, NULL))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dcap_root_close(&intel);
    return failed;
}
