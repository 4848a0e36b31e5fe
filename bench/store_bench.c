/* What encryption costs the store, as ratios within one run on one core: the same work with plain
 * LMDB, and with the bare cipher and hashes from the same libcrypto.
 *
 *   store_bench [--rows N] [--mib N] [--only blobs|rows|scans|commits] [--json]
 *               MEMORY_DIR DISK_DIR
 *
 * MEMORY_DIR should be on tmpfs (what the processor costs), DISK_DIR on the disk (durable commits).
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/aead.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/secret.h"
#include "store/store.h"

enum { MIB = 1 << 20, BATCH = 5000, POINT_READS = 300000, COMMITS = 300 };

static const uint8_t key_bytes[32] = {1, 2, 3};
static bool as_json;
static bool first_line = true;

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "store_bench: %s: %s\n", what, err != NULL ? err->message : "failed");
    exit(1);
}

/* Time of the processor, not of the wall: what else runs on the machine counts little. */
static double now_us(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        die("clock", NULL);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Where the disk is part of the matter, or two threads are. */
static double wall_us(void)
{
    return (double)clock_monotonic_us();
}

/* One line of the table. limit 0: no target; otherwise the ratio must be on its right side. */
static void report(const char *name, double value, const char *unit, double limit, bool at_most)
{
    const char *verdict = limit == 0                                    ? ""
                          : (at_most ? value <= limit : value >= limit) ? "ok"
                                                                        : "MISSED";
    if (as_json)
        printf("%s\n  {\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"target\": %.4g, "
               "\"verdict\": \"%s\"}",
               first_line ? "" : ",", name, value, unit, limit, verdict);
    else if (limit == 0)
        printf("  %-58s %10.3f %-6s\n", name, value, unit);
    else
        printf("  %-58s %10.3f %-6s target %s %.2f  %s\n", name, value, unit,
               at_most ? "<=" : ">=", limit, verdict);
    first_line = false;
    fflush(stdout);
}

static void fill_noise(uint8_t *out, size_t len, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out[i] = (uint8_t)(x >> 24);
    }
}

static void join(const char *dir, const char *name, char out[PATH_TEXT_MAX])
{
    if (!path_join(dir, name, out, NULL))
        die("path", NULL);
}

static struct store *open_store(const char *dir, const char *name, struct slice key,
                                uint8_t segment_log2)
{
    char data[PATH_TEXT_MAX], blobs[PATH_TEXT_MAX], base[PATH_TEXT_MAX];
    struct error err;
    struct store *s = NULL;
    join(dir, name, base);
    join(base, "data", data);
    join(base, "blobs", blobs);
    struct store_options o = {.data_dir = data,
                              .blob_dir = blobs,
                              .key = key,
                              .create = true,
                              .segment_log2 = segment_log2};
    if (!store_open(&o, &s, &err))
        die("open", &err);
    return s;
}

static struct slice bench_key(void)
{
    return slice_of(key_bytes, sizeof key_bytes);
}

static void remove_dir(const char *dir, const char *name)
{
    char path[PATH_TEXT_MAX];
    join(dir, name, path);
    if (!file_remove_tree(path, NULL))
        die("remove", NULL);
}

/* ---- bare primitives ---- */

struct bare {
    double gcm_seal_64k, gcm_open_64k, gcm_open_1m, sha256, copy; /* microseconds per MiB */
    double gcm_open_256, gcm_open_1k, name_hash;                  /* microseconds each */
};

static double gcm_us(struct aead *a, uint8_t *data, size_t len, size_t aad, int rounds, bool open)
{
    uint8_t nonce[AEAD_NONCE_LEN] = {0}, tag[AEAD_TAG_LEN], head[64] = {0};
    struct error err;
    uint8_t *out = malloc(len);
    if (out == NULL ||
        !aead_seal_detached(a, nonce, slice_of(head, aad), slice_of(data, len), data, tag, &err))
        die("seal", &err);
    double start = now_us();
    for (int i = 0; i < rounds; i++) {
        bool ok = open ? aead_unseal_detached(a, nonce, slice_of(head, aad), slice_of(data, len),
                                              tag, out, &err)
                       : aead_seal_detached(a, nonce, slice_of(head, aad), slice_of(data, len), out,
                                            tag, &err);
        if (!ok)
            die("aead", &err);
    }
    double took = (now_us() - start) / rounds;
    free(out);
    return took;
}

