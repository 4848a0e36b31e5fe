/* Every message of the exchange, the first byte choosing which. What was read lies inside the body
 * or its scratch; a request that reads is read the same when jansson writes it again. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "keyrelease/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool inside(struct slice part, struct slice whole)
{
    return part.len == 0 || (part.data >= whole.data && part.len <= whole.len &&
                             (size_t)(part.data - whole.data) <= whole.len - part.len);
}

static void check_text(struct slice text, struct slice body, const struct buf *scratch)
{
    check(inside(text, body) || inside(text, buf_slice(scratch)));
}

static void fuzz_challenge_request(struct slice body)
{
    struct buf scratch BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    struct challenge_request request;
    struct error err = {0};
    if (challenge_request_read(body, &scratch, &request, &err))
        check_text(request.peer_id, body, &scratch);
    else
        check(error_is(&err, "json/"));
}

static void fuzz_attest_request(struct slice body)
{
    struct buf scratch BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    struct attest_request request;
    struct error err = {0};
    if (!attest_request_read(body, &scratch, &request, &err)) {
        check(error_is(&err, "json/"));
        return;
    }
    check_text(request.nonce_b64, body, &scratch);
    check_text(request.binding_b64, body, &scratch);
}

/* jansson is the judge of whether it was JSON at all, and of what the texts say. */
static void compare_with_jansson(struct slice body, const struct get_key_request *request)
{
    JSON_AUTO json_t *root = NULL;
    struct error err = {0};
    struct slice text = {0};
    if (!json_parse(body, KEYRELEASE_REQUEST_MAX, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &root,
                    &err)) {
        /* Numbers beyond its range are the one thing that jansson refuses more. */
        check(strstr(err.message, "real number overflow") != NULL);
        return;
    }
    check(json_get_str(root, "quoteB64", &text, &err) && slice_equal(text, request->quote_b64));
    check(json_get_str(root, "peerId", &text, &err) && slice_equal(text, request->peer_id));
}

static void fuzz_get_key_request(struct slice body)
{
    struct buf scratch BUF_AUTO = BUF_INIT(KEYRELEASE_REQUEST_MAX);
    struct get_key_request request;
    struct error err = {0};
    if (!get_key_request_read(body, &scratch, &request, &err)) {
        check(error_is(&err, "json/"));
        return;
    }
    const struct slice texts[] = {request.challenge_id,  request.quote_b64,
                                  request.peer_id,       request.peer_public_key_b64,
                                  request.signature_b64, request.seal_to_b64};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_text(texts[i], body, &scratch);
    compare_with_jansson(body, &request);
}

static void fuzz_challenge_reply(struct slice body)
{
    struct challenge_reply reply;
    enum reply_fault fault;
    struct error err = {0};
    if (challenge_reply_read(body, &reply, &fault, &err))
        check(strlen(reply.id) > 0 && strlen(reply.id) <= KEYRELEASE_CHALLENGE_ID_MAX);
}

static void fuzz_attest_reply(struct slice body)
{
    struct attest_reply reply = {0};
    enum reply_fault fault;
    struct error err = {0};
    if (attest_reply_read(body, &reply, &fault, &err))
        check(inside(reply.event_log, body) && reply.quote.len <= KEYRELEASE_QUOTE_TEXT_MAX);
    attest_reply_free(&reply);
}

static void fuzz_get_key_reply(struct slice body, bool sealed)
{
    struct get_key_reply reply = {0};
    enum reply_fault fault;
    struct error err = {0};
    if (get_key_reply_read(body, sealed, &reply, &fault, &err)) {
        check(reply.sealed == sealed);
        check(sealed ? reply.key.data == NULL : reply.key.len >= KEYRELEASE_KEY_MIN);
    }
    get_key_reply_free(&reply);
}

static void fuzz_error_reply(struct slice body)
{
    char tag[KEYRELEASE_ERROR_TAG_MAX];
    struct buf details BUF_AUTO = BUF_INIT(100);
    if (error_reply_read(body, tag, sizeof(tag), &details))
        check(strlen(tag) < sizeof(tag) && details.len <= 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > KEYRELEASE_REQUEST_MAX)
        return 0;
    struct slice body = slice_of(&data[1], size - 1);
    switch (data[0] % 8) {
    case 0:
        fuzz_challenge_request(body);
        break;
    case 1:
        fuzz_attest_request(body);
        break;
    case 2:
        fuzz_get_key_request(body);
        break;
    case 3:
        fuzz_challenge_reply(body);
        break;
    case 4:
        fuzz_attest_reply(body);
        break;
    case 5:
        fuzz_get_key_reply(body, true);
        break;
    case 6:
        fuzz_get_key_reply(body, false);
        break;
    default:
        fuzz_error_reply(body);
        break;
    }
    return 0;
}
