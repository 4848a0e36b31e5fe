/* Intel's certificate hierarchy in software (DCAP facts 3.1, 4.5). */
#include "sim/pki.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/secret.h"
#include "sim/days.h"

static const char root_crl_url[] =
    "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/* One row per certificate of the hierarchy. Periods are years before and after the day of birth. */
static const struct role {
    const char *file;
    const char *cn;
    bool is_ca;
    int path_len;
    uint8_t key_usage;
    int years_before, years_after;
} roles[SIM_PKI_ROLES] = {
    [SIM_ROOT_CA] = {"root", "Intel SGX Root CA", true, 1, SIM_USAGE_CERT_SIGN | SIM_USAGE_CRL_SIGN,
                     8, 23},
    [SIM_PLATFORM_CA] = {"platform-ca", "Intel SGX PCK Platform CA", true, 0,
                         SIM_USAGE_CERT_SIGN | SIM_USAGE_CRL_SIGN, 8, 15},
    [SIM_PROCESSOR_CA] = {"processor-ca", "Intel SGX PCK Processor CA", true, 0,
                          SIM_USAGE_CERT_SIGN | SIM_USAGE_CRL_SIGN, 8, 15},
    [SIM_TCB_SIGNING] = {"tcb-signing", "Intel SGX TCB Signing", false, -1,
                         SIM_USAGE_DIGITAL_SIGNATURE | SIM_USAGE_NON_REPUDIATION, 1, 6},
};

/* Intel numbers these certificates by their key. */
static void set_key_ids(struct sim_issued *issued, const struct sim_key *issuer)
{
    sim_key_id(issued->key, issued->spec.subject_key_id);
    sim_key_id(issuer, issued->spec.authority_key_id);
    issued->spec.serial.len = SIM_KEY_ID_LEN;
    memcpy(issued->spec.serial.bytes, issued->spec.subject_key_id, SIM_KEY_ID_LEN);
}

static void describe_role(struct sim_pki *pki, enum sim_role role)
{
    struct sim_issued *issued = &pki->cert[role];
    int64_t born = sim_day_start(pki->born_s);
    issued->spec = (struct sim_cert_spec){
        .version = 3,
        .subject = sim_name_intel(roles[role].cn),
        .issuer = sim_name_intel(roles[SIM_ROOT_CA].cn),
        .not_before_s = born - (int64_t)roles[role].years_before * YEAR_S,
        .not_after_s = born + (int64_t)roles[role].years_after * YEAR_S,
        .key_usage = roles[role].key_usage,
        .is_ca = roles[role].is_ca,
        .path_len = roles[role].path_len,
    };
    snprintf(issued->spec.crl_url, sizeof issued->spec.crl_url, "%s", root_crl_url);
    issued->signer = pki->cert[SIM_ROOT_CA].key;
    set_key_ids(issued, issued->signer);
}

static bool derive_keys(struct sim_pki *pki, struct error *err)
{
    for (int role = 0; role < SIM_PKI_ROLES; role++) {
        if (!sim_key_derive(pki->seed, roles[role].file, &pki->cert[role].key, err))
            return false;
        pki->cert[role].der = BUF_INIT(SIM_DER_MAX);
    }
    for (int role = 0; role < SIM_PKI_ROLES; role++)
        describe_role(pki, (enum sim_role)role);
    return true;
}

static void pki_start(struct sim_pki *pki, const uint8_t seed[SIM_SEED_LEN], int64_t now_s)
{
    memset(pki, 0, sizeof *pki);
    memcpy(pki->seed, seed, SIM_SEED_LEN);
    pki->born_s = now_s;
}

bool sim_pki_create(struct sim_pki *pki, const uint8_t seed[SIM_SEED_LEN], int64_t now_s,
                    struct error *err)
{
    pki_start(pki, seed, now_s);
    if (!derive_keys(pki, err) || !sim_pki_reissue(pki, err)) {
        sim_pki_free(pki);
        return false;
    }
    return true;
}

void sim_pki_free(struct sim_pki *pki)
{
    for (int role = 0; role < SIM_PKI_ROLES; role++)
        sim_issued_free(&pki->cert[role]);
    memset(pki, 0, sizeof *pki);
}

bool sim_issue(struct sim_issued *issued, struct error *err)
{
    buf_reset(&issued->der);
    return sim_cert_make(&issued->spec, issued->key, issued->signer, &issued->der, err);
}

void sim_issued_free(struct sim_issued *issued)
{
    sim_key_free(&issued->key);
    buf_free(&issued->der);
}

bool sim_pki_reissue(struct sim_pki *pki, struct error *err)
{
    for (int role = 0; role < SIM_PKI_ROLES; role++)
        if (!sim_issue(&pki->cert[role], err))
            return false;
    return true;
}

bool sim_chain_append(const struct sim_issued *const *certs, size_t count, struct buf *pem,
                      struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!sim_pem_append(buf_slice(&certs[i]->der), pem, err))
            return false;
    return true;
}

/* --- the state directory --- */

static bool role_path(const char *dir, enum sim_role role, char out[PATH_TEXT_MAX],
                      struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%s.pem", roles[role].file);
    return path_join(dir, name, out, err);
}

static bool save_cert(const struct sim_pki *pki, enum sim_role role, const char *dir,
                      struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct buf pem BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    return role_path(dir, role, path, err) &&
           sim_pem_append(buf_slice(&pki->cert[role].der), &pem, err) &&
           file_write_atomic(path, buf_slice(&pem), 0644, err);
}