static struct bare measure_bare(void)
{
    struct bare b = {0};
    struct aead *a = NULL;
    struct error err;
    uint8_t *data = malloc(MIB), *copy = malloc(MIB), digest[32];
    if (data == NULL || copy == NULL || !aead_open_key(&a, key_bytes, &err))
        die("memory", NULL);
    fill_noise(data, MIB, 1);
    b.gcm_seal_64k = gcm_us(a, data, 65536, 64, 4000, false) * 16;
    b.gcm_open_64k = gcm_us(a, data, 65536, 64, 4000, true) * 16;
    b.gcm_open_1m = gcm_us(a, data, MIB, 64, 300, true);
    b.gcm_open_256 = gcm_us(a, data, 256, 39, 300000, true);
    b.gcm_open_1k = gcm_us(a, data, 1024, 39, 200000, true);
    double start = now_us();
    for (int i = 0; i < 100; i++)
        sha256(slice_of(data, MIB), digest);
    b.sha256 = (now_us() - start) / 100;
    start = now_us();
    for (int i = 0; i < 300; i++) {
        memcpy(copy, data, MIB);
        data[i] = copy[MIB - 1 - i];
    }
    b.copy = (now_us() - start) / 300;
    free(data);
    free(copy);
    aead_free(&a);
    report("AES-256-GCM open, 64 KiB", MIB / b.gcm_open_64k / 1000, "GB/s", 0, true);
    report("AES-256-GCM open, 1 MiB", MIB / b.gcm_open_1m / 1000, "GB/s", 0, true);
    report("SHA-256", MIB / b.sha256 / 1000, "GB/s", 0, true);
    report("copy", MIB / b.copy / 1000, "GB/s", 0, true);
    return b;
}

/* ---- blobs ---- */

static struct blob_info write_blob(struct store *s, size_t mib, uint64_t seed, double *us)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    struct error err;
    uint8_t *chunk = malloc(MIB);
    if (chunk == NULL)
        die("memory", NULL);
    fill_noise(chunk, MIB, seed);
    double start = now_us();
    if (!blob_writer_open(s, &w, &err))
        die("upload", &err);
    for (size_t i = 0; i < mib; i++) {
        memcpy(chunk, &i, sizeof i); /* no two chunks are equal */
        if (!blob_writer_append(w, slice_of(chunk, MIB), &err))
            die("upload", &err);
    }
    if (!blob_writer_finish(&w, NULL, &info, &err))
        die("upload", &err);
    *us = now_us() - start;
    free(chunk);
    return info;
}

struct reading_job {
    struct store *s;
    struct blob_id id;
    size_t step;
    double us;
};

static void *read_blob(void *arg)
{
    struct reading_job *job = arg;
    struct blob_reader *r = NULL;
    struct blob_info info;
    struct error err;
    uint8_t *out = malloc(job->step);
    double start = now_us();
    if (out == NULL || !blob_reader_open(job->s, &job->id, &r, &info, &err))
        die("download", &err);
    for (uint64_t at = 0; at < info.size;) {
        size_t got;
        if (!blob_reader_read(r, at, out, job->step, &got, &err))
            die("download", &err);
        at += got;
    }
    job->us = now_us() - start;
    blob_reader_close(&r);
    free(out);
    return NULL;
}

static uint64_t tree_bytes(const char *dir, const char *name)
{
    char command_free[PATH_TEXT_MAX];
    uint64_t total = 0;
    join(dir, name, command_free);
    struct stat st;
    if (stat(command_free, &st) == 0)
        total = (uint64_t)st.st_size;
    return total;
}

static void pin(int cpus)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < cpus; i++)
        CPU_SET((size_t)i, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fprintf(stderr, "store_bench: cannot keep to %d processors\n", cpus);
}

static double best_read(struct reading_job *job)
{
    double best = 0;
    for (int i = 0; i < 3; i++) {
        read_blob(job);
        best = best == 0 || job->us < best ? job->us : best;
    }
    return best;
}

static void bench_two_threads(struct reading_job *job, size_t mib, double one_us)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    struct reading_job other = *job;
    pthread_t thread;
    pin(2);
    double start = wall_us();
    if (pthread_create(&thread, NULL, read_blob, &other) != 0)
        die("thread", NULL);
    read_blob(job);
    pthread_join(thread, NULL);
    double both = wall_us() - start;
    pin(1);
    report("blob read, two threads on two cores / one", 2 * one_us / both, "x", 1.7, false);
    (void)mib;
}

