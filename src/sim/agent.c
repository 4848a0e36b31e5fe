/* The dstack guest agent: HTTP rules of platform facts 1.3, methods of 1.4. */
#include "sim/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/codec.h"
#include "base/json.h"
#include "sim/answer.h"
#include "sim/key_chain.h"

struct sim_agent {
    struct sim_machine *machine;
    struct sim_later *later;
    struct http_server *server;
};

/* One call: its arguments as a JSON object, and where the answer goes. */
struct call {
    struct sim_machine *machine;
    const json_t *args;
    struct sim_answer *answer;
};

static const char rocket_404[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n    <meta charset=\"utf-8\">\n"
    "    <title>404 Not Found</title>\n</head>\n<body align=\"center\">\n"
    "    <div role=\"main\" align=\"center\">\n        <h1>404: Not Found</h1>\n"
    "        <p>The requested resource could not be found.</p>\n        <hr />\n    </div>\n"
    "    <div role=\"contentinfo\" align=\"center\">\n        <small>Rocket</small>\n    </div>\n"
    "</body>\n</html>";

/* --- arguments --- */

/* All members are optional; a text that is missing is empty. */
static bool text_arg(const struct call *call, const char *name, struct slice *out)
{
    struct error err = {0};
    *out = slice_str("");
    if (json_opt_str(call->args, name, out, &err))
        return true;
    sim_answer_error(call->answer, 400, err.message);
    return false;
}

/* Hex of either case behind any number of "0x". */
static bool bytes_arg(const struct call *call, const char *name, struct buf *out)
{
    struct slice text;
    if (!text_arg(call, name, &text))
        return false;
    while (text.len >= 2 && memcmp(text.data, "0x", 2) == 0)
        text = slice_cut(text, 2, text.len);
    if (hex_decode_append(text, out))
        return true;
    sim_answer_error(call->answer, 400, "Failed to decode request: invalid hex string");
    return false;
}

static void put_hex_member(struct buf *out, const char *name, struct slice bytes)
{
    buf_printf(out, "\"%s\":\"", name);
    hex_append(out, bytes);
    buf_append_str(out, "\"");
}

static void put_json_member(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "\"%s\":", name);
    json_append_string(out, text);
}

/* --- methods --- */

static bool algorithm_is_known(const struct sim_machine *m, struct slice algorithm)
{
    return m->options.agent_version < 506 || /* older agents do not know the field */
           algorithm.len == 0 || slice_equal_str(algorithm, "secp256k1") ||
           slice_equal_str(algorithm, "k256") || slice_equal_str(algorithm, "ed25519");
}

static void get_key(const struct call *call)
{
    struct sim_machine *m = call->machine;
    struct slice path;
    struct slice purpose;
    struct slice algorithm;
    uint8_t key[SIM_APP_KEY_LEN];
    struct sim_key_chain chain;
    struct error err = {0};
    if (!text_arg(call, "path", &path) || !text_arg(call, "purpose", &purpose) ||
        !text_arg(call, "algorithm", &algorithm))
        return;
    if (!algorithm_is_known(m, algorithm)) {
        sim_answer_error(call->answer, 400, "Unsupported algorithm");
        return;
    }
    bool ed25519 = slice_equal_str(algorithm, "ed25519") && m->options.agent_version >= 506;
    if (!sim_app_key_derive(m->app_key, path, key, &err) ||
        !sim_key_chain_make(m->pki->seed, m->app_key, m->app_id, key, ed25519, purpose, &chain,
                            &err)) {
        sim_answer_error(call->answer, 400, err.message);
        return;
    }
    struct buf *out = &call->answer->body;
    buf_append_str(out, "{");
    put_hex_member(out, "key", slice_of(key, sizeof key));
    buf_append_str(out, ",\"signature_chain\":[\"");
    hex_append(out, slice_of(chain.by_app, sizeof chain.by_app));
    buf_append_str(out, "\",\"");
    hex_append(out, slice_of(chain.by_kms, sizeof chain.by_kms));
    buf_append_str(out, "\"]}");
    call->answer->status = 200;
}

