/* The four exchanges as JSON, both ways. Spec: compatibility facts D.1-D.6, J.1.
 *
 * Reading a request only takes it apart: texts are views of the body (or of *scratch, for strings
 * with escapes), and what they mean is for the KMS to check in its own order, each with its tag.
 * Reading a reply checks everything a node requires of it. Members that nobody knows are stepped
 * over.
 *
 * Failures of reading: json/syntax and json/depth (not JSON), json/duplicate, json/missing,
 * json/type, json/value (JSON of another shape); replies also message/limit and message/value. */
#ifndef KEYRELEASE_MESSAGES_H
#define KEYRELEASE_MESSAGES_H

#include "base/secret.h"
#include "keyrelease/binding.h"
#include "keyrelease/limits.h"
#include "keyrelease/seal.h"

/* ---- requests ---- */

struct challenge_request {
    struct slice peer_id;
};
struct attest_request {
    struct slice nonce_b64;
    bool has_binding;
    struct slice binding_b64;
    bool transport_key;
};
struct get_key_request {
    struct slice challenge_id;
    struct slice quote_b64;
    struct slice peer_id;
    struct slice peer_public_key_b64;
    struct slice signature_b64;
    bool has_seal_to;
    struct slice seal_to_b64;
};

/* scratch: empty, its ceiling at least the body's length; must outlive what was read. */
bool challenge_request_read(struct slice body, struct buf *scratch, struct challenge_request *out,
                            struct error *err) MUST_USE;
bool attest_request_read(struct slice body, struct buf *scratch, struct attest_request *out,
                         struct error *err) MUST_USE;
bool get_key_request_read(struct slice body, struct buf *scratch, struct get_key_request *out,
                          struct error *err) MUST_USE;

/* Writers append to out and return false when its ceiling was hit. */
bool challenge_request_write(struct buf *out, struct slice peer_id) MUST_USE;
/* binding NULL = the member is left out. */
bool attest_request_write(struct buf *out, const uint8_t nonce[KEYRELEASE_NONCE_LEN],
                          const uint8_t *binding, bool transport_key) MUST_USE;
/* seal_to NULL = the member is left out. */
bool get_key_request_write(struct buf *out, struct slice challenge_id, struct slice quote,
                           struct slice peer_id, struct slice peer_public_key,
                           struct slice signature, const uint8_t *seal_to) MUST_USE;

/* ---- replies ---- */

struct challenge_reply {
    char id[KEYRELEASE_CHALLENGE_ID_MAX + 1];
    uint8_t nonce[KEYRELEASE_NONCE_LEN];
    uint64_t expires_at;
};
struct attest_reply {
    struct buf quote;
    uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN];
    struct slice event_log; /* JSON text, a view of the body; empty when absent */
    bool has_transport_key;
    uint8_t transport_key[KEYRELEASE_X25519_LEN];
};
struct get_key_reply {
    bool sealed;
    struct secret key; /* clear form: the key's bytes */
    struct buf sealed_key;
    uint8_t seal_nonce[KEYRELEASE_SEAL_NONCE_LEN];
};
void attest_reply_free(struct attest_reply *reply);
void get_key_reply_free(struct get_key_reply *reply);

/* What was wrong with a reply, beyond the error itself: the probe tells them apart (A.5). */
enum reply_fault {
    REPLY_MALFORMED,
    REPLY_OVERSIZED,
    REPLY_ID_OVERSIZED,
    REPLY_NONCE_OVERSIZED,
    REPLY_NONCE_INVALID,
    REPLY_KEY_INVALID,
    REPLY_KEY_UNDERSIZED,
};

bool challenge_reply_read(struct slice body, struct challenge_reply *out, enum reply_fault *fault,
                          struct error *err) MUST_USE;
bool attest_reply_read(struct slice body, struct attest_reply *out, enum reply_fault *fault,
                       struct error *err) MUST_USE;
/* want_sealed: a clear key is refused; else a sealed one is. */
bool get_key_reply_read(struct slice body, bool want_sealed, struct get_key_reply *out,
                        enum reply_fault *fault, struct error *err) MUST_USE;
/* The released key from its hex text, which is trimmed first (D.6). Of the faults above. */
bool released_key_decode(struct slice hex, struct secret *out, enum reply_fault *fault,
                         struct error *err) MUST_USE;

bool challenge_reply_write(struct buf *out, struct slice id,
                           const uint8_t nonce[KEYRELEASE_NONCE_LEN], uint64_t expires_at) MUST_USE;
/* event_log is JSON text of an array and goes in as it is ("[]" when empty); transport_key NULL =
 * the member is left out. */
bool attest_reply_write(struct buf *out, struct slice quote, const uint8_t *report_data,
                        struct slice event_log, struct slice vm_config,
                        const uint8_t *transport_key) MUST_USE;
/* key_hex is the hex text; out should wipe itself. */
bool get_key_reply_write_clear(struct buf *out, struct slice key_hex) MUST_USE;
bool get_key_reply_write_sealed(struct buf *out, struct slice sealed,
                                const uint8_t seal_nonce[KEYRELEASE_SEAL_NONCE_LEN]) MUST_USE;

/* {"error":tag,"details":text}; details empty = left out. */
bool error_reply_write(struct buf *out, const char *tag, struct slice details) MUST_USE;
/* True when the body is such an envelope: tag and details as texts, cut to their room. */
bool error_reply_read(struct slice body, char *tag, size_t tag_cap, struct buf *details) MUST_USE;

#endif