static void bench_blobs(const char *dir, const struct bare *b, size_t mib)
{
    static const uint8_t logs[] = {16, 20};
    for (size_t i = 0; i < 2; i++) {
        bool small = logs[i] == 16;
        struct store *s = open_store(dir, "blobs", bench_key(), logs[i]);
        double us, allowed = (b->gcm_seal_64k + 2 * b->sha256 + b->copy) * (double)mib;
        struct blob_info info = write_blob(s, mib, 1, &us);
        report(small ? "blob write, 64 KiB segments: GB/s" : "blob write, 1 MiB segments: GB/s",
               (double)mib * MIB / us / 1000, "GB/s", 0, true);
        report("  of what cipher, two SHA-256 and one copy allow", allowed / us, "x", 0.85, false);
        struct reading_job job = {s, info.id, small ? 65536 : MIB, 0};
        double read_us = best_read(&job);
        double raw = (small ? b->gcm_open_64k : b->gcm_open_1m) * (double)mib;
        report(small ? "blob read, 64 KiB segments: GB/s" : "blob read, 1 MiB segments: GB/s",
               (double)mib * MIB / read_us / 1000, "GB/s", 0, true);
        report("  of the bare cipher", raw / read_us, "x", small ? 0.55 : 0.7, false);
        if (small)
            bench_two_threads(&job, mib, read_us);
        store_close(&s);
        remove_dir(dir, "blobs");
    }
}

/* ---- datastore beside plain LMDB ---- */

struct plain {
    MDB_env *env;
    MDB_dbi dbi;
};

static void need(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "store_bench: lmdb: %s\n", mdb_strerror(rc));
        exit(1);
    }
}

static struct plain plain_open(const char *dir, const char *name)
{
    struct plain p;
    MDB_txn *txn;
    char path[PATH_TEXT_MAX];
    join(dir, name, path);
    if (!file_make_dirs(path, 0700, NULL))
        die("mkdir", NULL);
    need(mdb_env_create(&p.env));
    need(mdb_env_set_mapsize(p.env, (size_t)1 << 38));
    need(mdb_env_open(p.env, path, MDB_NORDAHEAD, 0600));
    need(mdb_txn_begin(p.env, NULL, 0, &txn));
    need(mdb_dbi_open(txn, NULL, 0, &p.dbi));
    need(mdb_txn_commit(txn));
    return p;
}

/* Keys that fall anywhere in the tree, as hashed ones do. */
static void random_key(uint64_t i, uint8_t out[17])
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL, y;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    y = x * 0xff51afd7ed558ccdULL;
    out[0] = 0x19;
    memcpy(&out[1], &x, 8);
    memcpy(&out[9], &y, 8);
}

static double plain_load(struct plain *p, size_t rows, size_t len, const uint8_t *value)
{
    double start = now_us();
    for (size_t i = 0; i < rows;) {
        MDB_txn *txn;
        need(mdb_txn_begin(p->env, NULL, 0, &txn));
        for (size_t j = 0; j < BATCH && i < rows; i++, j++) {
            uint8_t key[17];
            random_key(i, key);
            MDB_val k = {sizeof key, key}, v = {len, (void *)(uintptr_t)value};
            need(mdb_put(txn, p->dbi, &k, &v, 0));
        }
        need(mdb_txn_commit(txn));
    }
    return now_us() - start;
}

static double store_load(struct store *s, size_t rows, size_t len, const uint8_t *value)
{
    struct error err;
    double start = now_us();
    for (size_t i = 0; i < rows;) {
        struct store_batch *b = NULL;
        if (!store_batch_begin(s, &b, &err))
            die("batch", &err);
        for (size_t j = 0; j < BATCH && i < rows; i++, j++) {
            uint8_t key[17];
            random_key(i, key);
            if (!store_batch_put(b, "Generic", slice_of(key, sizeof key), slice_of(value, len),
                                 &err))
                die("put", &err);
        }
        if (!store_batch_commit(&b, &err))
            die("commit", &err);
    }
    return now_us() - start;
}

static double plain_points(struct plain *p, size_t rows)
{
    static uint8_t sink[4096];
    double start = now_us();
    for (size_t i = 0; i < POINT_READS; i++) {
        MDB_txn *txn;
        uint8_t key[17];
        random_key(i * 7919 % rows, key);
        MDB_val k = {sizeof key, key}, v;
        need(mdb_txn_begin(p->env, NULL, MDB_RDONLY, &txn));
        need(mdb_get(txn, p->dbi, &k, &v));
        memcpy(sink, v.mv_data, v.mv_size);
        mdb_txn_abort(txn);
    }
    return (now_us() - start) / POINT_READS;
}

