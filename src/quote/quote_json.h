/* The JSON view of a quote, member for member as the node API gives it, with members of our own for
 * SGX and for version 3 quotes, which that API does not know. Spec: reference facts E.2. */
#ifndef QUOTE_QUOTE_JSON_H
#define QUOTE_QUOTE_JSON_H

#include "base/json.h"
#include "quote/quote.h"

/*
 * On success *out is a new reference:
 *   header {version, attestationKeyType, teeType, qeVendorId, userData [, v3: qeSvn, pceSvn]},
 *   body   {tdxVersion "1.0" | "1.5" | "1.5-ex", teeTcbSvn, ...} for TDX,
 *          {cpusvn, miscselect, attributes, mrenclave, mrsigner, reportdata, isvprodid, isvsvn}
 *          for SGX,
 *   signature, attestationKey (04 || x || y),
 *   certificationData {type "qeReportCertificationData", data {qeReport, signature,
 *          qeAuthenticationData, certificationDataType "PckCertChain", certificationData}}, for
 *          version 3 too, which holds the same parts without the wrapping.
 * Bytes are lower-case hex in quote order. Fails only without memory (code memory).
 */
bool quote_to_json(const struct quote *q, json_t **out, struct error *err) MUST_USE;

#endif
