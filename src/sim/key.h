/* P-256 keys that follow from a seed and a label, so that one seed is one whole platform. Nobody's
 * secrets: development builds only. Usable from many threads. */
#ifndef SIM_KEY_H
#define SIM_KEY_H

#include "base/bytes.h"

struct evp_pkey_st; /* OpenSSL's EVP_PKEY */
struct sim_key;

enum { SIM_SEED_LEN = 32, SIM_PUBLIC_LEN = 64, SIM_SIGNATURE_LEN = 64 };

/* The key is HKDF-SHA256(salt "mero-sim", seed, label), drawn again while it is not in [1, n-1]. */
bool sim_key_derive(const uint8_t seed[SIM_SEED_LEN], const char *label, struct sim_key **out,
                    struct error *err) MUST_USE;
void sim_key_free(struct sim_key **key);

const uint8_t *sim_key_public(const struct sim_key *key);   /* X || Y, big-endian, 64 bytes */
struct evp_pkey_st *sim_key_evp(const struct sim_key *key); /* borrowed */
/* ECDSA with SHA-256 over message: r || s, big-endian. The same message twice in a row gives the
 * same signature. */
bool sim_key_sign(const struct sim_key *key, struct slice message, uint8_t out[SIM_SIGNATURE_LEN],
                  struct error *err) MUST_USE;
/* The same as the DER that certificates carry, appended. */
bool sim_key_sign_der(const struct sim_key *key, struct slice message, struct buf *out,
                      struct error *err) MUST_USE;

/* Bytes that follow from a seed and a label: serial numbers, PPIDs, measurements. out_len <= 8160.
 */
bool sim_derive_bytes(const uint8_t seed[SIM_SEED_LEN], const char *label, uint8_t *out,
                      size_t out_len, struct error *err) MUST_USE;

#endif
