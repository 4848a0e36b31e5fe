/* A certificate hierarchy like Intel's (DCAP facts 3.1): SGX Root CA, PCK Platform CA, PCK
 * Processor CA, TCB Signing, and PCK leaves below a PCK CA. All keys follow from one seed;
 * certificates are made once and can be kept in a directory, so that the root stays the same file.
 */
#ifndef SIM_PKI_H
#define SIM_PKI_H

#include "sim/cert.h"

enum sim_role { SIM_ROOT_CA, SIM_PLATFORM_CA, SIM_PROCESSOR_CA, SIM_TCB_SIGNING, SIM_PKI_ROLES };

/* A certificate as issued. `spec` may be edited; sim_issue() then makes `der` again. */
struct sim_issued {
    struct sim_cert_spec spec;
    struct sim_key *key;          /* owned: the subject's */
    const struct sim_key *signer; /* whose key signs; the issuer's unless a test swaps it */
    struct buf der;
};

struct sim_pki {
    uint8_t seed[SIM_SEED_LEN];
    int64_t born_s; /* validity periods are relative to this */
    struct sim_issued cert[SIM_PKI_ROLES];
};

/* A new hierarchy. sim_pki_free() also takes a zeroed struct. A sim_pki is not copied. */
bool sim_pki_create(struct sim_pki *pki, const uint8_t seed[SIM_SEED_LEN], int64_t now_s,
                    struct error *err) MUST_USE;
void sim_pki_free(struct sim_pki *pki);
/* Makes every certificate again from its (edited) spec. */
bool sim_pki_reissue(struct sim_pki *pki, struct error *err) MUST_USE;

/*
 * The hierarchy of a state directory: `seed`, `root.pem`, `platform-ca.pem`, `processor-ca.pem` and
 * `tcb-signing.pem`. Made when the directory has no seed yet; `wanted_seed` (may be NULL: random)
 * counts only then. Code sim/state when the directory was made with another seed or is damaged.
 */
bool sim_pki_open(struct sim_pki *pki, const char *dir, const uint8_t *wanted_seed, int64_t now_s,
                  struct error *err) MUST_USE;

/* A PCK leaf below `ca` (SIM_PLATFORM_CA or SIM_PROCESSOR_CA) for the platform `label`; sgx gives
 * everything of the SGX extension but for_platform_ca. Free with sim_issued_free(). */
bool sim_pck_create(struct sim_issued *pck, const struct sim_pki *pki, enum sim_role ca,
                    const char *label, const struct sim_sgx_extension *sgx,
                    struct error *err) MUST_USE;
bool sim_issue(struct sim_issued *issued, struct error *err) MUST_USE;
void sim_issued_free(struct sim_issued *issued);

/* PEM of certificates in the given order, appended. */
bool sim_chain_append(const struct sim_issued *const *certs, size_t count, struct buf *pem,
                      struct error *err) MUST_USE;

/* A CRL of `ca` without entries: issued at the start of the day of now_s; 30 days for the PCK CAs,
 * one year for the root. */
void sim_crl_defaults(struct sim_crl_spec *spec, const struct sim_pki *pki, enum sim_role ca,
                      int64_t now_s);

#endif
