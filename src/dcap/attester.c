/* From certification data and QE report to an attestation key that can be believed. */
#include "dcap/attester.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dcap/cert_role.h"
#include "x509/pem.h"

struct attester {
    atomic_uint holders;
    uint8_t id[SHA256_LEN];
    struct attester_facts facts;
    uint8_t subjects[2][ATTESTER_SUBJECT_MAX]; /* CA, root */
    uint8_t qe_report[SGX_REPORT_LEN];
    struct p256_key *attestation_key;
    struct p256_key *ca_key;
};

/* The chain while it is being verified: leaf, intermediate, root. */
struct pck_chain {
    struct x509_chain der;
    struct x509_cert cert[ATTESTER_CHAIN_LEN];
    struct x509_sgx sgx;
    enum cert_role ca_role;
    struct p256_key *ca_key; /* owned */
};

static void pck_chain_release(struct pck_chain *chain)
{
    p256_key_free(&chain->ca_key);
}

static const char *const chain_fields[ATTESTER_CHAIN_LEN] = {"pckCertChain[0]", "pckCertChain[1]",
                                                             "pckCertChain[2]"};

const char *pck_ca_name(enum pck_ca ca)
{
    return ca == PCK_CA_PLATFORM ? "platform" : "processor";
}

struct slice cert_serial_slice(const struct cert_serial *serial)
{
    return slice_of(serial->bytes, serial->len);
}

void attester_identify(const struct quote *q, struct slice chain_pem, uint8_t id[SHA256_LEN])
{
    /* Key, report, signature, authentication data and certification data lie in one piece behind
     * the signature of the quote; where one ends is said by version and lengths. */
    size_t at = q->signed_part.len + sizeof(uint32_t) + QUOTE_SIGNATURE_LEN;
    const uint8_t kind[] = {(uint8_t)q->version, (uint8_t)q->tee};
    const struct slice parts[] = {slice_of(kind, sizeof kind),
                                  slice_cut(q->exact, at, q->exact.len), chain_pem};
    sha256_parts(parts, q->cert_type == QUOTE_CERT_PCK_CHAIN ? 2 : 3, id);
}

static bool parse_chain(struct slice pem, struct pck_chain *chain, struct error *err)
{
    if (!x509_chain_from_pem(pem, &chain->der, err))
        return error_prefix(err, "PCK certificate chain");
    if (chain->der.count != ATTESTER_CHAIN_LEN)
        return error_set(err, "cert/chain", "pckCertChain",
                         "the PCK certificate chain has %zu certificates, not leaf, CA and root",
                         chain->der.count);
    for (size_t i = 0; i < ATTESTER_CHAIN_LEN; i++) {
        if (!x509_cert_parse(chain->der.der[i], &chain->cert[i], err))
            return error_prefix(err, "%s", chain_fields[i]);
        if (chain->cert[i].subject.der.len > ATTESTER_SUBJECT_MAX)
            return error_set(err, "cert/subject", chain_fields[i], "%s has an overlong name",
                             chain_fields[i]);
    }
    return true;
}

/* From the root downwards, so that no key is used before its certificate was checked. */
static bool verify_chain(struct pck_chain *chain, const struct dcap_root *root, struct error *err)
{
    const struct x509_cert *leaf = &chain->cert[0], *ca = &chain->cert[1], *top = &chain->cert[2];
    if (!dcap_root_check(root, top, chain_fields[2], err))
        return false;
    if (top->path_len == 0)
        return error_set(err, "cert/constraints", chain_fields[2], "%s allows no CA below it",
                         chain_fields[2]);
    if (!cert_role_of(ca, &chain->ca_role) ||
        (chain->ca_role != CERT_PCK_PLATFORM_CA && chain->ca_role != CERT_PCK_PROCESSOR_CA))
        return error_set(err, "cert/subject", chain_fields[1], "%s is not one of Intel's PCK CAs",
                         chain_fields[1]);
    if (!cert_role_check(ca, chain->ca_role, chain_fields[1], err) ||
        !cert_role_check_issuer(ca, top, root->key, chain_fields[1], err))
        return false;
    if (!cert_role_check(leaf, CERT_PCK, chain_fields[0], err))
        return false;
    if (!p256_key_open(ca->public_key, &chain->ca_key, err))
        return error_prefix(err, "%s", chain_fields[1]);
    if (!cert_role_check_issuer(leaf, ca, chain->ca_key, chain_fields[0], err))
        return false;
    return x509_sgx_parse(leaf, &chain->sgx, err) ? true : error_prefix(err, "%s", chain_fields[0]);
}

/* A leaf by itself (type 4) must be the one that the chain from elsewhere starts with. */
static bool leaf_is_in_chain(const struct quote *q, const struct pck_chain *chain)
{
    struct x509_chain own;
    if (slice_equal(q->cert_data, chain->der.der[0]))
        return true;
    return x509_chain_from_pem(q->cert_data, &own, NULL) && own.count == 1 &&
           slice_equal(own.der[0], chain->der.der[0]);
}

static bool open_chain(const struct quote *q, struct slice elsewhere, const struct dcap_root *root,
                       struct pck_chain *chain, struct error *err)
{
    struct slice pem;
    bool carried = quote_pck_chain(q, &pem, err);
    if (!carried && (elsewhere.len == 0 || q->cert_type == QUOTE_CERT_PLATFORM_MANIFEST))
        return false;
    if (!parse_chain(carried ? pem : elsewhere, chain, err) || !verify_chain(chain, root, err))
        return false;
    if (q->cert_type == QUOTE_CERT_PCK_LEAF && !leaf_is_in_chain(q, chain))
        return error_set(err, "cert/chain", "pckCertChain",
                         "the PCK certificate in the quote is not the first of the chain given");
    return true;
}

