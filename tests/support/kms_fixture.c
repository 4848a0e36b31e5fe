/* The in-process world of the KMS tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "support/kms_fixture.h"
#include "support/raw_http.h"

static void require(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

/* ---- world ---- */

static void read_page(struct kms_fixture *f)
{
    json_t *page JSON_AUTO = NULL;
    struct error err = {0};
    struct slice url, root;
    require(json_parse(sim_service_page(f->sim), 1 << 20, 0, &page, &err), &err);
    require(json_get_str(page, "pcs_url", &url, &err), &err);
    require(json_get_str(page, "root_pem", &root, &err), &err);
    snprintf(f->pcs_url, sizeof(f->pcs_url), "%.*s", (int)url.len, (const char *)url.data);
    snprintf(f->root_pem, sizeof(f->root_pem), "%.*s", (int)root.len, (const char *)root.data);
}

static void open_identity(struct kms_fixture *f)
{
    uint8_t seed[32];
    struct error err = {0};
    for (unsigned i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)(i + 1);
    require(identity_from_seed(slice_of(seed, sizeof(seed)), &f->identity, &err), &err);
}

static void open_verifier(struct kms_fixture *f)
{
    struct error err = {0};
    const struct dcap_verifier_options options = {
        .endpoints = {f->pcs_url}, .endpoint_count = 1, .root_pem_path = f->root_pem};
    require(dcap_verifier_open(&options, &f->verifier, &err), &err);
}

void fixture_open(struct kms_fixture *f)
{
    static const char *const machines[] = {"name=kms", "name=node", "name=stranger"};
    struct error err = {0};
    struct sim_cast cast SIM_CAST_AUTO = {0};
    static struct sim_cast_view view;
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/mero-kms-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    require(sim_cast_new(&cast, &err), &err);
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        require(sim_cast_add_machine(&cast, machines[i], &err), &err);
    require(sim_cast_read(&cast, &view, &err), &err);
    const struct sim_service_options options = {.dir = f->dir, .cast = &view};
    require(sim_service_start(&options, &f->sim, &err), &err);
    read_page(f);
    open_identity(f);
    open_verifier(f);
}

void fixture_close(struct kms_fixture *f)
{
    struct error err = {0};
    fixture_stop(f);
    dcap_verifier_close(&f->verifier);
    identity_free(&f->identity);
    sim_service_stop(&f->sim);
    require(file_remove_tree(f->dir, &err), &err);
}

struct sim_machine *fixture_machine(struct kms_fixture *f, const char *name)
{
    struct sim_machine *m = sim_stage_machine(sim_service_stage(f->sim), name);
    assert_non_null(m);
    return m;
}

static void apply_words(struct sim_scenario *s, enum sim_scope scope, const char *words)
{
    struct error err = {0};
    require(sim_scenario_apply(s, scope, slice_str("none"), &err), &err);
    for (struct slice rest = slice_str(words != NULL ? words : ""); rest.len > 0;) {
        size_t at = 0;
        while (at < rest.len && rest.data[at] != ' ')
            at++;
        require(sim_scenario_apply(s, scope, slice_cut(rest, 0, at), &err), &err);
        rest = slice_cut(rest, at + 1, rest.len);
    }
}

void fixture_scenario(struct kms_fixture *f, const char *machine, const char *words)
{
    struct sim_machine *m = fixture_machine(f, machine);
    struct sim_scenario s = sim_machine_scenario(m);
    struct error err = {0};
    apply_words(&s, SIM_SCOPE_MACHINE, words);
    require(sim_machine_set_scenario(m, &s, &err), &err);
}

void fixture_pcs_scenario(struct kms_fixture *f, const char *words)
{
    struct sim_stage *stage = sim_service_stage(f->sim);
    struct sim_scenario s = sim_stage_scenario(stage);
    apply_words(&s, SIM_SCOPE_PCS, words);
    sim_stage_set_scenario(stage, &s);
}

static void agent_socket(struct kms_fixture *f, const char *machine, char *out, size_t out_len)
{
    snprintf(out, out_len, "%s/%s.sock", f->dir, machine);
}

/* ---- settings ---- */

void fixture_set(struct kms_fixture *f, const char *name, const char *value)
{
    assert_true(f->setting_count < FIXTURE_SETTINGS_MAX);
    snprintf(f->settings[f->setting_count++], sizeof(f->settings[0]), "%s=%s", name, value);
}

