/* The node's side of the key release, from the URL to the key. */
#include "keyrelease/client.h"

#include <string.h>

#include "base/clock.h"
#include "keyrelease/session.h"

const char *keyrelease_stage_name(enum keyrelease_stage stage)
{
    static const char *const names[] = {"transport", "attest", "challenge", "get_key"};
    return names[stage];
}

const char *keyrelease_stage_title(enum keyrelease_stage stage)
{
    static const char *const titles[] = {"Transport", "Attest", "Challenge", "GetKey"};
    return titles[stage];
}

static bool check_transport(struct session *s)
{
    if (keyrelease_check_url(s->options->url, s->options->strict_transport, NULL, s->err))
        return true;
    return keyrelease_session_fail(s, KEYRELEASE_TRANSPORT,
                                   error_is(s->err, "keyrelease/url") ? "KMS_ENDPOINT_URL_INVALID"
                                                                      : "KMS_HTTP_INSECURE",
                                   false);
}

static bool open_client(struct session *s)
{
    const struct http_client_options options = {
        .ca_path = s->options->tls_ca_path,
        .client_cert_path = s->options->tls_client_cert_path,
        .client_key_path = s->options->tls_client_key_path,
        .cancel = s->options->cancel,
    };
    if (http_client_open(&options, &s->http, s->err))
        return true;
    s->err->code = "keyrelease/transport";
    return keyrelease_session_fail(s, KEYRELEASE_TRANSPORT, "KMS_HTTP_CLIENT_SETUP_FAILED", false);
}

static bool take_key(struct session *s, struct secret *key)
{
    enum session_try end = SESSION_CHALLENGE_GONE;
    for (unsigned i = 0; i <= KEYRELEASE_CHALLENGE_AGAIN_MAX && end == SESSION_CHALLENGE_GONE; i++)
        end = keyrelease_session_try_key(s, key);
    return end == SESSION_GOT_KEY;
}

bool keyrelease_fetch(const struct keyrelease_options *options, struct secret *key, bool *sealed,
                      struct keyrelease_failure *failure, struct error *err)
{
    struct keyrelease_failure local_failure = {0};
    struct error local_err = {0};
    SECRET_AUTO struct secret got = {0};
    struct session s = {
        .options = options,
        .failure = failure != NULL ? failure : &local_failure,
        .err = err != NULL ? err : &local_err,
        .started_ms = clock_monotonic_ms(),
        .step_started_us = clock_monotonic_us(),
    };
    *s.failure = (struct keyrelease_failure){0};
    bool ok = check_transport(&s) && open_client(&s) && keyrelease_session_attest(&s) &&
              take_key(&s, &got);
    http_client_close(&s.http);
    if (!ok)
        return false;
    secret_free(key);
    *key = got;
    got = (struct secret){0};
    if (sealed != NULL)
        *sealed = s.has_transport_key;
    return true;
}
