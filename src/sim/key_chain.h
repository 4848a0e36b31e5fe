/* The signature chain that GetKey answers beside a key (platform facts 1.4): the application key
 * vouches for the derived key, the KMS root for the application key. Recoverable secp256k1
 * signatures over Keccak-256, as the real agent makes them. */
#ifndef SIM_KEY_CHAIN_H
#define SIM_KEY_CHAIN_H

#include "base/bytes.h"
#include "sim/key.h"

enum { RECOVERABLE_LEN = 65, SECP256K1_POINT_LEN = 33 };

struct sim_key_chain {
    uint8_t by_app[RECOVERABLE_LEN]; /* r | s | v, v in {0, 1} */
    uint8_t by_kms[RECOVERABLE_LEN];
};

/* key: the 32 derived bytes, as a secp256k1 scalar or an Ed25519 seed. */
bool sim_key_chain_make(const uint8_t seed[SIM_SEED_LEN], const uint8_t app_key[32],
                        const uint8_t app_id[20], const uint8_t key[32], bool ed25519,
                        struct slice purpose, struct sim_key_chain *out,
                        struct error *err) MUST_USE;

/* Compressed point of a scalar; for tests too. */
bool sim_secp256k1_public(const uint8_t scalar[32], uint8_t out[SECP256K1_POINT_LEN],
                          struct error *err) MUST_USE;

#endif
