/* What encryption costs the store, as ratios within one run on one core: the same work with plain
 * LMDB, and with the bare cipher and hashes from the same libcrypto. What is compared is done in
 * turns, a little of each at a time, so that whatever else the machine does hits both alike.
 *
 *   store_bench [--rows N] [--mib N] [--only blobs|rows|scans|commits] [--json]
 *               MEMORY_DIR DISK_DIR
 *
 * MEMORY_DIR should be on tmpfs (what the processor costs), DISK_DIR on the disk (durable commits).
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
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

/* ---- in turns ---- */

struct meter {
    double spent, started;
    bool wall;
};

static void begin(struct meter *m)
{
    m->started = m->wall ? wall_us() : now_us();
}

static void end(struct meter *m)
{
    m->spent += (m->wall ? wall_us() : now_us()) - m->started;
}

/* ---- bare primitives ---- */

/* The cipher on pieces of a buffer, as often as asked for. */
struct bare {
    struct aead *aead;
    uint8_t *plain, *sealed; /* MIB each */
    size_t piece;
    uint8_t tag[AEAD_TAG_LEN];
};

static void bare_open(struct bare *b, size_t piece)
{
    const uint8_t nonce[AEAD_NONCE_LEN] = {0}, head[64] = {0};
    *b = (struct bare){.plain = malloc(MIB), .sealed = malloc(MIB), .piece = piece};
    if (b->plain == NULL || b->sealed == NULL || !aead_open_key(&b->aead, key_bytes, NULL))
        die("memory", NULL);
    fill_noise(b->plain, MIB, 1);
    if (!aead_seal_detached(b->aead, nonce, slice_of(head, 40), slice_of(b->plain, piece),
                            b->sealed, b->tag, NULL))
        die("seal", NULL);
}

static void bare_close(struct bare *b)
{
    aead_free(&b->aead);
    free(b->plain);
    free(b->sealed);
}

/* The same piece again and again: what the cipher can do at its best. */
static void bare_unseal(struct bare *b, size_t times)
{
    const uint8_t nonce[AEAD_NONCE_LEN] = {0}, head[64] = {0};
    for (size_t i = 0; i < times; i++)
        if (!aead_unseal_detached(b->aead, nonce, slice_of(head, 40), slice_of(b->sealed, b->piece),
                                  b->tag, b->plain, NULL))
            die("unseal", NULL);
}

static void bare_seal(struct bare *b, const uint8_t *data, size_t times)
{
    const uint8_t nonce[AEAD_NONCE_LEN] = {0}, head[64] = {0};
    for (size_t i = 0; i < times; i++)
        if (!aead_seal_detached(b->aead, nonce, slice_of(head, 40),
                                slice_of(&data[i * b->piece], b->piece), &b->sealed[i * b->piece],
                                b->tag, NULL))
            die("seal", NULL);
}

static void bench_bare(void)
{
    static const size_t pieces[] = {256, 1024, 65536, MIB};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct bare b;
        struct meter m = {0};
        char text[64];
        size_t times = ((size_t)256 << 20) / (pieces[i] < 4096 ? 16 * pieces[i] : pieces[i]);
        bare_open(&b, pieces[i]);
        begin(&m);
        bare_unseal(&b, times);
        end(&m);
        snprintf(text, sizeof text, "AES-256-GCM open, %zu bytes", pieces[i]);
        report(text, (double)times * (double)pieces[i] / m.spent / 1000, "GB/s", 0, true);
        bare_close(&b);
    }
}

/* ---- blobs ---- */

/* One copy into the page cache: a write to a fresh file, as the store must make one. */
static void write_fresh(const char *dir, size_t number, const uint8_t *data)
{
    char name[32], path[PATH_TEXT_MAX];
    snprintf(name, sizeof name, "fresh-%zu", number);
    join(dir, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, MIB) != MIB)
        die("write", NULL);
    close(fd);
}

static void remove_fresh(const char *dir, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "fresh-%zu", i);
        remove_dir(dir, name);
    }
}

