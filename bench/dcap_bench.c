/* What a DCAP verification costs, in raw P-256 verifications of the same OpenSSL in the same run:
 * rounds of one and the other interleaved, medians and ranges of the ratios, so that a busy machine
 * disturbs both. Prints text, then one line of JSON. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "dcap/verifier.h"
#include "dcap/verify.h"
#include "sim/world.h"

enum { ROUNDS = 15, SLICE_MS = 40 };
static const int64_t NOW = 1767268800; /* 2026-01-01T12:00:00Z */

/* Allocations: all of the process, and OpenSSL's among them. */
static atomic_ulong all_allocations, openssl_allocations;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&all_allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add_explicit(&all_allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    atomic_fetch_add_explicit(&all_allocations, 1, memory_order_relaxed);
    return __libc_realloc(old, size);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    atomic_fetch_add_explicit(&openssl_allocations, 1, memory_order_relaxed);
    return malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    atomic_fetch_add_explicit(&openssl_allocations, 1, memory_order_relaxed);
    return realloc(old, size);
}

static void openssl_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

static void die(const struct error *err)
{
    fprintf(stderr, "%s: %s\n", err->code, err->message);
    exit(1);
}

/* Everything that is measured. */
struct subject {
    struct sim_world world;
    struct sim_collateral made;
    struct collateral collateral;
    struct buf quote, other_quote;
    struct dcap_root root;
    struct dcap_verifier *verifier;
    EVP_PKEY_CTX *raw;
    uint8_t raw_digest[32], raw_signature[80];
    size_t raw_signature_len;
};

static void open_raw(struct subject *s)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);
    s->raw_signature_len = sizeof s->raw_signature;
    if (EVP_PKEY_sign_init(sign) != 1 ||
        EVP_PKEY_sign(sign, s->raw_signature, &s->raw_signature_len, s->raw_digest, 32) != 1)
        exit(1);
    EVP_PKEY_CTX_free(sign);
    s->raw = EVP_PKEY_CTX_new(key, NULL);
    if (EVP_PKEY_verify_init(s->raw) != 1)
        exit(1);
    EVP_PKEY_free(key);
}

static void put(struct collateral *c, enum collateral_part part, struct slice text)
{
    struct error err;
    if (!collateral_set(c, part, text, &err))
        die(&err);
}

static void open_collateral(struct subject *s)
{
    const struct sim_collateral *from = &s->made;
    struct collateral *c = &s->collateral;
    collateral_init(c);
    put(c, COLLATERAL_PCK_CRL_ISSUER_CHAIN, buf_slice(&from->pck_crl_issuer_chain));
    put(c, COLLATERAL_ROOT_CRL, buf_slice(&from->root_ca_crl));
    put(c, COLLATERAL_PCK_CRL, buf_slice(&from->pck_crl));
    put(c, COLLATERAL_TCB_INFO_ISSUER_CHAIN, buf_slice(&from->tcb_info_issuer_chain));
    put(c, COLLATERAL_TCB_INFO, buf_slice(&from->tcb_info));
    put(c, COLLATERAL_TCB_INFO_SIGNATURE, slice_str(from->tcb_info_signature));
    put(c, COLLATERAL_QE_IDENTITY_ISSUER_CHAIN, buf_slice(&from->qe_identity_issuer_chain));
    put(c, COLLATERAL_QE_IDENTITY, buf_slice(&from->qe_identity));
    put(c, COLLATERAL_QE_IDENTITY_SIGNATURE, slice_str(from->qe_identity_signature));
}