static double store_points(struct store *s, size_t rows)
{
    struct buf value = BUF_INIT(4096);
    struct error err;
    double start = now_us();
    for (size_t i = 0; i < POINT_READS; i++) {
        uint8_t key[17];
        bool found;
        random_key(i * 7919 % rows, key);
        buf_reset(&value);
        if (!store_get(s, "Generic", slice_of(key, sizeof key), &value, &found, &err) || !found)
            die("get", &err);
    }
    buf_free(&value);
    return (now_us() - start) / POINT_READS;
}

static double plain_scan(struct plain *p, size_t *rows)
{
    static uint8_t sink[4096];
    MDB_txn *txn;
    MDB_cursor *c;
    MDB_val k, v;
    *rows = 0;
    double start = now_us();
    need(mdb_txn_begin(p->env, NULL, MDB_RDONLY, &txn));
    need(mdb_cursor_open(txn, p->dbi, &c));
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        memcpy(sink, v.mv_data, v.mv_size);
        ++*rows;
    }
    mdb_cursor_close(c);
    mdb_txn_abort(txn);
    return now_us() - start;
}

static double store_scan(struct store *s, size_t *rows)
{
    struct store_snapshot *snapshot = NULL;
    struct store_cursor *c = NULL;
    struct error err;
    *rows = 0;
    double start = now_us();
    if (!store_snapshot_open(s, &snapshot, &err) ||
        !store_cursor_open(snapshot, "Generic", slice_str(""), &c, &err))
        die("scan", &err);
    for (bool found = true; found; *rows += found) {
        struct slice k, v;
        if (!store_cursor_next(c, &k, &v, &found, &err))
            die("scan", &err);
    }
    double took = now_us() - start;
    store_cursor_close(&c);
    store_snapshot_close(&snapshot);
    return took;
}

static double name_hash_us(void)
{
    /* SipHash through its user: a key that is absent costs hash and search only. */
    extern int crypto_shorthash_siphashx24(unsigned char *, const unsigned char *,
                                           unsigned long long, const unsigned char *);
    uint8_t in[18] = {0}, out[16], key[16] = {1};
    double start = now_us();
    for (int i = 0; i < 1000000; i++) {
        in[0] = (uint8_t)i;
        crypto_shorthash_siphashx24(out, in, sizeof in, key);
    }
    return (now_us() - start) / 1000000;
}

static void bench_rows(const char *dir, const struct bare *b, size_t rows)
{
    uint8_t value[256];
    fill_noise(value, sizeof value, 3);
    struct plain p = plain_open(dir, "plain");
    struct store *s = open_store(dir, "rows", bench_key(), 0);
    double plain_us = plain_load(&p, rows, sizeof value, value);
    double store_us = store_load(s, rows, sizeof value, value);
    report("bulk load of 256 B rows, plain LMDB", plain_us / (double)rows, "us", 0, true);
    report("bulk load of 256 B rows, store", store_us / (double)rows, "us", 0, true);
    report("  store / plain", store_us / plain_us, "x", 1.35, true);
    double plain_get = plain_points(&p, rows), store_get_us = store_points(s, rows);
    double allowed = plain_get + b->gcm_open_256 + b->name_hash;
    report("point read of 256 B, plain LMDB", plain_get, "us", 0, true);
    report("point read of 256 B, store", store_get_us, "us", 0, true);
    report("  store / (plain + one GCM open + one keyed hash)", store_get_us / allowed, "x", 1.3,
           true);
    mdb_env_close(p.env);
    store_close(&s);
    double start = now_us();
    s = open_store(dir, "rows", bench_key(), 0);
    report("open", (now_us() - start) / 1000, "ms", 50, true);
    start = now_us();
    if (!store_put(s, "Generic", slice_str("first"), slice_str("write"), NULL))
        die("put", NULL);
    report("first write after opening (checks the whole file)", (now_us() - start) / 1000, "ms", 0,
           true);
    store_close(&s);
    remove_dir(dir, "plain");
    remove_dir(dir, "rows");
}

