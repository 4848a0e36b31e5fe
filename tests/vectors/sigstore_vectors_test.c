/* Every case of the Sigstore vectors: those in scope as expected and for the expected reason, those
 * out of scope refused by name, those left to us as docs/sigstore.md decides. Prints the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/codec.h"
#include "sigstore/merkle.h"
#include "sigstore/verify.h"
#include "support/vectors.h"

#define FOLDER       "sigstore"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { KINDS_MAX = 16 };

/* Cases whose reason differs from the index, because we look earlier or by another name. */
static const struct {
    const char *id, *code;
} other_reason[] = {
    {"legacy/body-base64-noncanonical_fail", "sigstore/parse"}, /* not canonical base64 */
    {"legacy/bundle-signature-malleated-n-minus-s_fail", "sigstore/body"},
};

/* What docs/sigstore.md decides. */
static const struct {
    const char *id, *code; /* NULL = accepted */
} decided[] = {
    {"synthetic/sct-valid-plus-unknown-log", "sigstore/sct"},
    {"synthetic-v2/r2-log-validfor-ended", "sigstore/checkpoint"},
    {"clients/java-bundle-no-digest", "sigstore/profile"},
    {"clients/py-bundle-v0.1-staging-p384-sha256", "sigstore/blob-signature"},
    {"clients/rust-cosign-v3-blob-vs-2025-01-pinned-root", "sigstore/tsa"},
};

struct tally {
    const char *kind;
    size_t passed, refused, out_of_scope, decided, by_reason;
};

static struct tally tallies[KINDS_MAX];
static size_t wrong, compared;
static json_t *known_answers;

static struct tally *tally_of(const char *kind)
{
    size_t i = 0;
    while (tallies[i].kind != NULL && strcmp(tallies[i].kind, kind) != 0)
        if (++i == KINDS_MAX)
            fail_msg("more than %d kinds", KINDS_MAX);
    tallies[i].kind = kind;
    return &tallies[i];
}

static const char *text_of(const json_t *c, const char *name)
{
    return json_string_value(json_object_get(c, name));
}

static bool read_member(const json_t *c, const char *name, struct buf *out)
{
    const char *path = text_of(c, name);
    if (path == NULL)
        return false;
    vectors_read(vectors_path(FOLDER, path), out);
    return true;
}

/* The identity of a case; those signed by a bare key have none. */
static struct sigstore_identity identity_of(const json_t *c)
{
    const json_t *policy = json_object_get(c, "github_policy");
    const char *issuer = text_of(c, "issuer");
    return (struct sigstore_identity){
        .subject = text_of(c, "identity") != NULL ? text_of(c, "identity") : "none",
        .issuer = policy != NULL && text_of(policy, "issuer") ? text_of(policy, "issuer")
                  : issuer != NULL                            ? issuer
                                                              : "none",
        .claims = {
            [SIGSTORE_WORKFLOW_TRIGGER] = text_of(policy, "trigger"),
            [SIGSTORE_WORKFLOW_NAME] = text_of(policy, "name"),
            [SIGSTORE_WORKFLOW_REPOSITORY] = text_of(policy, "repository"),
            [SIGSTORE_WORKFLOW_REF] = text_of(policy, "ref"),
        }};
}

static bool verify_case(const json_t *c, struct sigstore_result *result, struct error *err)
{
    BUF_AUTO struct buf bundle = {0}, artifact = {0}, root = {0}, signature = {0}, pem = {0};
    SIGSTORE_TRUST_AUTO struct sigstore_trust *trust = NULL;
    read_member(c, "bundle", &bundle);
    read_member(c, "artifact", &artifact);
    read_member(c, "trusted_root", &root);
    bool has_signature = read_member(c, "signature", &signature);
    bool has_pem = read_member(c, "cert_pem", &pem);
    struct slice signature_text = buf_slice(&signature), pem_text = buf_slice(&pem);
    struct sigstore_input input = {
        .bundle = buf_slice(&bundle),
        .artifact = buf_slice(&artifact),
        .signature = has_signature ? &signature_text : NULL,
        .certificate = has_pem ? &pem_text : NULL,
    };
    struct sigstore_identity identity = identity_of(c);
    return sigstore_trust_open(buf_slice(&root), &trust, err) &&
           sigstore_verify(trust, &input, &identity, clock_unix_s(), result, err);
}

static void complain(const char *id, const char *wanted, bool ok, const struct error *err)
{
    print_error("%s: wanted %s, got %s %s: %s\n", id, wanted, ok ? "a pass" : "a refusal",
                ok ? "" : err->code, ok ? "" : err->message);
    wrong++;
}

static bool is_reason(const char *id, const char *fails_at, const struct error *err)
{
    for (size_t i = 0; i < COUNT(other_reason); i++)
        if (strcmp(other_reason[i].id, id) == 0)
            return strcmp(err->code, other_reason[i].code) == 0;
    char code[64];
    snprintf(code, sizeof code, "sigstore/%s", fails_at);
    return strcmp(err->code, code) == 0;
}

static void judge_decided(const char *id, bool ok, const struct error *err)
{
    for (size_t i = 0; i < COUNT(decided); i++)
        if (strcmp(decided[i].id, id) == 0) {
            if (ok != (decided[i].code == NULL) || (!ok && strcmp(err->code, decided[i].code) != 0))
                complain(id, decided[i].code != NULL ? decided[i].code : "a pass", ok, err);
            return;
        }
    complain(id, "a decision in the table", ok, err);
}

