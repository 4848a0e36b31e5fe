/* Collateral over HTTP: Intel's PCS, version 4, and the caches that speak like it (PCCS). Nothing
 * that comes in is believed here. Spec: platform facts 4.1, 4.2, 4.4. */
#ifndef DCAP_FETCH_H
#define DCAP_FETCH_H

#include <stdatomic.h>

#include "dcap/documents.h"
#include "http/client.h"

/* Where documents come from; shared by all threads. */
struct fetch_endpoint {
    char *base;                     /* owned; "https://host[:port][/path]", no slash at the end */
    _Atomic(int64_t) not_before_ms; /* monotonic: it asked to be left alone until then */
};

/* Cuts what people put behind the host: a slash, "/sgx/certification/v4". Code
 * config/collateral-url. */
bool fetch_endpoint_open(const char *base, struct fetch_endpoint *out, struct error *err) MUST_USE;
void fetch_endpoint_close(struct fetch_endpoint *e);

/* The address of a document. The root CRL of Intel's PCS lies with Intel's certificates; every
 * other service has it at /sgx/certification/v4/rootcacrl. */
bool fetch_url(const char *base, const struct document_key *key, struct buf *out,
               struct error *err) MUST_USE;

/* One thread's way to the endpoints, for the documents of one verification. */
struct fetcher {
    struct http_client *client; /* borrowed */
    unsigned timeout_ms;        /* of one request */
    int64_t deadline_ms;        /* of all of them, monotonic */
};

/* Replaces the parts of one document in *into by what the endpoint sends. Codes
 * collateral/unreachable (no usable answer, whatever the reason), collateral/format,
 * collateral/too-large, chain/encoding, crl/format. */
bool fetch_document(const struct fetcher *f, struct fetch_endpoint *endpoint,
                    const struct document_key *key, struct collateral *into,
                    struct error *err) MUST_USE;

#endif
