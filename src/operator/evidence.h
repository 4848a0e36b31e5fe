/* What an operator holds in hand: a quote as raw bytes, hex, base64, or inside the JSON reply of a
 * KMS's /attest, a node's /admin-api/tee/attest or a dstack agent's GetQuote; with the event log
 * where the reply carries one. */
#ifndef OPERATOR_EVIDENCE_H
#define OPERATOR_EVIDENCE_H

#include "base/bytes.h"

enum { EVIDENCE_INPUT_MAX = 4 * 1024 * 1024, EVIDENCE_QUOTE_MAX = 1024 * 1024 };

enum evidence_form { EVIDENCE_RAW, EVIDENCE_HEX, EVIDENCE_BASE64, EVIDENCE_JSON };
const char *evidence_form_name(enum evidence_form form); /* "raw", "hex", "base64", "JSON" */

struct evidence {
    enum evidence_form form;
    struct buf quote;     /* raw bytes, trailing bytes of a larger buffer included; owned */
    struct buf event_log; /* JSON text of the array; empty when there is none; owned */
};

/* Codes: evidence/empty, evidence/format, json/... */
bool evidence_parse(struct slice input, struct evidence *out, struct error *err) MUST_USE;
/* Reads a file, or standard input for "-", and parses it. */
bool evidence_read(const char *path, struct evidence *out, struct error *err) MUST_USE;
void evidence_free(struct evidence *e);
#define EVIDENCE_AUTO __attribute__((cleanup(evidence_free)))

#endif