static void put_vm_config(const struct sim_machine *m, struct buf *out)
{
    struct buf text BUF_AUTO = BUF_INIT(1024);
    char hex[65];
    hex_encode(slice_of(m->os_image_hash, sizeof m->os_image_hash), hex);
    buf_printf(&text,
               "{\"spec_version\":1,\"os_image_hash\":\"%s\",\"cpu_count\":2,"
               "\"memory_size\":2147483648,\"qemu_single_pass_add_pages\":false,\"pic\":false,"
               "\"pci_hole64_size\":0,\"num_gpus\":0,\"num_nvswitches\":0,\"hugepages\":false,"
               "\"hotplug_off\":false,\"qemu_version\":\"9.2.1\"}",
               hex);
    put_json_member(out, "vm_config", buf_slice(&text));
}

static void get_quote(const struct call *call)
{
    uint8_t report_data[64] = {0}; /* short data is padded on the right */
    struct buf given BUF_AUTO = BUF_INIT(SIM_AGENT_BODY_MAX);
    struct buf quote BUF_AUTO = BUF_INIT(SIM_QUOTE_MAX);
    struct buf log BUF_AUTO = BUF_INIT(SIM_AGENT_REPLY_MAX);
    struct error err = {0};
    if (!bytes_arg(call, "report_data", &given))
        return;
    if (given.len > sizeof report_data) {
        sim_answer_error(call->answer, 400, "Report data is too long");
        return;
    }
    if (given.len > 0)
        memcpy(report_data, given.data, given.len);
    if (!sim_machine_quote_and_log(call->machine, report_data,
                                   sim_machine_strips_log(call->machine), &quote, &log, &err)) {
        sim_answer_error(call->answer, 400, err.message);
        return;
    }
    struct buf *out = &call->answer->body;
    buf_append_str(out, "{");
    put_hex_member(out, "quote", buf_slice(&quote));
    buf_append_str(out, ",");
    put_json_member(out, "event_log", buf_slice(&log));
    buf_append_str(out, ",");
    put_hex_member(out, "report_data", slice_of(report_data, sizeof report_data));
    buf_append_str(out, ",");
    put_vm_config(call->machine, out);
    buf_append_str(out, "}");
    call->answer->status = 200;
}

static void emit_event(const struct call *call)
{
    struct slice event;
    char name[SIM_EVENT_NAME_MAX];
    struct buf payload BUF_AUTO = BUF_INIT(SIM_EVENT_PAYLOAD_MAX);
    struct error err = {0};
    if (!text_arg(call, "event", &event) || !bytes_arg(call, "payload", &payload))
        return;
    if (event.len == 0 || event.len >= sizeof name) {
        sim_answer_error(call->answer, 400, "event name must have 1 to 127 bytes");
        return;
    }
    memcpy(name, event.data, event.len);
    name[event.len] = '\0';
    if (!sim_machine_emit(call->machine, name, buf_slice(&payload), &err)) {
        sim_answer_error(call->answer, 400, err.message);
        return;
    }
    buf_append_str(&call->answer->body, "null");
    call->answer->status = 200;
}

static void aggregate(const uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN], uint8_t out[32])
{
    sha256(slice_of(registers, (size_t)SIM_REGISTERS * SIM_REGISTER_LEN), out);
}

