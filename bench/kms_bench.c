/* What mero-kms-phala costs: CPU time of its process for each challenge and release, in units of
 * the three public-key operations that nobody can save; /challenge beside an empty libmicrohttpd
 * handler under the same load; memory and start. The client's and the platform's work is not
 * counted: they live in this process, the KMS in its own. Prints text, then one line of JSON.
 *
 *   kms_bench [PATH OF mero-kms-phala]      MERO_BENCH_CHALLENGES=1000000 for the long memory run
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "identity/identity.h"
#include "keyrelease/messages.h"
#include "policy/policy.h"
#include "sim/service.h"

enum { RELEASES = 400, ROUNDS = 9, LOAD_MS = 1500, REPLY_MAX = 65536 };

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s\n", what, err != NULL ? err->message : "");
    exit(1);
}

/* ---- a client that costs little ---- */

static int dial(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* One request and its whole reply on a kept connection; the body inside `reply`. */
static const char *call(int fd, const char *request, size_t len, char reply[REPLY_MAX])
{
    size_t got = 0, want = 0;
    if (write(fd, request, len) != (ssize_t)len)
        die("write", NULL);
    for (;;) {
        ssize_t n = read(fd, &reply[got], REPLY_MAX - 1 - got);
        if (n <= 0)
            die("the server closed the connection", NULL);
        got += (size_t)n;
        reply[got] = '\0';
        const char *end = strstr(reply, "\r\n\r\n");
        const char *length = end != NULL ? strstr(reply, "Content-Length: ") : NULL;
        for (size_t i = 16; want == 0 && length != NULL && length[i] >= '0' && length[i] <= '9';
             i++)
            want = want * 10 + (size_t)(length[i] - '0');
        if (end != NULL && got >= (size_t)(end - reply) + 4 + want)
            return &end[4];
    }
}

static size_t post(char *out, size_t cap, const char *path, const char *body)
{
    return (size_t)snprintf(out, cap,
                            "POST %s HTTP/1.1\r\nHost: kms\r\nContent-Type: application/json\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            path, strlen(body), body);
}

/* ---- the world ---- */

struct world {
    char dir[64], pcs_url[128], root_pem[256], socket[128];
    struct sim_service *sim;
    struct sim_machine *node;
    struct identity *identity;
    const char *program;
    pid_t kms;
    unsigned port;
};

static void open_world(struct world *w)
{
    static struct sim_cast_view view;
    struct sim_cast cast SIM_CAST_AUTO = {0};
    json_t *page JSON_AUTO = NULL;
    struct error err = {0};
    struct slice url, root;
    uint8_t seed[32] = {1};
    const char *where = getenv("TMPDIR");
    snprintf(w->dir, sizeof(w->dir), "%s/mero-kms-bench-XXXXXX", where != NULL ? where : "/tmp");
    if (mkdtemp(w->dir) == NULL || !sim_cast_new(&cast, &err) ||
        !sim_cast_add_machine(&cast, "name=kms", &err) ||
        !sim_cast_add_machine(&cast, "name=node", &err) || !sim_cast_read(&cast, &view, &err))
        die("world", &err);
    const struct sim_service_options options = {.dir = w->dir, .cast = &view};
    if (!sim_service_start(&options, &w->sim, &err) ||
        !json_parse(sim_service_page(w->sim), 1 << 20, 0, &page, &err) ||
        !json_get_str(page, "pcs_url", &url, &err) ||
        !json_get_str(page, "root_pem", &root, &err) ||
        !identity_from_seed(slice_of(seed, 32), &w->identity, &err))
        die("world", &err);
    snprintf(w->pcs_url, sizeof(w->pcs_url), "%.*s", (int)url.len, (const char *)url.data);
    snprintf(w->root_pem, sizeof(w->root_pem), "%.*s", (int)root.len, (const char *)root.data);
    snprintf(w->socket, sizeof(w->socket), "%s/kms.sock", w->dir);
    w->node = sim_stage_machine(sim_service_stage(w->sim), "node");
}

static void set_environment(const struct world *w)
{
    uint8_t registers[SIM_REGISTERS][SIM_REGISTER_LEN];
    char text[256];
    sim_machine_registers(w->node, registers);
    for (unsigned r = 0; r < POLICY_REGISTERS; r++) {
        char name[32];
        snprintf(name, sizeof(name), "ALLOWED_%s", policy_register_name((enum policy_register)r));
        hex_encode(slice_of(registers[r], SIM_REGISTER_LEN), text);
        setenv(name, text, 1);
    }
    snprintf(text, sizeof(text), "127.0.0.1:%u", w->port);
    setenv("LISTEN_ADDR", text, 1);
    snprintf(text, sizeof(text), "%s/state", w->dir);
    setenv("MERO_KMS_STATE_DIR", text, 1);
    setenv("DSTACK_SOCKET_PATH", w->socket, 1);
    setenv("USE_ENV_POLICY", "true", 1);
    setenv("MERO_KMS_RATE", "0", 1);
    setenv("MERO_COLLATERAL_URLS", w->pcs_url, 1);
    setenv("MERO_DEV_ROOT", w->root_pem, 1);
    setenv("RUST_LOG", "warn", 1);
}

/* Milliseconds from fork to the first answer. */
static double start_kms(struct world *w)
{
    int64_t before_us = clock_monotonic_us();
    w->port = 20000 + (unsigned)getpid() % 20000;
    w->kms = fork();
    if (w->kms == 0) {
        set_environment(w);
        execl(w->program, w->program, (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 10000; i++) {
        int fd = dial(w->port);
        if (fd >= 0) {
            close(fd);
            return (double)(clock_monotonic_us() - before_us) / 1000;
        }
        usleep(1000);
    }
    die("the KMS does not start", NULL);
    return 0;
}

static void stop_child(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static double cpu_us(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        die("CPU clock", NULL);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double resident_mib(pid_t pid)
{
    char path[64];
    struct buf text BUF_AUTO = BUF_INIT(4096);
    struct error err = {0};
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    if (!file_read(path, &text, &err))
        die("memory", &err);
    const char *at = strchr(buf_cstr(&text), ' ');
    double pages = 0;
    for (size_t i = 1; at[i] >= '0' && at[i] <= '9'; i++)
        pages = pages * 10 + (at[i] - '0');
    return pages * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

/* ---- one release ---- */

struct proof {
    char text[REPLY_MAX]; /* the request of /get-key */
    size_t len;
};

static void make_proof(struct world *w, int fd, struct proof *p)
{
    static char reply[REPLY_MAX];
    char request[512], body[160];
    struct challenge_reply challenge;
    enum reply_fault fault;
    struct error err = {0};
    struct keyrelease_pair pair KEYRELEASE_PAIR_AUTO = {0};
    struct buf quote BUF_AUTO = BUF_INIT(65536), payload BUF_AUTO = BUF_INIT(4096);
    struct buf out BUF_AUTO = BUF_INIT(REPLY_MAX);
    uint8_t half[32], data[64], key[IDENTITY_PUBLIC_PROTOBUF_LEN], sig[IDENTITY_SIGNATURE_LEN];
    struct slice peer = slice_str(identity_peer_id(w->identity));
    snprintf(body, sizeof(body), "{\"peerId\":\"%s\"}", identity_peer_id(w->identity));
    const char *answer =
        call(fd, request, post(request, sizeof(request), "/challenge", body), reply);
    if (!challenge_reply_read(slice_str(answer), &challenge, &fault, &err) ||
        !keyrelease_pair_generate(&pair, &err))
        die("challenge", &err);
    keyrelease_request_half(peer, pair.public_key, half);
    keyrelease_report_data(challenge.nonce, half, data);
    if (!sim_machine_quote(w->node, data, &quote, &err) ||
        !keyrelease_signed_payload(&payload, slice_str(challenge.id), challenge.nonce,
                                   buf_slice(&quote), peer, pair.public_key) ||
        !identity_sign(w->identity, buf_slice(&payload), sig, &err))
        die("proof", &err);
    identity_public_protobuf(identity_public(w->identity), key);
    if (!get_key_request_write(&out, slice_str(challenge.id), buf_slice(&quote), peer,
                               slice_of(key, sizeof(key)), slice_of(sig, sizeof(sig)),
                               pair.public_key))
        die("proof", NULL);
    p->len = post(p->text, sizeof(p->text), "/get-key", buf_cstr(&out));
}

static void get_key(int fd, const struct proof *p)
{
    static _Thread_local char reply[REPLY_MAX];
    if (strstr(call(fd, p->text, p->len, reply), "sealedKeyB64") == NULL)
        die(reply, NULL);
}

/* ---- the floor ---- */

struct floor_ops {
    EVP_PKEY *p256;
    uint8_t signature[128], digest[32];
    size_t signature_len;
    uint8_t ed_public[32], ed_secret[64], ed_signature[64], x_secret[32], x_public[32];
};

static void open_floor(struct floor_ops *f)
{
    f->p256 = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(f->p256, NULL);
    f->signature_len = sizeof(f->signature);
    if (EVP_PKEY_sign_init(ctx) != 1 ||
        EVP_PKEY_sign(ctx, f->signature, &f->signature_len, f->digest, 32) != 1)
        die("P-256", NULL);
    EVP_PKEY_CTX_free(ctx);
    crypto_sign_keypair(f->ed_public, f->ed_secret);
    crypto_sign_detached(f->ed_signature, NULL, f->digest, 32, f->ed_secret);
    random_bytes(f->x_secret, 32);
    crypto_scalarmult_base(f->x_public, f->x_secret);
}

static double floor_once_us(struct floor_ops *f, unsigned count)
{
    uint8_t shared[32];
    struct timespec a, b;
    bool ok = true;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (unsigned i = 0; i < count; i++) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(f->p256, NULL);
        ok = ok && EVP_PKEY_verify_init(ctx) == 1 &&
             EVP_PKEY_verify(ctx, f->signature, f->signature_len, f->digest, 32) == 1;
        EVP_PKEY_CTX_free(ctx);
        ok = ok && crypto_sign_verify_detached(f->ed_signature, f->digest, 32, f->ed_public) == 0 &&
             crypto_scalarmult(shared, f->x_secret, f->x_public) == 0;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    if (!ok)
        die("floor", NULL);
    double us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
    return us / count;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static double release_ratio(struct world *w, double *cost_us, double *floor_us)
{
    static struct proof proofs[RELEASES / ROUNDS + 1];
    struct floor_ops floor_ops = {0};
    double ratios[ROUNDS], costs[ROUNDS], floors[ROUNDS];
    const size_t batch = RELEASES / ROUNDS;
    int fd = dial(w->port);
    open_floor(&floor_ops);
    for (size_t i = 0; i < 20; i++) { /* warm */
        make_proof(w, fd, &proofs[0]);
        get_key(fd, &proofs[0]);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        double before = cpu_us(w->kms);
        for (size_t i = 0; i < batch; i++) {
            make_proof(w, fd, &proofs[i]);
            get_key(fd, &proofs[i]);
        }
        costs[round] = (cpu_us(w->kms) - before) / (double)batch;
        floors[round] = floor_once_us(&floor_ops, 100);
        ratios[round] = costs[round] / floors[round];
    }
    close(fd);
    EVP_PKEY_free(floor_ops.p256);
    *cost_us = median(costs, ROUNDS);
    *floor_us = median(floors, ROUNDS);
    return median(ratios, ROUNDS);
}

/* ---- load ---- */

struct load {
    unsigned port;
    const char *request;
    size_t len;
    int64_t until_ms;
    unsigned long long count;
};

static void *hammer(void *ctx)
{
    struct load *l = ctx;
    static _Thread_local char reply[REPLY_MAX];
    int fd = dial(l->port);
    while (clock_monotonic_ms() < l->until_ms) {
        call(fd, l->request, l->len, reply);
        l->count++;
    }
    close(fd);
    return NULL;
}

/* Answers a second with four connections. */
static double rate_of(unsigned port, const char *request, size_t len)
{
    enum { CONNECTIONS = 4 };
    pthread_t threads[CONNECTIONS];
    struct load loads[CONNECTIONS];
    unsigned long long total = 0;
    int64_t until_ms = clock_monotonic_ms() + LOAD_MS;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        loads[i] = (struct load){port, request, len, until_ms, 0};
        pthread_create(&threads[i], NULL, hammer, &loads[i]);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        pthread_join(threads[i], NULL);
        total += loads[i].count;
    }
    return (double)total * 1000 / LOAD_MS;
}

static enum MHD_Result empty_handler(void *ctx, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *upload,
                                     size_t *upload_len, void **state)
{
    (void)ctx, (void)url, (void)method, (void)version, (void)upload;
    static int seen;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    char body[] = "{\"challengeId\":\"\"}";
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued = MHD_queue_response(connection, 200, r);
    MHD_destroy_response(r);
    return queued;
}

static pid_t start_empty_server(unsigned port)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)port, NULL, NULL, empty_handler,
                         NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_END);
    while (d != NULL)
        pause();
    _exit(1);
}

static double challenge_ratio(struct world *w, double *ours, double *theirs)
{
    char request[512], body[160];
    double ratios[3], a[3], b[3];
    unsigned port = w->port + 1;
    pid_t empty = start_empty_server(port);
    snprintf(body, sizeof(body), "{\"peerId\":\"%s\"}", identity_peer_id(w->identity));
    size_t len = post(request, sizeof(request), "/challenge", body);
    usleep(300 * 1000);
    for (size_t i = 0; i < 3; i++) {
        a[i] = rate_of(w->port, request, len);
        b[i] = rate_of(port, request, len);
        ratios[i] = a[i] / b[i];
    }
    kill(empty, SIGKILL);
    waitpid(empty, NULL, 0);
    *ours = median(a, 3);
    *theirs = median(b, 3);
    return median(ratios, 3);
}

/* Latency of a release when the KMS is asked half as often as it could answer. */
static void release_latency(struct world *w, double rate, double *p50_ms, double *p99_ms)
{
    enum { SAMPLES = 300 };
    static double took[SAMPLES];
    static struct proof proof;
    int fd = dial(w->port);
    for (size_t i = 0; i < SAMPLES; i++) {
        make_proof(w, fd, &proof);
        int64_t before_us = clock_monotonic_us();
        get_key(fd, &proof);
        took[i] = (double)(clock_monotonic_us() - before_us) / 1000;
        double idle_us = 2e6 / rate - took[i] * 1000;
        if (idle_us > 0)
            usleep((useconds_t)idle_us);
    }
    close(fd);
    qsort(took, SAMPLES, sizeof(took[0]), by_value);
    *p50_ms = took[SAMPLES / 2];
    *p99_ms = took[SAMPLES * 99 / 100];
}

static void many_challenges(struct world *w, unsigned long count)
{
    static char reply[REPLY_MAX];
    char request[512], body[160];
    snprintf(body, sizeof(body), "{\"peerId\":\"%s\"}", identity_peer_id(w->identity));
    size_t len = post(request, sizeof(request), "/challenge", body);
    int fd = dial(w->port);
    for (unsigned long i = 0; i < count; i++)
        call(fd, request, len, reply);
    close(fd);
}

static unsigned long wanted_challenges(void)
{
    const char *text = getenv("MERO_BENCH_CHALLENGES");
    unsigned long count = 0;
    for (size_t i = 0; text != NULL && text[i] >= '0' && text[i] <= '9' && i < 9; i++)
        count = count * 10 + (unsigned long)(text[i] - '0');
    return count > 0 ? count : 50000;
}

int main(int argc, char **argv)
{
    static struct world w;
    const char *build = getenv("MERO_BUILD_DIR");
    char path[512];
    snprintf(path, sizeof(path), "%s/mero-kms-phala", build != NULL ? build : "build");
    w.program = argc > 1 ? argv[1] : path;
    signal(SIGPIPE, SIG_IGN);
    open_world(&w);
    double cold_ms = start_kms(&w);
    stop_child(w.kms);
    double warm_ms = start_kms(&w);
    usleep(200 * 1000);
    double idle_mib = resident_mib(w.kms);
    double cost_us, floor_us, ours, theirs, p50_ms, p99_ms;
    double release = release_ratio(&w, &cost_us, &floor_us);
    release_latency(&w, 1e6 / cost_us, &p50_ms, &p99_ms);
    double challenge = challenge_ratio(&w, &ours, &theirs);
    unsigned long count = wanted_challenges();
    many_challenges(&w, count);
    double full_mib = resident_mib(w.kms);
    stop_child(w.kms);
    printf("challenge + get-key: %.0f us of CPU, %.2f x (P-256 + Ed25519 + X25519 = %.0f us)\n",
           cost_us, release, floor_us);
    printf("  latency at half load: p50 %.2f ms, p99 %.2f ms\n", p50_ms, p99_ms);
    printf("/challenge: %.0f a second, %.0f %% of an empty handler (%.0f)\n", ours, challenge * 100,
           theirs);
    printf("memory: %.1f MiB idle, %.1f MiB after %lu challenges\n", idle_mib, full_mib, count);
    printf("start to first answer: %.0f ms without collateral, %.0f ms with it cached\n", cold_ms,
           warm_ms);
    printf(
        "{\"schema\":\"mero.bench.kms/1\",\"release_ratio\":%.3f,\"release_us\":%.1f,\"floor_us\":"
        "%.1f,\"challenge_ratio\":%.3f,\"challenge_per_s\":%.0f,\"idle_mib\":%.1f,\"full_mib\":%."
        "1f,"
        "\"start_cold_ms\":%.0f,\"start_warm_ms\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f}\n",
        release, cost_us, floor_us, challenge, ours, idle_mib, full_mib, cold_ms, warm_ms, p50_ms,
        p99_ms);
    identity_free(&w.identity);
    sim_service_stop(&w.sim);
    (void)!file_remove_tree(w.dir, NULL);
    return 0;
}
