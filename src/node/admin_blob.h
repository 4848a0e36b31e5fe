/* Blob ids as the admin API writes them: base58btc of 32 bytes (compatibility facts F.4). */
#ifndef NODE_ADMIN_BLOB_H
#define NODE_ADMIN_BLOB_H

#include "store/store.h"

enum { BLOB_ID_TEXT_MAX = 64 };

bool admin_blob_id_text(const struct blob_id *id, char out[BLOB_ID_TEXT_MAX]) MUST_USE;
/* Exactly 32 bytes of base58btc. */
bool admin_base58_32(const char *text, uint8_t out[32]) MUST_USE;

#endif