static void bench_scan(const char *dir, const struct bare *b, size_t rows, size_t len)
{
    static uint8_t value[4096];
    fill_noise(value, sizeof value, 4);
    struct plain p = plain_open(dir, "plain");
    struct store *s = open_store(dir, "rows", bench_key(), 0);
    double plain_us = plain_load(&p, rows, len, value), store_us = store_load(s, rows, len, value);
    char text[96];
    snprintf(text, sizeof text, "bulk load of %zu B rows, store / plain", len);
    report(text, store_us / plain_us, "x", 1.35, true);
    size_t n, m;
    plain_scan(&p, &n);
    plain_us = plain_scan(&p, &n);
    store_scan(s, &m);
    store_us = store_scan(s, &m);
    if (n != rows || m != rows)
        die("scan lost rows", NULL);
    if (len == 1024)
        report("scan of 1 KiB rows, store / (plain + GCM)",
               store_us / (plain_us + b->gcm_open_1k * (double)rows), "x", 1.2, true);
    uint64_t plain_size = tree_bytes(dir, "plain/data.mdb");
    uint64_t store_size = tree_bytes(dir, "rows/data/data.mdb");
    snprintf(text, sizeof text, "space with %zu B values, store / plain", len);
    report(text, (double)store_size / (double)plain_size, "x", len == 4096 ? 1.01 : 0, true);
    mdb_env_close(p.env);
    store_close(&s);
    remove_dir(dir, "plain");
    remove_dir(dir, "rows");
}

/* ---- durable commits ---- */

static void bench_commits(const char *dir)
{
    uint8_t value[256];
    struct error err;
    fill_noise(value, sizeof value, 5);
    struct plain p = plain_open(dir, "plain");
    struct store *s = open_store(dir, "rows", bench_key(), 0);
    (void)plain_load(&p, 20000, sizeof value, value);
    (void)store_load(s, 20000, sizeof value, value);
    double plain_us = 0, store_us = 0;
    for (size_t i = 0; i < COMMITS; i++) { /* in turns: the disk's mood is the same for both */
        uint8_t key[17];
        MDB_txn *txn;
        random_key(i * 31 % 20000, key);
        MDB_val k = {sizeof key, key}, v = {sizeof value, value};
        double start = wall_us();
        need(mdb_txn_begin(p.env, NULL, 0, &txn));
        need(mdb_put(txn, p.dbi, &k, &v, 0));
        need(mdb_txn_commit(txn));
        plain_us += wall_us() - start;
        start = wall_us();
        if (!store_put(s, "Generic", slice_of(key, sizeof key), slice_of(value, sizeof value),
                       &err))
            die("put", &err);
        store_us += wall_us() - start;
    }
    report("durable commit, plain LMDB", plain_us / COMMITS, "us", 0, true);
    report("durable commit, store", store_us / COMMITS, "us", 0, true);
    report("  store / plain", store_us / plain_us, "x", 1.1, true);
    mdb_env_close(p.env);
    store_close(&s);
    remove_dir(dir, "plain");
    remove_dir(dir, "rows");
}

static bool wanted(const char *only, const char *part)
{
    return only[0] == 0 || strcmp(only, part) == 0;
}

int main(int argc, char **argv)
{
    size_t rows = 200000, mib = 512;
    const char *only = "";
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        char *end = NULL;
        if (strcmp(argv[at], "--json") == 0)
            as_json = true;
        else if (strcmp(argv[at], "--rows") == 0 && at + 1 < argc)
            rows = (size_t)strtoumax(argv[++at], &end, 10);
        else if (strcmp(argv[at], "--only") == 0 && at + 1 < argc)
            only = argv[++at];
        else if (strcmp(argv[at], "--mib") == 0 && at + 1 < argc)
            mib = (size_t)strtoumax(argv[++at], &end, 10);
    }
    if (argc - at != 2 || rows < 1000 || mib < 1) {
        fprintf(stderr, "usage: store_bench [--rows N] [--mib N] [--json] MEMORY_DIR DISK_DIR\n");
        return 2;
    }
    if (!secret_process_init(NULL))
        return 1;
    pin(1);
    if (as_json)
        printf("[");
    struct bare b = measure_bare();
    b.name_hash = name_hash_us();
    if (wanted(only, "blobs"))
        bench_blobs(argv[at], &b, mib);
    if (wanted(only, "rows"))
        bench_rows(argv[at], &b, rows);
    if (wanted(only, "scans")) {
        bench_scan(argv[at], &b, rows / 4 + 1, 1024);
        bench_scan(argv[at], &b, rows / 8 + 1, 4096);
    }
    if (wanted(only, "commits"))
        bench_commits(argv[at + 1]);
    if (as_json)
        printf("\n]\n");
    return 0;
}
