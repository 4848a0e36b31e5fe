/* Keccak-256 (the original padding, as Ethereum uses it; OpenSSL 3.0 has only SHA-3's). */
#ifndef SIM_KECCAK_H
#define SIM_KECCAK_H

#include "base/bytes.h"

enum { KECCAK256_LEN = 32 };
void sim_keccak256(struct slice in, uint8_t out[KECCAK256_LEN]);

#endif
