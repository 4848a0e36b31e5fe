/* QE identity: what is accepted is JSON for jansson too, its levels are in order, and comparing any
 * report with it ends. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "dcap/qe_identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_json(struct slice text)
{
    JSON_AUTO json_t *value = NULL;
    struct error err;
    if (!json_parse(text, text.len, JSON_ALLOW_NUL, &value, &err))
        check(strstr(err.message, "too big") != NULL || strstr(err.message, "overflow") != NULL);
}

/* The report that the identity asks for belongs to it; with one bit changed under the mask not. */
static void judge(const struct qe_identity *identity)
{
    uint8_t report[SGX_REPORT_LEN] = {0};
    struct sgx_report view;
    const struct isv_level *level = NULL;
    enum tee_type tee = identity->id[0] == 'T' ? TEE_TDX : TEE_SGX;
    bool attainable = (identity->attributes[0] & 2) == 0;
    memcpy(&report[16], identity->miscselect, 4);
    memcpy(&report[48], identity->attributes, 16);
    memcpy(&report[128], identity->mrsigner, 32);
    store_u16le(&report[256], identity->isvprodid);
    store_u16le(&report[258], 65535);
    for (size_t i = 0; i < 16; i++)
        attainable &= (identity->attributes[i] & (uint8_t)~identity->attributes_mask[i]) == 0;
    for (size_t i = 0; i < 4; i++)
        attainable &= (identity->miscselect[i] & (uint8_t)~identity->miscselect_mask[i]) == 0;
    sgx_report_view(slice_of(report, sizeof report), &view);
    bool known = strcmp(identity->id, tee == TEE_TDX ? "TD_QE" : "QE") == 0;
    check(qe_identity_judge(identity, tee, &view, &level, NULL) == (known && attainable));
    check(level == NULL || level == &identity->levels.level[0]);
    report[128] ^= 1;
    check(!qe_identity_judge(identity, tee, &view, &level, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct qe_identity identity;
    struct error err;
    if (!qe_identity_parse(slice_of(data, size), &identity, &err)) {
        check(error_is(&err, "collateral/format"));
        return 0;
    }
    check_json(slice_of(data, size));
    check(identity.levels.count > 0);
    for (size_t i = 1; i < identity.levels.count; i++)
        check(identity.levels.level[i - 1].isvsvn > identity.levels.level[i].isvsvn);
    judge(&identity);
    return 0;
}