static bool verify_qe_report(const struct quote *q, const struct x509_cert *pck, struct error *err)
{
    uint8_t bound[SHA256_LEN];
    const struct slice parts[] = {slice_of(q->attestation_key, QUOTE_KEY_LEN), q->qe_auth_data};
    if (!p256_verify(pck->public_key, q->qe_report, q->qe_report_signature, NULL))
        return error_set(err, "signature/qe-report", "qeReportSignature",
                         "the QE report is not signed by the platform's PCK");
    sha256_parts(parts, 2, bound);
    if (memcmp(q->qe.reportdata, bound, SHA256_LEN) != 0 ||
        !slice_is_zero(slice_of(&q->qe.reportdata[SHA256_LEN], QUOTE_REPORT_DATA_LEN - SHA256_LEN)))
        return error_set(err, "qe/report-data", "qeReport.reportData",
                         "the QE report does not vouch for this attestation key");
    return true;
}

static void note_certificate(const struct x509_cert *cert, size_t at, struct attester_facts *f)
{
    f->serial[at].len = cert->serial.len;
    memcpy(f->serial[at].bytes, cert->serial.data, cert->serial.len);
    f->validity[at] = (struct validity){chain_fields[at], cert->not_before_s, cert->not_after_s};
}

static struct slice keep_subject(const struct x509_cert *cert, uint8_t out[ATTESTER_SUBJECT_MAX])
{
    memcpy(out, cert->subject.der.data, cert->subject.der.len);
    return slice_of(out, cert->subject.der.len);
}

static void note_facts(const struct quote *q, struct pck_chain *chain, struct attester *a)
{
    struct attester_facts *f = &a->facts;
    const struct x509_cert *ca = &chain->cert[1];
    for (size_t i = 0; i < ATTESTER_CHAIN_LEN; i++)
        note_certificate(&chain->cert[i], i, f);
    f->issuer.ca = chain->ca_role == CERT_PCK_PLATFORM_CA ? PCK_CA_PLATFORM : PCK_CA_PROCESSOR;
    f->issuer.subject = keep_subject(ca, a->subjects[0]);
    f->issuer.root_subject = keep_subject(&chain->cert[2], a->subjects[1]);
    memcpy(f->issuer.point, ca->public_key, sizeof f->issuer.point);
    f->issuer.key = a->ca_key = chain->ca_key;
    chain->ca_key = NULL;
    memcpy(f->ppid, chain->sgx.ppid, sizeof f->ppid);
    memcpy(f->components, chain->sgx.component, sizeof f->components);
    f->pcesvn = chain->sgx.pcesvn;
    memcpy(f->pceid, chain->sgx.pceid, sizeof f->pceid);
    memcpy(f->fmspc, chain->sgx.fmspc, sizeof f->fmspc);
    f->has_platform_instance_id = chain->sgx.platform_instance_id != NULL;
    if (f->has_platform_instance_id)
        memcpy(f->platform_instance_id, chain->sgx.platform_instance_id, 16);
    memcpy(a->qe_report, q->qe_report.data, SGX_REPORT_LEN);
    sgx_report_view(slice_of(a->qe_report, SGX_REPORT_LEN), &f->qe);
}

bool attester_open(const struct quote *q, struct slice chain_pem, const struct dcap_root *root,
                   const uint8_t *id, struct attester **out, struct error *err)
{
    struct pck_chain chain __attribute__((cleanup(pck_chain_release)));
    chain.ca_key = NULL;
    if (!open_chain(q, chain_pem, root, &chain, err))
        return false;
    if (!verify_qe_report(q, &chain.cert[0], err))
        return false;
    ATTESTER_AUTO struct attester *a = calloc(1, sizeof *a);
    if (a == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    atomic_init(&a->holders, 1);
    if (!p256_key_open(q->attestation_key, &a->attestation_key, NULL))
        return error_set(err, "signature/attestation-key", "attestationKey",
                         "the attestation key is not a point of P-256");
    note_facts(q, &chain, a);
    if (id != NULL)
        memcpy(a->id, id, sizeof a->id);
    *out = a;
    a = NULL;
    return true;
}

struct attester *attester_hold(struct attester *a)
{
    atomic_fetch_add_explicit(&a->holders, 1, memory_order_relaxed);
    return a;
}

void attester_drop(struct attester **a)
{
    struct attester *mine = *a;
    *a = NULL;
    if (mine == NULL || atomic_fetch_sub_explicit(&mine->holders, 1, memory_order_acq_rel) != 1)
        return;
    p256_key_free(&mine->attestation_key);
    p256_key_free(&mine->ca_key);
    free(mine);
}

const struct attester_facts *attester_facts(const struct attester *a)
{
    return &a->facts;
}

const uint8_t *attester_id(const struct attester *a)
{
    return a->id;
}

bool attester_check_quote(const struct attester *a, const struct quote *q, struct error *err)
{
    if (!p256_key_verify(a->attestation_key, q->signed_part, q->signature, NULL))
        return error_set(err, "signature/quote", "signature",
                         "the quote is not signed by the platform's attestation key");
    return true;
}