/* A verifier that has the collateral in its memory: imported, then judged once. */
static void open_verifier(struct subject *s, const char *dir)
{
    char root[256];
    struct error err;
    struct verdict v;
    struct buf pem = BUF_INIT(1 << 16);
    snprintf(root, sizeof root, "%s/root.pem", dir);
    if (!sim_world_root_pem(&s->world, &pem, &err) ||
        !dcap_root_open_pem(buf_slice(&pem), &s->root, &err) ||
        !file_write_atomic(root, buf_slice(&pem), 0600, &err))
        die(&err);
    buf_free(&pem);
    struct dcap_verifier_options options = {.offline = true, .root_pem_path = root};
    if (!dcap_verifier_open(&options, &s->verifier, &err) ||
        !dcap_verifier_import(s->verifier, buf_slice(&s->quote), &s->collateral, NOW, &err) ||
        !dcap_verifier_check(s->verifier, buf_slice(&s->quote), NOW, &v, &err))
        die(&err);
}

static void open_subject(struct subject *s, const char *dir)
{
    struct error err;
    static const uint8_t one[64] = {1}, two[64] = {2};
    s->quote = s->other_quote = BUF_INIT(1 << 16);
    if (!sim_world_create(&s->world, &(struct sim_world_options){.now_s = NOW}, &err) ||
        !sim_collateral_make(&s->world.pki, &s->world.collateral, &s->made, &err) ||
        !sim_world_quote(&s->world, one, &s->quote, &err) ||
        !sim_world_quote(&s->world, two, &s->other_quote, &err))
        die(&err);
    open_collateral(s);
    open_verifier(s, dir);
    open_raw(s);
}

static void do_raw(struct subject *s)
{
    if (EVP_PKEY_verify(s->raw, s->raw_signature, s->raw_signature_len, s->raw_digest, 32) != 1)
        exit(1);
}

static void do_cold(struct subject *s)
{
    struct verdict v;
    struct error err;
    if (!dcap_verify(buf_slice(&s->quote), &s->collateral, &s->root, NULL, NOW, &v, &err))
        die(&err);
}

static void do_warm(struct subject *s)
{
    struct verdict v;
    struct error err;
    if (!dcap_verifier_check(s->verifier, buf_slice(&s->other_quote), NOW, &v, &err))
        die(&err);
}