/* The times, subject and log index that others found in the same bundle. */
static void check_known(const char *id, const struct sigstore_result *r)
{
    const json_t *kat = json_object_get(known_answers, id);
    const json_t *times = json_object_get(kat, "times");
    const json_t *san = json_object_get(json_object_get(kat, "leaf"), "san");
    const json_t *issuer = json_object_get(json_object_get(kat, "leaf"), "fulcio_ext");
    bool same = kat != NULL && json_array_size(times) == r->time_count &&
                strcmp(json_string_value(json_array_get(san, 0)), r->signer.subject) == 0 &&
                strcmp(text_of(issuer, "1"), r->signer.issuer) == 0;
    for (size_t i = 0; same && i < r->time_count; i++)
        same = json_integer_value(json_array_get(times, i)) == r->times_s[i];
    if (same) {
        compared++;
        return;
    }
    print_error("%s: not the known answer\n", id);
    wrong++;
}

static void judge(const json_t *c)
{
    struct sigstore_result result;
    struct error err = {0};
    const char *id = text_of(c, "id"), *expect = text_of(c, "expect");
    const char *fails_at = text_of(c, "fails_at");
    struct tally *tally = tally_of(text_of(c, "kind"));
    bool ok = verify_case(c, &result, &err);
    if (getenv("MERO_VERBOSE") != NULL && !ok)
        printf("%s: %s: %s\n", id, err.code, err.message);
    if (json_is_false(json_object_get(c, "in_scope"))) {
        tally->out_of_scope++;
        if (ok || strcmp(err.code, "sigstore/unsupported") != 0)
            complain(id, "sigstore/unsupported", ok, &err);
    } else if (strcmp(expect, "policy") == 0) {
        tally->decided++;
        judge_decided(id, ok, &err);
    } else if (strcmp(expect, "pass") == 0) {
        tally->passed++;
        if (!ok)
            complain(id, "a pass", ok, &err);
        else
            check_known(id, &result);
    } else {
        tally->refused++;
        tally->by_reason += fails_at != NULL;
        if (ok || !error_is(&err, "sigstore/"))
            complain(id, "a refusal", ok, &err);
        else if (fails_at != NULL && !is_reason(id, fails_at, &err))
            complain(id, fails_at, ok, &err);
    }
}

static void cases(void **state)
{
    (void)state;
    JSON_AUTO json_t *index = vectors_read_json(FOLDER "/index.json");
    JSON_AUTO json_t *kat = vectors_read_json(FOLDER "/kat.json");
    known_answers = kat;
    const json_t *list = json_object_get(index, "cases");
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++)
        judge(json_array_get(list, i));
    printf("%-18s %8s %8s %12s %12s %8s\n", "kind", "accepted", "refused", "(by reason)",
           "unsupported", "decided");
    struct tally sum = {.kind = "all"};
    for (size_t i = 0; i < KINDS_MAX && tallies[i].kind != NULL; i++) {
        const struct tally *t = &tallies[i];
        printf("%-18s %8zu %8zu %12zu %12zu %8zu\n", t->kind, t->passed, t->refused, t->by_reason,
               t->out_of_scope, t->decided);
        sum.passed += t->passed;
        sum.refused += t->refused;
        sum.by_reason += t->by_reason;
        sum.out_of_scope += t->out_of_scope;
        sum.decided += t->decided;
    }
    printf("%-18s %8zu %8zu %12zu %12zu %8zu\n", sum.kind, sum.passed, sum.refused, sum.by_reason,
           sum.out_of_scope, sum.decided);
    printf("%zu accepted ones compared with known answers\n", compared);
    assert_int_equal(wrong, 0);
    assert_int_equal(compared, sum.passed);
}

static void proofs(void **state)
{
    (void)state;
    JSON_AUTO json_t *file = vectors_read_json(FOLDER "/merkle/rfc6962.json");
    const json_t *list = json_object_get(file, "vectors");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i), *path = json_object_get(v, "proof");
        uint8_t hashes[64][SHA256_LEN], root[SHA256_LEN], leaf[SHA256_LEN], wanted[SHA256_LEN];
        struct slice slices[64];
        BUF_AUTO struct buf data = BUF_INIT(64);
        size_t count = json_array_size(path);
        assert_true(hex_decode(slice_str(text_of(v, "root")), root, sizeof root));
        assert_true(hex_decode(slice_str(text_of(v, "leaf_hash")), wanted, sizeof wanted));
        assert_true(hex_decode_append(slice_str(text_of(v, "leaf_hex")), &data));
        for (size_t k = 0; k < count; k++) {
            const char *hex = json_string_value(json_array_get(path, k));
            assert_true(hex_decode(slice_str(hex), hashes[k], SHA256_LEN));
            slices[k] = slice_of(hashes[k], SHA256_LEN);
        }
        uint64_t index = (uint64_t)json_integer_value(json_object_get(v, "index"));
        uint64_t size = (uint64_t)json_integer_value(json_object_get(v, "size"));
        merkle_leaf(buf_slice(&data), leaf);
        assert_memory_equal(leaf, wanted, SHA256_LEN);
        assert_true(merkle_includes(leaf, index, size, slices, count, root));
        slices[count] = slice_of(root, SHA256_LEN);
        assert_false(merkle_includes(leaf, index, size, slices, count + 1, root));
        assert_false(count > 0 && merkle_includes(leaf, index, size, slices, count - 1, root));
        assert_false(merkle_includes(leaf, size, size, slices, count, root));
        assert_false(size > 1 && merkle_includes(leaf, index ^ 1, size, slices, count, root));
        leaf[0] ^= 1;
        assert_false(merkle_includes(leaf, index, size, slices, count, root));
    }
    assert_int_equal(json_array_size(list), 153);
}

int main(void)
{
    vectors_require(FOLDER "/index.json");
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases), cmocka_unit_test(proofs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