static const char *get_setting(void *ctx, const char *name)
{
    struct kms_fixture *f = ctx;
    size_t len = strlen(name);
    for (size_t i = f->setting_count; i > 0; i--) {
        const char *entry = f->settings[i - 1];
        if (strncmp(entry, name, len) == 0 && entry[len] == '=')
            return &entry[len + 1];
    }
    return NULL;
}

void fixture_defaults(struct kms_fixture *f)
{
    char text[256];
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    f->setting_count = 0;
    agent_socket(f, "kms", text, sizeof(text));
    fixture_set(f, "LISTEN_ADDR", "127.0.0.1:0");
    fixture_set(f, "DSTACK_SOCKET_PATH", text);
    fixture_set(f, "USE_ENV_POLICY", "true");
    fixture_set(f, "MERO_COLLATERAL_URLS", f->pcs_url);
    fixture_set(f, "MERO_DEV_ROOT", f->root_pem);
    fixture_set(f, "MERO_KMS_RATE", "0");
    snprintf(text, sizeof(text), "%s/state", f->dir);
    fixture_set(f, "MERO_KMS_STATE_DIR", text);
    sim_machine_registers(fixture_machine(f, "node"), registers);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        char name[32], hex[2 * SIM_REGISTER_LEN + 1];
        snprintf(name, sizeof(name), "ALLOWED_%s", policy_register_name((enum policy_register)r));
        hex_encode(slice_of(registers[r], SIM_REGISTER_LEN), hex);
        fixture_set(f, name, hex);
    }
}

void fixture_configure(struct kms_fixture *f)
{
    const struct kms_environment env = {.get = get_setting,
                                        .ctx = f,
                                        .profile_pin_path = "/nowhere/image-profile",
                                        .development = true};
    if (!kms_config_read(&env, &f->config, &f->findings))
        fail_msg("%s: %s", f->findings.items[0].setting, f->findings.items[0].text);
}

/* The KMS's registers as they are now, its runtime event included. */
static void make_kms_policy(struct kms_fixture *f)
{
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    struct error err = {0};
    sim_machine_registers(fixture_machine(f, "kms"), registers);
    policy_init(&f->kms_policy);
    f->kms_policy.lists_required = true;
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        char hex[2 * SIM_REGISTER_LEN + 1];
        hex_encode(slice_of(registers[r], SIM_REGISTER_LEN), hex);
        require(policy_add_measurement(&f->kms_policy, (enum policy_register)r, slice_str(hex),
                                       POLICY_DIALECT_NODE, "test", &err),
                &err);
    }
}

void fixture_start(struct kms_fixture *f)
{
    struct error err = {0};
    require(kms_start(&f->config, &f->kms, &err), &err);
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/", kms_port(f->kms));
    snprintf(f->admin_socket, sizeof(f->admin_socket), "%s/state/admin.sock", f->dir);
    make_kms_policy(f);
}

void fixture_stop(struct kms_fixture *f)
{
    if (f->kms == NULL)
        return;
    assert_true(kms_stop(&f->kms));
    kms_config_free(&f->config);
    policy_free(&f->kms_policy);
}

/* ---- the node's side ---- */

void fixture_node(struct kms_fixture *f, const char *machine, struct fixture_node *out)
{
    char socket[256];
    struct error err = {0};
    *out = (struct fixture_node){0};
    agent_socket(f, machine, socket, sizeof(socket));
    const struct quote_source_options source = {.kind = QUOTE_SOURCE_DSTACK,
                                                .dstack_socket = socket};
    require(quote_source_open(&source, &out->quotes, &err), &err);
    out->options = (struct keyrelease_options){
        .url = f->url,
        .strict_transport = true,
        .kms_policy = &f->kms_policy,
        .verifier = f->verifier,
        .quotes = out->quotes,
        .identity = f->identity,
        .budget_ms = 3000,
    };
}

void fixture_node_free(struct fixture_node *node)
{
    quote_source_close(&node->quotes);
}

void fixture_key(struct kms_fixture *f, const char *path, uint8_t out[32])
{
    struct error err = {0};
    require(sim_app_key_derive(fixture_machine(f, "kms")->app_key, slice_str(path), out, &err),
            &err);
}

/* ---- raw requests ---- */

static void split_reply(const char *text, struct fixture_reply *out)
{
    const char *body = strstr(text, "\r\n\r\n");
    memset(out, 0, sizeof(*out));
    out->status = raw_status(text);
    snprintf(out->headers, sizeof(out->headers), "%.*s",
             body != NULL ? (int)(body - text) : (int)strlen(text), text);
    snprintf(out->body, sizeof(out->body), "%s", body != NULL ? &body[4] : "");
}