static void do_parse(struct subject *s)
{
    struct quote q;
    if (!quote_parse(buf_slice(&s->quote), &q, NULL))
        exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double time_batch(void (*what)(struct subject *), struct subject *s, unsigned calls)
{
    double start = cpu_seconds();
    for (unsigned i = 0; i < calls; i++)
        what(s);
    return cpu_seconds() - start;
}

/* Seconds of processor time for one call, beside *raw for one raw verification: in turns of about
 * a millisecond each, so that whatever else the machine does disturbs both alike. */
static double time_of(void (*what)(struct subject *), struct subject *s, double *raw)
{
    enum { TURNS = 40, RAW_CALLS = 12 };
    double once = time_batch(what, s, 4) / 4, sum = 0, raw_sum = 0;
    unsigned calls = once > 1e-3 ? 1 : (unsigned)(1e-3 / once) + 1;
    for (int turn = 0; turn < TURNS; turn++) {
        raw_sum += time_batch(do_raw, s, RAW_CALLS);
        sum += time_batch(what, s, calls);
    }
    *raw = raw_sum / TURNS / RAW_CALLS;
    return sum / TURNS / calls;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Two threads on one verifier: how much more they do than one, in wall time. */
struct pair_job {
    struct subject *subject;
    atomic_bool *stop;
    unsigned long count;
};

static void *run_pair_job(void *arg)
{
    struct pair_job *job = arg;
    while (!atomic_load_explicit(job->stop, memory_order_relaxed)) {
        do_warm(job->subject);
        job->count++;
    }
    return NULL;
}

static unsigned long count_warm(struct subject *s, size_t threads)
{
    atomic_bool stop = false;
    pthread_t thread[2];
    struct pair_job job[2];
    unsigned long sum = 0;
    for (size_t i = 0; i < threads; i++) {
        job[i] = (struct pair_job){s, &stop, 0};
        if (pthread_create(&thread[i], NULL, run_pair_job, &job[i]) != 0)
            exit(1);
    }
    struct timespec nap = {0, 4 * SLICE_MS * 1000000L};
    nanosleep(&nap, NULL);
    atomic_store(&stop, true);
    for (size_t i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        sum += job[i].count;
    }
    return sum;
}

struct figure {
    const char *name;
    void (*what)(struct subject *);
    double ratio[ROUNDS];
    double seconds[ROUNDS];
    unsigned long ours, openssl; /* allocations of one call */
};

static void count_allocations(struct figure *f, struct subject *s)
{
    f->what(s);
    unsigned long all = atomic_load(&all_allocations), ssl = atomic_load(&openssl_allocations);
    f->what(s);
    f->openssl = atomic_load(&openssl_allocations) - ssl;
    f->ours = atomic_load(&all_allocations) - all - f->openssl;
}

static void report(struct figure *f)
{
    qsort(f->ratio, ROUNDS, sizeof f->ratio[0], compare);
    qsort(f->seconds, ROUNDS, sizeof f->seconds[0], compare);
    printf("%-6s %8.2f us  %6.2f raw verifications (%.2f .. %.2f)  allocations: %lu ours, %lu "
           "OpenSSL's\n",
           f->name, f->seconds[ROUNDS / 2] * 1e6, f->ratio[ROUNDS / 2], f->ratio[0],
           f->ratio[ROUNDS - 1], f->ours, f->openssl);
}

/* `dcap_bench cold` does nothing else for a while: for a profiler. */
static int run_alone(struct figure *figures, size_t count, const char *name, struct subject *s)
{
    for (size_t f = 0; f < count; f++)
        if (strcmp(figures[f].name, name) == 0)
            for (int r = 0; r < 10 * ROUNDS; r++)
                time_batch(figures[f].what, s, 100);
    return 0;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/dcap-bench-XXXXXX";
    static struct subject s;
    static struct figure figures[] = {{.name = "cold", .what = do_cold},
                                      {.name = "warm", .what = do_warm},
                                      {.name = "parse", .what = do_parse}};
    enum { FIGURES = sizeof figures / sizeof figures[0] };
    double raw[ROUNDS], pair[ROUNDS];
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        mkdtemp(dir) == NULL)
        return 1;
    open_subject(&s, dir);
    if (argc > 1)
        return run_alone(figures, FIGURES, argv[1], &s);
    for (int f = 0; f < FIGURES; f++)
        count_allocations(&figures[f], &s);
    for (int r = 0; r < ROUNDS; r++) {
        for (int f = 0; f < FIGURES; f++) {
            figures[f].seconds[r] = time_of(figures[f].what, &s, &raw[r]);
            figures[f].ratio[r] = figures[f].seconds[r] / raw[r];
        }
        unsigned long one = count_warm(&s, 1);
        pair[r] = (double)count_warm(&s, 2) / (double)one;
    }
    qsort(raw, ROUNDS, sizeof raw[0], compare);
    qsort(pair, ROUNDS, sizeof pair[0], compare);
    printf("raw    %8.2f us  one P-256 verification\n", raw[ROUNDS / 2] * 1e6);
    for (int f = 0; f < FIGURES; f++)
        report(&figures[f]);
    printf("two threads do %.2f times what one does (%.2f .. %.2f)\n", pair[ROUNDS / 2], pair[0],
           pair[ROUNDS - 1]);
    printf("{\"schema\":\"mero.bench.dcap/1\",\"raw_us\":%.2f", raw[ROUNDS / 2] * 1e6);
    for (int f = 0; f < FIGURES; f++)
        printf(",\"%s\":{\"ratio\":%.3f,\"min\":%.3f,\"max\":%.3f,\"us\":%.2f,\"allocations\":%lu,"
               "\"openssl_allocations\":%lu}",
               figures[f].name, figures[f].ratio[ROUNDS / 2], figures[f].ratio[0],
               figures[f].ratio[ROUNDS - 1], figures[f].seconds[ROUNDS / 2] * 1e6, figures[f].ours,
               figures[f].openssl);
    printf(",\"two_threads\":%.3f}\n", pair[ROUNDS / 2]);
    return file_remove_tree(dir, NULL) ? 0 : 1;
}
