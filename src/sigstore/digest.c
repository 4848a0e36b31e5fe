/* Digests by the hash that goes with a signer's key. */
#include "sigstore/digest.h"

#include <openssl/evp.h>

static const struct {
    const char *name, *proto_name;
    size_t len;
} hashes[] = {
    [SIGSTORE_SHA256] = {"sha256", "SHA2_256", 32},
    [SIGSTORE_SHA384] = {"sha384", "SHA2_384", 48},
    [SIGSTORE_SHA512] = {"sha512", "SHA2_512", 64},
};

const char *sigstore_hash_name(enum sigstore_hash hash)
{
    return hashes[hash].name;
}

const char *sigstore_hash_proto_name(enum sigstore_hash hash)
{
    return hashes[hash].proto_name;
}

size_t sigstore_hash_len(enum sigstore_hash hash)
{
    return hashes[hash].len;
}

struct slice sigstore_digest_slice(const struct sigstore_digest *digest)
{
    return slice_of(digest->bytes, hashes[digest->hash].len);
}

static const EVP_MD *md_of(enum sigstore_hash hash)
{
    return hash == SIGSTORE_SHA256 ? EVP_sha256()
                                   : (hash == SIGSTORE_SHA384 ? EVP_sha384() : EVP_sha512());
}

bool sigstore_digest_of(enum sigstore_hash hash, struct slice message, struct sigstore_digest *out)
{
    struct sigstore_digest made = {.hash = hash};
    unsigned len = 0;
    const void *bytes = message.len > 0 ? (const void *)message.data : "";
    if (EVP_Digest(bytes, message.len, made.bytes, &len, md_of(hash), NULL) != 1 ||
        len != hashes[hash].len)
        return false;
    *out = made;
    return true;
}
