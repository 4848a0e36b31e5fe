/* The two formats of a bundle, for bundle.c. */
#ifndef SIGSTORE_BUNDLE_FORMATS_H
#define SIGSTORE_BUNDLE_FORMATS_H

#include "sigstore/bundle.h"
#include "sigstore/fields.h"

bool bundle_read_cosign(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                        struct error *err) MUST_USE;
bool bundle_read_protobuf(const struct fields *f, const json_t *root, struct sigstore_bundle *out,
                          struct error *err) MUST_USE;
/* Reads leaf_der into leaf. */
bool bundle_read_leaf(const struct fields *f, struct sigstore_bundle *out,
                      struct error *err) MUST_USE;

#endif