/* Takes over a certificate of an earlier start; its dates count, not those of today. */
static bool load_cert(struct sim_pki *pki, enum sim_role role, const char *dir, struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct buf pem BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    struct sim_issued *issued = &pki->cert[role];
    if (!role_path(dir, role, path, err) || !file_read(path, &pem, err))
        return false;
    buf_reset(&issued->der);
    return sim_cert_read(buf_slice(&pem), issued->key, &issued->spec, &issued->der, err) ||
           error_prefix(err, "%s", path);
}

static bool save_all(struct sim_pki *pki, const char *dir, const char *seed_path, struct error *err)
{
    for (int role = 0; role < SIM_PKI_ROLES; role++)
        if (!sim_issue(&pki->cert[role], err) || !save_cert(pki, (enum sim_role)role, dir, err))
            return false;
    /* The seed comes last: a directory with a seed is complete. */
    char text[2 * SIM_SEED_LEN + 2];
    hex_encode(slice_of(pki->seed, SIM_SEED_LEN), text);
    text[2 * SIM_SEED_LEN] = '\n';
    return file_write_atomic(seed_path, slice_of(text, 2 * SIM_SEED_LEN + 1), 0600, err);
}

static bool load_all(struct sim_pki *pki, const char *dir, struct error *err)
{
    for (int role = 0; role < SIM_PKI_ROLES; role++)
        if (!load_cert(pki, (enum sim_role)role, dir, err))
            return false;
    return true;
}

static bool read_seed(const char *path, uint8_t seed[SIM_SEED_LEN], struct error *err)
{
    struct buf text BUF_AUTO = BUF_INIT(256);
    if (!file_read(path, &text, err))
        return false;
    if (!hex_decode(slice_cut(buf_slice(&text), 0, 2 * SIM_SEED_LEN), seed, SIM_SEED_LEN))
        return error_set(err, "sim/state", path, "the seed is not 64 hex digits");
    return true;
}

bool sim_pki_open(struct sim_pki *pki, const char *dir, const uint8_t *wanted_seed, int64_t now_s,
                  struct error *err)
{
    char seed_path[PATH_TEXT_MAX];
    uint8_t seed[SIM_SEED_LEN];
    if (!file_make_dirs(dir, 0700, err) || !path_join(dir, "seed", seed_path, err))
        return false;
    bool known = file_exists(seed_path);
    if (known && !read_seed(seed_path, seed, err))
        return false;
    if (known && wanted_seed != NULL && memcmp(seed, wanted_seed, SIM_SEED_LEN) != 0)
        return error_set(err, "sim/state", dir, "the directory was made with another seed");
    if (!known && wanted_seed != NULL)
        memcpy(seed, wanted_seed, SIM_SEED_LEN);
    else if (!known)
        random_bytes(seed, sizeof seed);
    pki_start(pki, seed, now_s);
    if (!derive_keys(pki, err) ||
        !(known ? load_all(pki, dir, err) : save_all(pki, dir, seed_path, err))) {
        sim_pki_free(pki);
        return false;
    }
    return true;
}

/* --- PCK leaves and CRLs --- */

bool sim_pck_create(struct sim_issued *pck, const struct sim_pki *pki, enum sim_role ca,
                    const char *label, const struct sim_sgx_extension *sgx, struct error *err)
{
    char key_label[128];
    struct sim_issued made = {.signer = pki->cert[ca].key, .der = BUF_INIT(SIM_DER_MAX)};
    int64_t born = sim_day_start(pki->born_s);
    snprintf(key_label, sizeof key_label, "pck/%s", label);
    if (!sim_key_derive(pki->seed, key_label, &made.key, err))
        return false;
    made.spec = (struct sim_cert_spec){
        .version = 3,
        .subject = sim_name_intel("Intel SGX PCK Certificate"),
        .issuer = pki->cert[ca].spec.subject,
        .not_before_s = born - 30 * (int64_t)DAY_S,
        .not_after_s = born + 7 * (int64_t)YEAR_S,
        .key_usage = SIM_USAGE_DIGITAL_SIGNATURE | SIM_USAGE_NON_REPUDIATION,
        .path_len = -1,
        .has_sgx = true,
        .sgx = *sgx,
    };
    made.spec.sgx.for_platform_ca = ca == SIM_PLATFORM_CA;
    snprintf(made.spec.crl_url, sizeof made.spec.crl_url,
             "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
             ca == SIM_PLATFORM_CA ? "platform" : "processor");
    set_key_ids(&made, made.signer);
    if (!sim_issue(&made, err)) {
        sim_issued_free(&made);
        return false;
    }
    *pck = made;
    return true;
}

void sim_crl_defaults(struct sim_crl_spec *spec, const struct sim_pki *pki, enum sim_role ca,
                      int64_t now_s)
{
    const struct sim_issued *issuer = &pki->cert[ca];
    *spec = (struct sim_crl_spec){
        .issuer = issuer->spec.subject,
        .this_update_s = sim_day_start(now_s),
        .next_update_s =
            sim_day_start(now_s) + (ca == SIM_ROOT_CA ? (int64_t)YEAR_S : 30 * (int64_t)DAY_S),
    };
    memcpy(spec->authority_key_id, issuer->spec.subject_key_id, SIM_KEY_ID_LEN);
}