/* The text of Info's tcb_info member: an object of its own. */
static bool put_tcb_info(const struct call *call, struct buf *out, struct error *err)
{
    static const char *const names[SIM_REGISTERS] = {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"};
    struct sim_machine *m = call->machine;
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    uint8_t aggregated[32];
    sim_machine_registers(m, registers);
    aggregate(registers, aggregated);
    buf_append_str(out, "{");
    for (size_t i = 0; i < SIM_REGISTERS; i++) {
        put_hex_member(out, names[i], slice_of(registers[i], SIM_REGISTER_LEN));
        buf_append_str(out, ",");
    }
    put_hex_member(out, "mr_aggregated", slice_of(aggregated, sizeof aggregated));
    buf_append_str(out, ",");
    put_hex_member(out, "os_image_hash", slice_of(m->os_image_hash, sizeof m->os_image_hash));
    buf_append_str(out, ",");
    put_hex_member(out, "compose_hash", slice_of(m->compose_hash, sizeof m->compose_hash));
    buf_append_str(out, ",");
    put_hex_member(out, "device_id", slice_of(m->device_id, sizeof m->device_id));
    buf_append_str(out, ",");
    put_json_member(out, "app_compose", buf_slice(&m->compose));
    buf_append_str(out, ",\"event_log\":");
    bool ok = sim_machine_event_log(m, false, out, err);
    buf_append_str(out, "}");
    return ok;
}

static void info(const struct call *call)
{
    struct sim_machine *m = call->machine;
    struct buf *out = &call->answer->body;
    struct buf tcb_info BUF_AUTO = BUF_INIT(SIM_AGENT_REPLY_MAX);
    struct buf cert BUF_AUTO = BUF_INIT(SIM_CHAIN_MAX);
    uint8_t instance_id[20];
    struct error err = {0};
    sim_machine_instance_id(m, instance_id);
    if (!put_tcb_info(call, &tcb_info, &err) ||
        !sim_pem_append(buf_slice(&m->pck.der), &cert, &err)) {
        sim_answer_error(call->answer, 400, err.message);
        return;
    }
    buf_append_str(out, "{");
    put_hex_member(out, "app_id", slice_of(m->app_id, sizeof m->app_id));
    buf_append_str(out, ",");
    put_hex_member(out, "instance_id", slice_of(instance_id, sizeof instance_id));
    buf_append_str(out, ",");
    put_json_member(out, "app_cert", buf_slice(&cert));
    buf_append_str(out, ",");
    put_json_member(out, "tcb_info", buf_slice(&tcb_info));
    buf_append_str(out, ",");
    put_json_member(out, "app_name", slice_str(m->options.name));
    buf_append_str(out, ",");
    put_hex_member(out, "device_id", slice_of(m->device_id, sizeof m->device_id));
    buf_append_str(out, ",");
    put_hex_member(out, "os_image_hash", slice_of(m->os_image_hash, sizeof m->os_image_hash));
    buf_append_str(out, ",\"key_provider_info\":\"{\\\"name\\\":\\\"kms\\\"}\",");
    put_hex_member(out, "compose_hash", slice_of(m->compose_hash, sizeof m->compose_hash));
    buf_append_str(out, ",");
    put_vm_config(m, out);
    buf_append_str(out, "}");
    call->answer->status = 200;
}

static void version(const struct call *call)
{
    unsigned number = call->machine->options.agent_version;
    buf_printf(&call->answer->body, "{\"version\":\"%u.%u.%u\",\"rev\":\"simulator\"}",
               number / 10000, number / 100 % 100, number % 100);
    call->answer->status = 200;
}

static bool always(const struct sim_machine *m)
{
    (void)m;
    return true;
}

static const struct {
    const char *name;
    bool (*offered)(const struct sim_machine *m);
    void (*run)(const struct call *call);
} methods[] = {
    {"GetKey", always, get_key},
    {"GetQuote", always, get_quote},
    {"Info", always, info},
    {"EmitEvent", sim_machine_emits_events, emit_event},
    {"Version", sim_machine_has_version_method, version},
};

/* --- HTTP --- */

static void run_method(const char *name, const struct call *call)
{
    char text[160];
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(name, methods[i].name) == 0 && methods[i].offered(call->machine)) {
            methods[i].run(call);
            return;
        }
    }
    snprintf(text, sizeof text, "Service not found: %s", name);
    sim_answer_error(call->answer, 400, text);
}

/* GET carries its arguments in the query. */
static json_t *args_from_query(const struct http_exchange *x)
{
    static const char *const names[] = {"path",    "purpose", "algorithm",
                                        "payload", "event",   "report_data"};
    json_t *args = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = http_exchange_query(x, names[i]);
        if (value != NULL)
            json_object_set_new(args, names[i], json_string(value));
    }
    return args;
}

