/* One attempt chain of the node against one KMS: what the stages share. */
#ifndef KEYRELEASE_SESSION_H
#define KEYRELEASE_SESSION_H

#include "http/client.h"
#include "keyrelease/client.h"
#include "keyrelease/messages.h"

struct session {
    const struct keyrelease_options *options;
    struct keyrelease_failure *failure; /* never NULL */
    struct error *err;                  /* never NULL */
    struct http_client *http;
    int64_t started_ms;
    int64_t step_started_us;
    /* From /attest: */
    bool has_transport_key;
    uint8_t transport_key[KEYRELEASE_X25519_LEN];
};

/* Records a failure whose error is already in s->err. Returns false. */
bool keyrelease_session_fail(struct session *s, enum keyrelease_stage stage, const char *probe_code,
                             bool transient);
/* Reports a step and starts the clock of the next one. */
void keyrelease_session_event(struct session *s, struct keyrelease_event event);

/* The stage's words and probe codes. */
struct session_stage {
    enum keyrelease_stage stage;
    const char *path;          /* "attest" */
    const char *title;         /* "attestation", as in "KMS attestation request failed" */
    const char *rejected_code; /* the KMS said no */
    const char *failed_code;   /* no usable answer */
    const char *oversized_code;
};

/* POSTs and waits for a 2xx answer, with retries of what is transient inside the budget. */
bool keyrelease_session_post(struct session *s, const struct session_stage *stage,
                             struct slice body, struct http_response *response) MUST_USE;

bool keyrelease_session_attest(struct session *s) MUST_USE;

/* Ends of one try for the key. */
enum session_try { SESSION_GOT_KEY, SESSION_CHALLENGE_GONE, SESSION_FAILED };
enum session_try keyrelease_session_try_key(struct session *s, struct secret *key);

#ifdef MERO_DEV
/* A mock quote of the KMS: judged, or refused with the reason (facts D.5 step 7). */
bool keyrelease_session_judge_mock(struct session *s, struct slice quote,
                                   const uint8_t report_data[KEYRELEASE_REPORT_DATA_LEN],
                                   struct verdict *verdict) MUST_USE;
#endif
bool keyrelease_session_judge_policy(struct session *s, const struct policy *policy,
                                     const struct verdict *verdict) MUST_USE;

#endif
