/* The trust root of Sigstore's public instance. The bytes are data/sigstore-trusted-root.json as
 * the build made them into an array; where they come from says data/README.md. */
#include "sigstore/trust.h"

extern const unsigned char sigstore_production_root[];
extern const size_t sigstore_production_root_len;

bool sigstore_trust_open_production(struct sigstore_trust **out, struct error *err)
{
    return sigstore_trust_open(slice_of(sigstore_production_root, sigstore_production_root_len),
                               out, err);
}