/* Uploads; after each MiB the bare work of one: cipher, two SHA-256 passes, one copy. */
static struct blob_info write_blob(struct store *s, const char *dir, size_t mib, size_t piece,
                                   struct meter *store, struct meter *allowed, struct meter *copy)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    struct error err;
    struct bare b;
    uint8_t *chunk = malloc(MIB), digest[32];
    bare_open(&b, piece);
    if (chunk == NULL || !blob_writer_open(s, &w, &err))
        die("upload", &err);
    fill_noise(chunk, MIB, 1);
    for (size_t i = 0; i < mib; i++) {
        memcpy(chunk, &i, sizeof i); /* no two chunks are equal */
        begin(store);
        if (!blob_writer_append(w, slice_of(chunk, MIB), &err))
            die("upload", &err);
        end(store);
        begin(copy);
        write_fresh(dir, i, chunk);
        end(copy);
        begin(allowed);
        sha256(slice_of(chunk, MIB), digest);
        sha256(slice_of(chunk, MIB), digest);
        bare_seal(&b, chunk, MIB / piece);
        end(allowed);
    }
    begin(store);
    if (!blob_writer_finish(&w, NULL, &info, &err))
        die("upload", &err);
    end(store);
    bare_close(&b);
    free(chunk);
    return info;
}

static void read_blob(struct store *s, const struct blob_id *id, size_t step, struct meter *store,
                      struct bare *b, struct meter *bare)
{
    struct blob_reader *r = NULL;
    struct blob_info info;
    struct error err;
    uint8_t *out = malloc(step);
    if (out == NULL || !blob_reader_open(s, id, &r, &info, &err))
        die("download", &err);
    for (uint64_t at = 0; at < info.size;) {
        begin(store);
        for (size_t part = 0; part < MIB; part += step) {
            size_t got;
            if (!blob_reader_read(r, at, out, step, &got, &err))
                die("download", &err);
            at += got;
        }
        end(store);
        if (b == NULL)
            continue;
        begin(bare);
        bare_unseal(b, MIB / b->piece);
        end(bare);
    }
    blob_reader_close(&r);
    free(out);
}

struct reading_job {
    struct store *s;
    struct blob_id id;
    struct meter meter;
};

static void *read_in_thread(void *arg)
{
    struct reading_job *job = arg;
    read_blob(job->s, &job->id, 65536, &job->meter, NULL, NULL);
    return NULL;
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

/* Needs an idle machine with two real cores to mean anything. */
static void bench_two_threads(struct store *s, const struct blob_id *id)
{
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    struct reading_job one = {.s = s, .id = *id, .meter.wall = true}, two = one, three = one;
    struct meter both = {.wall = true};
    pthread_t thread;
    read_in_thread(&one);
    pin(2);
    begin(&both);
    if (pthread_create(&thread, NULL, read_in_thread, &two) != 0)
        die("thread", NULL);
    read_in_thread(&three);
    pthread_join(thread, NULL);
    end(&both);
    pin(1);
    report("blob read, two threads on two processors / one", 2 * one.meter.spent / both.spent, "x",
           0, false);
}

static void bench_blobs(const char *dir, size_t mib)
{
    static const uint8_t logs[] = {16, 20};
    for (size_t i = 0; i < 2; i++) {
        size_t piece = (size_t)1 << logs[i];
        struct meter store = {0}, allowed = {0}, copy = {0}, reading = {0}, bare = {0};
        struct store *s = open_store(dir, "blobs", bench_key(), logs[i]);
        struct blob_info info = write_blob(s, dir, mib, piece, &store, &allowed, &copy);
        remove_fresh(dir, mib);
        double bytes = (double)mib * MIB;
        bool small = logs[i] == 16;
        report(small ? "blob write, 64 KiB segments" : "blob write, 1 MiB segments",
               bytes / store.spent / 1000, "GB/s", 0, true);
        report("  of what cipher, two SHA-256 and one file write allow",
               (allowed.spent + copy.spent) / store.spent, "x", 0.85, false);
        report("  of what cipher and two SHA-256 alone allow", allowed.spent / store.spent, "x", 0,
               false);
        struct bare b;
        bare_open(&b, piece);
        struct meter warm = {0};
        read_blob(s, &info.id, piece, &warm, NULL, NULL);
        read_blob(s, &info.id, piece, &reading, &b, &bare);
        bare_close(&b);
        report(small ? "blob read, 64 KiB segments" : "blob read, 1 MiB segments",
               bytes / reading.spent / 1000, "GB/s", 0, true);
        report("  of the bare cipher", bare.spent / reading.spent, "x", small ? 0.55 : 0.7, false);
        if (small)
            bench_two_threads(s, &info.id);
        store_close(&s);
        remove_dir(dir, "blobs");
    }
}

/* ---- datastore beside plain LMDB ---- */

struct pair {
    MDB_env *env;
    MDB_dbi dbi;
    struct store *s;
    size_t rows, len;
    uint8_t value[4096];
};

static void need(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "store_bench: lmdb: %s\n", mdb_strerror(rc));
        exit(1);
    }
}

