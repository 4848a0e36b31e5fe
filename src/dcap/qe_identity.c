/* The QE identity parser and the comparison of a QE report with it. */
#include "dcap/qe_identity.h"

#include <string.h>

#include "base/codec.h"

enum { ATTRIBUTE_DEBUG = 2 }; /* in byte 0 of SGX attributes */

static bool read_id(struct json_reader *r, void *id, size_t size)
{
    static const char *const known[] = {"TD_QE", "QE", "QVE"};
    if (!json_reader_text(r, id, size))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(id, known[i]) == 0)
            return true;
    return json_reader_refuse(r, "not the id of an enclave of Intel's");
}

bool qe_identity_parse(struct slice document, struct qe_identity *out, struct error *err)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct qe_identity, id, "id", read_id),
        JSON_FIELD(struct qe_identity, version, "version", json_field_uint),
        JSON_FIELD(struct qe_identity, issue_s, "issueDate", json_field_date),
        JSON_FIELD(struct qe_identity, next_s, "nextUpdate", json_field_date),
        JSON_FIELD(struct qe_identity, evaluation_number, "tcbEvaluationDataNumber",
                   json_field_uint),
        JSON_FIELD(struct qe_identity, miscselect, "miscselect", json_field_hex),
        JSON_FIELD(struct qe_identity, miscselect_mask, "miscselectMask", json_field_hex),
        JSON_FIELD(struct qe_identity, attributes, "attributes", json_field_hex),
        JSON_FIELD(struct qe_identity, attributes_mask, "attributesMask", json_field_hex),
        JSON_FIELD(struct qe_identity, mrsigner, "mrsigner", json_field_hex),
        JSON_FIELD(struct qe_identity, isvprodid, "isvprodid", json_field_uint),
        JSON_FIELD(struct qe_identity, levels, "tcbLevels", level_read_isv_list),
    };
    struct json_reader r;
    memset(out, 0, sizeof *out);
    json_reader_open(&r, document);
    if (!json_reader_fields(&r, fields, sizeof fields / sizeof fields[0], out, NULL) ||
        !json_reader_finish(&r))
        return json_reader_error(&r, "collateral/format", "enclaveIdentity", err);
    if (out->version != 2)
        return error_set(err, "collateral/format", "enclaveIdentity.version",
                         "enclaveIdentity.version is %u, known is 2", out->version);
    return true;
}

/* (have & mask) == want: a bit wanted outside the mask is never there. */
static bool masked_equal(const uint8_t *have, const uint8_t *mask, const uint8_t *want, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((have[i] & mask[i]) != want[i])
            return false;
    return true;
}

static bool mismatch(struct error *err, const char *field, const uint8_t *has, const uint8_t *wants,
                     size_t len)
{
    char has_hex[2 * 32 + 1], wants_hex[2 * 32 + 1];
    hex_encode(slice_of(has, len), has_hex);
    hex_encode(slice_of(wants, len), wants_hex);
    return error_set(err, "qe/identity", field, "%s of the quoting enclave is %s, Intel's is %s",
                     field, has_hex, wants_hex);
}

static bool check_enclave(const struct qe_identity *identity, const struct sgx_report *qe,
                          struct error *err)
{
    if (!masked_equal(qe->miscselect_bytes, identity->miscselect_mask, identity->miscselect, 4))
        return mismatch(err, "miscselect", qe->miscselect_bytes, identity->miscselect, 4);
    if (!masked_equal(qe->attributes, identity->attributes_mask, identity->attributes, 16))
        return mismatch(err, "attributes", qe->attributes, identity->attributes, 16);
    /* Whatever the mask leaves open: everyone can read and write a debug enclave. */
    if ((qe->attributes[0] & ATTRIBUTE_DEBUG) != 0)
        return error_set(err, "qe/debug", "attributes", "the quoting enclave runs in debug mode");
    if (memcmp(qe->mrsigner, identity->mrsigner, sizeof identity->mrsigner) != 0)
        return mismatch(err, "mrsigner", qe->mrsigner, identity->mrsigner, 32);
    if (qe->isvprodid != identity->isvprodid)
        return error_set(err, "qe/identity", "isvprodid",
                         "isvprodid of the quoting enclave is %u, Intel's is %u", qe->isvprodid,
                         identity->isvprodid);
    return true;
}

bool qe_identity_judge(const struct qe_identity *identity, enum tee_type tee,
                       const struct sgx_report *qe, const struct isv_level **level,
                       struct error *err)
{
    const char *wanted = tee == TEE_TDX ? "TD_QE" : "QE";
    if (strcmp(identity->id, wanted) != 0)
        return error_set(err, "collateral/mismatch", "enclaveIdentity.id",
                         "the QE identity is of %s, the quote needs that of %s", identity->id,
                         wanted);
    if (!check_enclave(identity, qe, err))
        return false;
    const struct isv_level *found = isv_levels_find(&identity->levels, qe->isvsvn);
    if (found == NULL)
        return error_set(err, "qe/not-supported", "isvsvn",
                         "isvsvn of the quoting enclave is %u, the lowest level known is %u",
                         qe->isvsvn, identity->levels.level[identity->levels.count - 1].isvsvn);
    *level = found;
    return true;
}