void fixture_request(struct kms_fixture *f, const char *request, struct fixture_reply *out)
{
    split_reply(raw_exchange(kms_port(f->kms), request), out);
}

void fixture_post(struct kms_fixture *f, const char *path, const char *body,
                  struct fixture_reply *out)
{
    size_t room = strlen(body) + 512;
    char *request = malloc(room);
    assert_non_null(request);
    snprintf(request, room,
             "POST %s HTTP/1.1\r\nHost: kms\r\nContent-Type: application/json\r\nContent-Length: "
             "%zu\r\nConnection: close\r\n\r\n%s",
             path, strlen(body), body);
    fixture_request(f, request, out);
    free(request);
}

void fixture_admin(struct kms_fixture *f, const char *path, struct fixture_reply *out)
{
    char request[512];
    int fd = raw_connect_unix(f->admin_socket);
    assert_true(fd >= 0);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: kms\r\nConnection: close\r\n\r\n",
             path);
    assert_true(raw_send(fd, request));
    split_reply(raw_reply(fd, false, 5000), out);
    close(fd);
}

/* ---- proofs ---- */

void fixture_challenge(struct kms_fixture *f, const char *peer_id, struct challenge_reply *out)
{
    struct fixture_reply reply;
    struct buf body BUF_AUTO = BUF_INIT(1024);
    struct error err = {0};
    enum reply_fault fault;
    assert_true(challenge_request_write(&body, slice_str(peer_id)));
    fixture_post(f, "/challenge", buf_cstr(&body), &reply);
    assert_int_equal(reply.status, 200);
    require(challenge_reply_read(slice_str(reply.body), out, &fault, &err), &err);
}

void fixture_sign(struct kms_fixture *f, struct fixture_proof *p)
{
    struct buf payload BUF_AUTO = BUF_INIT(4096);
    struct error err = {0};
    assert_true(keyrelease_signed_payload(&payload, slice_str(p->challenge.id), p->challenge.nonce,
                                          buf_slice(&p->quote), slice_str(p->peer_id),
                                          p->sealed ? p->seal.public_key : NULL));
    require(identity_sign(f->identity, buf_slice(&payload), p->signature, &err), &err);
}

void fixture_prove(struct kms_fixture *f, const char *machine, bool sealed,
                   struct fixture_proof *out)
{
    uint8_t half[32];
    struct error err = {0};
    memset(out, 0, sizeof(*out));
    snprintf(out->peer_id, sizeof(out->peer_id), "%s", identity_peer_id(f->identity));
    out->sealed = sealed;
    out->quote = BUF_INIT(1 << 20);
    fixture_challenge(f, out->peer_id, &out->challenge);
    require(keyrelease_pair_generate(&out->seal, &err), &err);
    keyrelease_request_half(slice_str(out->peer_id), sealed ? out->seal.public_key : NULL, half);
    keyrelease_report_data(out->challenge.nonce, half, out->report_data);
    require(sim_machine_quote(fixture_machine(f, machine), out->report_data, &out->quote, &err),
            &err);
    identity_public_protobuf(identity_public(f->identity), out->public_key);
    fixture_sign(f, out);
}

void fixture_proof_body(const struct fixture_proof *p, struct buf *out)
{
    assert_true(get_key_request_write(
        out, slice_str(p->challenge.id), buf_slice(&p->quote), slice_str(p->peer_id),
        slice_of(p->public_key, sizeof(p->public_key)),
        slice_of(p->signature, sizeof(p->signature)), p->sealed ? p->seal.public_key : NULL));
}

void fixture_get_key(struct kms_fixture *f, const struct fixture_proof *p,
                     struct fixture_reply *out)
{
    struct buf body BUF_AUTO = BUF_INIT(1 << 20);
    fixture_proof_body(p, &body);
    fixture_post(f, "/get-key", buf_cstr(&body), out);
}

void fixture_proof_free(struct fixture_proof *p)
{
    keyrelease_pair_free(&p->seal);
    buf_free(&p->quote);
}

void fixture_expect(const struct fixture_reply *reply, int status, const char *tag)
{
    char want[128];
    snprintf(want, sizeof(want), "{\"error\":\"%s\"", tag);
    if (reply->status != status || strncmp(reply->body, want, strlen(want)) != 0)
        fail_msg("%d %s instead of %d %s", reply->status, reply->body, status, tag);
}