static void pair_open(struct pair *p, const char *dir, size_t rows, size_t len)
{
    MDB_txn *txn;
    char path[PATH_TEXT_MAX];
    *p = (struct pair){.rows = rows, .len = len};
    fill_noise(p->value, sizeof p->value, len);
    join(dir, "plain", path);
    if (!file_make_dirs(path, 0700, NULL))
        die("mkdir", NULL);
    need(mdb_env_create(&p->env));
    need(mdb_env_set_mapsize(p->env, (size_t)1 << 38));
    need(mdb_env_open(p->env, path, MDB_NORDAHEAD, 0600));
    need(mdb_txn_begin(p->env, NULL, 0, &txn));
    need(mdb_dbi_open(txn, NULL, 0, &p->dbi));
    need(mdb_txn_commit(txn));
    p->s = open_store(dir, "rows", bench_key(), 0);
}

static void pair_close(struct pair *p, const char *dir)
{
    mdb_env_close(p->env);
    store_close(&p->s);
    remove_dir(dir, "plain");
    remove_dir(dir, "rows");
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

static void plain_batch(struct pair *p, size_t first, size_t count)
{
    MDB_txn *txn;
    need(mdb_txn_begin(p->env, NULL, 0, &txn));
    for (size_t i = first; i < first + count; i++) {
        uint8_t key[17];
        random_key(i, key);
        MDB_val k = {sizeof key, key}, v = {p->len, p->value};
        need(mdb_put(txn, p->dbi, &k, &v, 0));
    }
    need(mdb_txn_commit(txn));
}

static void store_batch(struct pair *p, size_t first, size_t count)
{
    struct store_batch *b = NULL;
    struct error err;
    if (!store_batch_begin(p->s, &b, &err))
        die("batch", &err);
    for (size_t i = first; i < first + count; i++) {
        uint8_t key[17];
        random_key(i, key);
        if (!store_batch_put(b, "Generic", slice_of(key, sizeof key), slice_of(p->value, p->len),
                             &err))
            die("put", &err);
    }
    if (!store_batch_commit(&b, &err))
        die("commit", &err);
}

static void bench_load(struct pair *p)
{
    struct meter plain = {0}, store = {0};
    char text[80];
    for (size_t i = 0; i < p->rows; i += BATCH) {
        size_t count = p->rows - i < BATCH ? p->rows - i : BATCH;
        begin(&plain);
        plain_batch(p, i, count);
        end(&plain);
        begin(&store);
        store_batch(p, i, count);
        end(&store);
    }
    snprintf(text, sizeof text, "bulk load of %zu rows of %zu B, plain LMDB", p->rows, p->len);
    report(text, plain.spent / (double)p->rows, "us", 0, true);
    report("  store", store.spent / (double)p->rows, "us", 0, true);
    report("  store / plain", store.spent / plain.spent, "x", 1.35, true);
}

static void plain_points(struct pair *p, size_t first, size_t count)
{
    static uint8_t sink[4096];
    for (size_t i = first; i < first + count; i++) {
        MDB_txn *txn;
        uint8_t key[17];
        random_key(i * 7919 % p->rows, key);
        MDB_val k = {sizeof key, key}, v;
        need(mdb_txn_begin(p->env, NULL, MDB_RDONLY, &txn));
        need(mdb_get(txn, p->dbi, &k, &v));
        memcpy(sink, v.mv_data, v.mv_size);
        mdb_txn_abort(txn);
    }
}

static void store_points(struct pair *p, struct buf *value, size_t first, size_t count)
{
    struct error err;
    for (size_t i = first; i < first + count; i++) {
        uint8_t key[17];
        bool found;
        random_key(i * 7919 % p->rows, key);
        buf_reset(value);
        if (!store_get(p->s, "Generic", slice_of(key, sizeof key), value, &found, &err) || !found)
            die("get", &err);
    }
}

/* SipHash-2-4-128 is what the store names rows with. */
static void hash_names(size_t count)
{
    uint8_t in[18] = {0}, out[crypto_shorthash_siphashx24_BYTES];
    const uint8_t key[crypto_shorthash_siphashx24_KEYBYTES] = {1};
    for (size_t i = 0; i < count; i++) {
        memcpy(in, &i, sizeof i);
        crypto_shorthash_siphashx24(out, in, sizeof in, key);
    }
}

static void bench_points(struct pair *p)
{
    struct meter plain = {0}, store = {0}, bare = {0};
    struct buf value = BUF_INIT(4096);
    struct bare b;
    bare_open(&b, p->len);
    plain_points(p, 0, p->rows); /* maps the pages */
    store_points(p, &value, 0, p->rows);
    for (size_t i = 0; i < POINT_READS; i += 1000) {
        begin(&plain);
        plain_points(p, i, 1000);
        end(&plain);
        begin(&bare);
        bare_unseal(&b, 1000);
        hash_names(1000);
        end(&bare);
        begin(&store);
        store_points(p, &value, i, 1000);
        end(&store);
    }
    bare_close(&b);
    buf_free(&value);
    report("point read of 256 B, plain LMDB", plain.spent / POINT_READS, "us", 0, true);
    report("  one GCM open and one keyed hash", bare.spent / POINT_READS, "us", 0, true);
    report("  store", store.spent / POINT_READS, "us", 0, true);
    report("  store / (plain + GCM + hash)", store.spent / (plain.spent + bare.spent), "x", 1.3,
           true);
}

static bool plain_steps(MDB_cursor *c, size_t count)
{
    static uint8_t sink[4096];
    MDB_val k, v;
    for (size_t i = 0; i < count; i++) {
        if (mdb_cursor_get(c, &k, &v, MDB_NEXT) != 0)
            return false;
        memcpy(sink, v.mv_data, v.mv_size);
    }
    return true;
}

static void store_steps(struct store_cursor *c, size_t count, size_t *rows)
{
    struct error err;
    bool found = true;
    for (size_t i = 0; found && i < count; i++) {
        struct slice k, v;
        if (!store_cursor_next(c, &k, &v, &found, &err))
            die("scan", &err);
        *rows += found;
    }
}

static void scan_once(struct pair *p, struct meter *plain, struct meter *bare, struct meter *store)
{
    struct store_snapshot *snapshot = NULL;
    struct store_cursor *c = NULL;
    MDB_txn *txn;
    MDB_cursor *plain_cursor;
    struct bare b;
    size_t rows = 0;
    bare_open(&b, p->len);
    need(mdb_txn_begin(p->env, NULL, MDB_RDONLY, &txn));
    need(mdb_cursor_open(txn, p->dbi, &plain_cursor));
    if (!store_snapshot_open(p->s, &snapshot, NULL) ||
        !store_cursor_open(snapshot, "Generic", slice_str(""), &c, NULL))
        die("scan", NULL);
    for (bool more = true; more;) {
        begin(plain);
        more = plain_steps(plain_cursor, 1000);
        end(plain);
        begin(bare);
        bare_unseal(&b, 1000);
        end(bare);
        begin(store);
        store_steps(c, 1000, &rows);
        end(store);
    }
    if (rows != p->rows)
        die("a scan lost rows", NULL);
    mdb_cursor_close(plain_cursor);
    mdb_txn_abort(txn);
    store_cursor_close(&c);
    store_snapshot_close(&snapshot);
    bare_close(&b);
}

static double file_size(const char *dir, const char *name)
{
    char path[PATH_TEXT_MAX];
    struct stat st;
    join(dir, name, path);
    return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static void bench_scan(const char *dir, size_t rows, size_t len)
{
    struct meter warm = {0}, plain = {0}, bare = {0}, store = {0};
    struct pair p;
    char text[80];
    pair_open(&p, dir, rows - rows % 1000, len);
    bench_load(&p);
    scan_once(&p, &warm, &warm, &warm);
    scan_once(&p, &plain, &bare, &store);
    snprintf(text, sizeof text, "scan of %zu B rows, store / (plain + GCM)", len);
    report(text, store.spent / (plain.spent + bare.spent), "x", len == 1024 ? 1.2 : 0, true);
    snprintf(text, sizeof text, "space with %zu B values, store / plain", len);
    report(text, file_size(dir, "rows/data/data.mdb") / file_size(dir, "plain/data.mdb"), "x",
           len == 4096 ? 1.01 : 0, true);
    pair_close(&p, dir);
}

static void bench_rows(const char *dir, size_t rows)
{
    struct pair p;
    struct meter opening = {.wall = true}, checking = {.wall = true};
    pair_open(&p, dir, rows, 256);
    bench_load(&p);
    bench_points(&p);
    store_close(&p.s);
    begin(&opening);
    p.s = open_store(dir, "rows", bench_key(), 0);
    end(&opening);
    report("open", opening.spent / 1000, "ms", 50, true);
    begin(&checking);
    if (!store_put(p.s, "Generic", slice_str("first"), slice_str("write"), NULL))
        die("put", NULL);
    end(&checking);
    report("first write after opening (checks the whole file)", checking.spent / 1000, "ms", 0,
           true);
    pair_close(&p, dir);
}

/* ---- durable commits ---- */

static void bench_commits(const char *dir)
{
    struct meter plain = {.wall = true}, store = {.wall = true};
    struct pair p;
    pair_open(&p, dir, 20000, 256);
    plain_batch(&p, 0, p.rows);
    store_batch(&p, 0, p.rows);
    for (size_t i = 0; i < COMMITS; i++) {
        begin(&plain);
        plain_batch(&p, i * 31 % p.rows, 1);
        end(&plain);
        begin(&store);
        store_batch(&p, i * 31 % p.rows, 1);
        end(&store);
    }
    report("durable commit of 256 B, plain LMDB", plain.spent / COMMITS, "us", 0, true);
    report("  store", store.spent / COMMITS, "us", 0, true);
    report("  store / plain", store.spent / plain.spent, "x", 1.1, true);
    pair_close(&p, dir);
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
    if (argc - at != 2 || rows < 8000 || mib < 1) {
        fprintf(stderr, "usage: store_bench [--rows N] [--mib N] [--json] MEMORY_DIR DISK_DIR\n");
        return 2;
    }
    if (!secret_process_init(NULL))
        return 1;
    pin(1);
    if (as_json)
        printf("[");
    bench_bare();
    if (wanted(only, "blobs"))
        bench_blobs(argv[at], mib);
    if (wanted(only, "rows"))
        bench_rows(argv[at], rows);
    if (wanted(only, "scans")) {
        bench_scan(argv[at], rows / 4, 1024);
        bench_scan(argv[at], rows / 8, 4096);
    }
    if (wanted(only, "commits"))
        bench_commits(argv[at + 1]);
    if (as_json)
        printf("\n]\n");
    return 0;
}
