/* TLS of the server. libmicrohttpd takes one certificate at start and asks for client certificates
 * without checking them; so every session gets credentials of ours instead, which can be exchanged
 * while the server runs, and a verify function that runs inside the handshake. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "http/server_internal.h"

struct tls_identity {
    atomic_size_t refs;
    gnutls_certificate_credentials_t credentials;
    bool wants_client;
};

static gnutls_datum_t datum_of(const char *pem)
{
    struct slice s = slice_str(pem);
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.data, .size = (unsigned)s.len};
}

static bool fill(struct tls_identity *t, const char *cert_pem, const char *key_pem,
                 const char *client_ca_pem, struct error *err)
{
    gnutls_datum_t cert = datum_of(cert_pem);
    gnutls_datum_t key = datum_of(key_pem);
    int rc = gnutls_certificate_set_x509_key_mem(t->credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        return error_set(err, "http/tls", NULL, "server certificate and key do not serve: %s",
                         gnutls_strerror(rc));
    if (client_ca_pem == NULL)
        return true;
    gnutls_datum_t roots = datum_of(client_ca_pem);
    rc = gnutls_certificate_set_x509_trust_mem(t->credentials, &roots, GNUTLS_X509_FMT_PEM);
    t->wants_client = true;
    return rc > 0 || error_set(err, "http/tls", NULL, "no usable client CA certificate: %s",
                               rc < 0 ? gnutls_strerror(rc) : "the file is empty");
}

bool tls_identity_load(const char *cert_pem, const char *key_pem, const char *client_ca_pem,
                       struct tls_identity **out, struct error *err)
{
    struct tls_identity *t = calloc(1, sizeof *t);
    if (t == NULL || gnutls_certificate_allocate_credentials(&t->credentials) < 0) {
        free(t);
        return error_set(err, "http/memory", NULL, "out of memory");
    }
    atomic_init(&t->refs, 1);
    if (!fill(t, cert_pem, key_pem, client_ca_pem, err)) {
        tls_identity_unref(t);
        return false;
    }
    *out = t;
    return true;
}

struct tls_identity *tls_identity_ref(struct tls_identity *t)
{
    if (t != NULL)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

void tls_identity_unref(struct tls_identity *t)
{
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    gnutls_certificate_free_credentials(t->credentials);
    free(t);
}

static struct connection_entry *entry_of(gnutls_session_t session)
{
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static gnutls_alert_description_t alert_for(gnutls_session_t session, int rc, unsigned status)
{
    bool v13 = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;
    if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND)
        return v13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE;
    if ((status & GNUTLS_CERT_EXPIRED) != 0)
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0)
        return GNUTLS_A_UNKNOWN_CA;
    return GNUTLS_A_BAD_CERTIFICATE;
}

/* Runs within the handshake, also when the client shows no certificate; anything but 0 ends it.
 * GnuTLS would end it without a word, so the reason is sent from here. */
static int verify_client(gnutls_session_t session)
{
    static const char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st want = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                  .data = (unsigned char *)(uintptr_t)purpose};
    unsigned status = 0;
    int rc = gnutls_certificate_verify_peers(session, &want, 1, &status);
    struct connection_entry *e = entry_of(session);
    if (e == NULL || rc < 0 || status != 0) {
        gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_for(session, rc, status));
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    atomic_store(&e->peer_verified, true);
    return 0;
}

void tls_session_prepare(struct tls_identity *t, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info->tls_session;
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->credentials);
    if (t->wants_client) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        gnutls_session_set_verify_function(session, verify_client);
    }
}

bool tls_admit(const struct connection_entry *e)
{
    return e->tls == NULL || !e->tls->wants_client || atomic_load(&e->peer_verified);
}