/* NULL, with the answer written, when the body cannot be read. */
static json_t *args_from_body(const struct http_exchange *x, struct sim_answer *a)
{
    static const char json_type[] = "application/json";
    struct error err = {0};
    json_t *args = NULL;
    struct slice body = http_exchange_body(x);
    const char *type = http_exchange_header(x, "Content-Type");
    bool is_json = (type != NULL && strncmp(type, json_type, sizeof json_type - 1) == 0) ||
                   http_exchange_query(x, "json") != NULL;
    if (body.len == 0)
        return json_object();
    if (!is_json) {
        sim_answer_error(a, 400, "Failed to decode request: not a protobuf message");
        return NULL;
    }
    if (!json_parse(body, SIM_AGENT_BODY_MAX, 0, &args, &err)) {
        sim_answer_error(a, 400, err.message);
        return NULL;
    }
    if (!json_is_object(args)) {
        sim_answer_error(a, 400, "Failed to decode request: expected an object");
        json_release(&args);
    }
    return args;
}

static void not_found(struct sim_answer *a)
{
    a->status = 404;
    a->content_type = "text/html; charset=utf-8";
    buf_append_str(&a->body, rocket_404);
}

static void handle(struct http_exchange *x, void *ctx)
{
    struct sim_agent *agent = ctx;
    struct sim_answer a = sim_answer_new(SIM_AGENT_REPLY_MAX);
    const char *name = http_exchange_tail(x);
    bool get = strcmp(http_exchange_method(x), "GET") == 0;
    bool post = strcmp(http_exchange_method(x), "POST") == 0;
    if ((!get && !post) || name[0] == '\0' || strchr(name, '/') != NULL) {
        not_found(&a);
    } else {
        json_t *args JSON_AUTO = get ? args_from_query(x) : args_from_body(x, &a);
        const struct call call = {agent->machine, args, &a};
        if (args != NULL)
            run_method(name, &call);
    }
    http_exchange_add_header(x, "Server", "dstack guest agent");
    sim_answer_send(&a, x, sim_machine_scenario(agent->machine).agent, agent->later);
}

/* 404, 413 and 500 of the framework: HTML, no "error" member. */
static void fallback(struct http_exchange *x, unsigned status, void *ctx)
{
    (void)ctx;
    http_exchange_reply(x, status, "text/html; charset=utf-8", slice_str(rocket_404));
}

static const struct http_route routes[] = {
    {.path = "/*", .any_method = true, .handler = handle, .body_max = SIM_AGENT_BODY_MAX},
};

bool sim_agent_start(struct sim_machine *machine, struct sim_later *later, const char *socket_path,
                     struct sim_agent **out, struct error *err)
{
    char address[PATH_TEXT_MAX + 8];
    const char *listen = address;
    struct sim_agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL)
        return error_set(err, "sim/memory", NULL, "out of memory");
    snprintf(address, sizeof address, "unix:%s", socket_path);
    agent->machine = machine;
    agent->later = later;
    const struct http_server_options options = {
        .listen = &listen,
        .listen_count = 1,
        .threads = 1,
        .idle_timeout_s = 2 * SIM_SLOW_MAX_MS / 1000,
        .request_deadline_s = 2 * SIM_SLOW_MAX_MS / 1000,
        .routes = routes,
        .route_count = 1,
        .fallback = fallback,
        .ctx = agent,
    };
    if (!http_server_start(&options, &agent->server, err)) {
        free(agent);
        return false;
    }
    if (chmod(socket_path, 0777) != 0) {
        sim_agent_stop(&agent);
        return error_set(err, "sim/agent", socket_path, "cannot open %s to all users", socket_path);
    }
    *out = agent;
    return true;
}

void sim_agent_stop(struct sim_agent **agent)
{
    if (*agent == NULL)
        return;
    http_server_stop(&(*agent)->server, 0);
    free(*agent);
    *agent = NULL;
}
