/* A collateral service for tests, over a real socket: serves what it is given, as badly as it is
 * told to. */
#ifndef SUPPORT_FAKE_PCS_H
#define SUPPORT_FAKE_PCS_H

#include <pthread.h>
#include <stdatomic.h>

#include "dcap/documents.h"
#include "http/server.h"
#include "sim/collateral.h"

enum fake_pcs_crl { FAKE_CRL_DER, FAKE_CRL_HEX, FAKE_CRL_PEM };

/* How one kind of document is answered. */
struct fake_pcs_manner {
    unsigned status;        /* 0 = 200 */
    unsigned first;         /* the status is for that many requests only; 0 = for all */
    unsigned retry_after_s; /* with the status */
    unsigned delay_ms;
    bool no_chain;    /* without the issuer-chain header */
    const char *body; /* instead of the document; NULL = the document */
    size_t oversize;  /* that many blanks instead of the document */
};

struct fake_pcs {
    struct http_server *server;
    char base[64]; /* "http://127.0.0.1:port" */
    pthread_mutex_t lock;
    const struct sim_collateral *collateral; /* what is served; borrowed, swap with the lock held */
    const struct sim_collateral *early; /* whose TCB info answers update=early; NULL = the same */
    enum fake_pcs_crl crl;
    struct fake_pcs_manner manner[DOCUMENT_KINDS];
    unsigned requests[DOCUMENT_KINDS];
    char last_fmspc[32];
};

void fake_pcs_start(struct fake_pcs *pcs, const struct sim_collateral *collateral);
void fake_pcs_stop(struct fake_pcs *pcs);
void fake_pcs_serve(struct fake_pcs *pcs, const struct sim_collateral *collateral);
/* Requests since the last call. */
unsigned fake_pcs_count(struct fake_pcs *pcs);

/* The same documents as a verifier has them. */
void fake_pcs_collateral(const struct sim_collateral *from, struct collateral *out);

#endif
