/* The in-process world for tests. */
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

bool sim_platform_extension(const uint8_t seed[SIM_SEED_LEN], const char *label,
                            struct sim_sgx_extension *out, struct error *err)
{
    char text[128];
    uint8_t bytes[16 + 16 + 3];
    snprintf(text, sizeof text, "platform/%s", label);
    if (!sim_derive_bytes(seed, text, bytes, sizeof bytes, err))
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out->ppid, bytes, 16);
    memcpy(out->platform_instance_id, bytes + 16, 16);
    /* Each platform is of a family of its own, so that its TCB info can be played with alone. */
    memcpy(out->fmspc, "\xb0\xc0\x6f", 3);
    memcpy(out->fmspc + 3, bytes + 32, 3);
    memcpy(out->components, sim_svns_current.components, sizeof out->components);
    for (size_t i = 0; i < 16; i++)
        out->cpusvn[i] = (uint8_t)sim_svns_current.components[i];
    out->pcesvn = sim_svns_current.pcesvn;
    out->type = 1;
    out->dynamic_platform = true;
    out->smt_enabled = true;
    return true;
}

static enum sim_body default_body(uint16_t version)
{
    return version == 3 ? SIM_BODY_SGX : version == 5 ? SIM_BODY_TD_15 : SIM_BODY_TD_10;
}

static bool world_fill(struct sim_world *w, const struct sim_world_options *options,
                       struct error *err)
{
    uint8_t seed[SIM_SEED_LEN];
    struct sim_sgx_extension sgx;
    uint16_t version = options->quote_version == 0 ? 4 : options->quote_version;
    enum sim_body body = options->body == 0 ? default_body(version) : options->body;
    enum sim_role ca = options->processor_ca ? SIM_PROCESSOR_CA : SIM_PLATFORM_CA;
    sha256(slice_str(options->seed == NULL ? "mero-sim" : options->seed), seed);
    w->now_s = options->now_s;
    if (!sim_pki_create(&w->pki, seed, options->now_s, err) ||
        !sim_platform_extension(seed, "world", &sgx, err) ||
        !sim_pck_create(&w->pck, &w->pki, ca, "world", &sgx, err) ||
        !sim_key_derive(seed, "attestation/world", &w->attestation_key, err) ||
        !sim_key_derive(seed, "stranger", &w->stranger, err))
        return false;
    sim_collateral_defaults(&w->collateral, &w->pki, ca, body != SIM_BODY_SGX, sgx.fmspc,
                            options->now_s);
    sim_quote_defaults(&w->quote, version, body);
    memcpy(w->quote.user_data, sgx.ppid, 16);
    return true;
}

bool sim_world_create(struct sim_world *w, const struct sim_world_options *options,
                      struct error *err)
{
    memset(w, 0, sizeof *w);
    if (!world_fill(w, options, err)) {
        sim_world_free(w);
        return false;
    }
    return true;
}

void sim_world_free(struct sim_world *w)
{
    sim_pki_free(&w->pki);
    sim_issued_free(&w->pck);
    sim_key_free(&w->attestation_key);
    sim_key_free(&w->stranger);
}

bool sim_world_reissue(struct sim_world *w, struct error *err)
{
    return sim_pki_reissue(&w->pki, err) && sim_issue(&w->pck, err);
}

bool sim_world_pck_chain(const struct sim_world *w, struct buf *pem, struct error *err)
{
    const struct sim_issued *chain[3] = {&w->pck, &w->pki.cert[w->collateral.pck_ca],
                                         &w->pki.cert[SIM_ROOT_CA]};
    return sim_chain_append(chain, 3, pem, err);
}

bool sim_world_root_pem(const struct sim_world *w, struct buf *pem, struct error *err)
{
    return sim_pem_append(buf_slice(&w->pki.cert[SIM_ROOT_CA].der), pem, err);
}

bool sim_world_quote(const struct sim_world *w, const uint8_t report_data[64], struct buf *out,
                     struct error *err)
{
    struct sim_quote_spec spec = w->quote;
    struct buf chain BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    if (spec.chain.len == 0) {
        if (!sim_world_pck_chain(w, &chain, err))
            return false;
        spec.chain = buf_slice(&chain);
    }
    if (spec.attestation_key == NULL)
        spec.attestation_key = w->attestation_key;
    if (spec.pck_key == NULL)
        spec.pck_key = w->pck.key;
    memcpy(spec.td.report_data, report_data, 64);
    memcpy(spec.enclave.report_data, report_data, 64);
    return sim_quote_make(&spec, out, err);
}
