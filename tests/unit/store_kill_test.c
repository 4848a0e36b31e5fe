/* Killed at any moment: a child writes, a parent kills it with SIGKILL, opens the store and
 * compares it with what the child had been told was stored. Every acknowledged change is there,
 * nothing else is half there, no file is left over.
 *
 * `make test` kills some dozens of times; MERO_SOAK=1 ten thousand times. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/admin.h"
#include "support/scratch_store.h"

enum { SINGLES = 24, BATCH = 8, BLOBS = 6, BLOB_MAX = 2 * 1024 * 1024 + 7777, KEYS = 3 };

/* What the child says, in memory that outlives it. `pending` is set before, `acked` after. */
struct ledger {
    struct {
        uint32_t pending, acked; /* 0: absent */
    } single[SINGLES], batch, blob[BLOBS], key;
    uint32_t next, steps;
};

static bool soak;
static struct ledger *ledger;
static struct scratch_store scratch;
static uint8_t kms_keys[KEYS][32];

static void need(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s: %s", err->code, err->message);
}

static size_t blob_len(uint32_t seed)
{
    return seed % 5 == 0 ? BLOB_MAX - seed % 7777 : seed * 7919U % 100000;
}

static struct slice blob_content(uint32_t seed)
{
    static uint8_t content[BLOB_MAX];
    size_t len = blob_len(seed);
    scratch_noise(seed, content, len);
    return slice_of(content, len);
}

/* ---- the child ---- */

static void die_unless(bool ok, const struct error *err)
{
    if (ok)
        return;
    fprintf(stderr, "child: %s: %s\n", err->code, err->message);
    _exit(3);
}

static void value_text(uint32_t value, char out[32])
{
    snprintf(out, 32, "value-%u", value);
}

static void put_single(struct store *s, unsigned i)
{
    char key[32], value[32];
    struct error err;
    bool found;
    snprintf(key, sizeof key, "single-%u", i);
    bool deleting = ledger->single[i].acked != 0 && ledger->next % 4 == 0;
    uint32_t fresh = deleting ? 0 : ++ledger->next;
    ledger->single[i].pending = fresh;
    value_text(fresh, value);
    die_unless(deleting ? store_delete(s, "State", slice_str(key), &found, &err)
                        : store_put(s, "State", slice_str(key), slice_str(value), &err),
               &err);
    ledger->single[i].acked = fresh;
}

static void put_batch(struct store *s)
{
    struct store_batch *b = NULL;
    struct error err;
    char key[32], value[32];
    ledger->batch.pending = ++ledger->next;
    value_text(ledger->batch.pending, value);
    die_unless(store_batch_begin(s, &b, &err), &err);
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(key, sizeof key, "batch-%u", i);
        die_unless(store_batch_put(b, i % 2 == 0 ? "Delta" : "SortedIndex", slice_str(key),
                                   slice_str(value), &err),
                   &err);
    }
    die_unless(store_batch_commit(&b, &err), &err);
    ledger->batch.acked = ledger->batch.pending;
}

static struct blob_id blob_id_of(uint32_t seed)
{
    return scratch_blob_id(blob_content(seed));
}

static void put_blob(struct store *s, unsigned i)
{
    struct blob_writer *w = NULL;
    struct blob_info info;
    struct error err;
    if (ledger->blob[i].acked != 0) {
        struct blob_id id = blob_id_of(ledger->blob[i].acked);
        ledger->blob[i].pending = 0;
        die_unless(blob_delete(s, &id, &err), &err);
        ledger->blob[i].acked = 0;
        return;
    }
    uint32_t seed = ++ledger->next;
    ledger->blob[i].pending = seed;
    die_unless(blob_writer_open(s, &w, &err) && blob_writer_append(w, blob_content(seed), &err) &&
                   blob_writer_finish(&w, NULL, &info, &err),
               &err);
    ledger->blob[i].acked = seed;
}

static void change_keys(struct store *s)
{
    struct error err;
    struct slice now = slice_of(kms_keys[ledger->key.acked], 32);
    uint32_t next = (ledger->key.acked + 1) % KEYS;
    if (ledger->next++ % 2 == 0) {
        ledger->key.pending = next;
        die_unless(store_rekey(s, now, slice_of(kms_keys[next], 32), &err), &err);
        ledger->key.acked = next;
    } else if (!store_rotate(s, now, &err)) {
        die_unless(error_is(&err, "store/full") && store_reseal(s, now, NULL, &err), &err);
    }
}

static void child(void)
{
    struct store *s = NULL;
    struct error err;
    uint64_t x = (uint64_t)clock_monotonic_us();
    scratch.options.key = slice_of(kms_keys[ledger->key.acked], 32);
    die_unless(store_open(&scratch.options, &s, &err), &err);
    for (;;) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned pick = (unsigned)(x >> 33) % 20, which = (unsigned)(x >> 45);
        if (pick < 10)
            put_single(s, which % SINGLES);
        else if (pick < 13)
            put_batch(s);
        else if (pick < 18)
            put_blob(s, which % BLOBS);
        else
            change_keys(s);
        ledger->steps++;
    }
}

/* ---- the parent ---- */

static void open_with_either_key(void)
{
    struct error err;
    scratch.options.key = slice_of(kms_keys[ledger->key.acked], 32);
    if (store_open(&scratch.options, &scratch.store, &err))
        return;
    assert_true(error_is(&err, "store/wrong-key"));
    assert_true(ledger->key.pending != ledger->key.acked);
    ledger->key.acked = ledger->key.pending;
    scratch.options.key = slice_of(kms_keys[ledger->key.acked], 32);
    need(store_open(&scratch.options, &scratch.store, &err), &err);
}

/* The value found must be the acknowledged one or the one under way; it is the acknowledged one
 * from now on. */
static uint32_t settle(const char *found, uint32_t acked, uint32_t pending)
{
    char text[32];
    uint32_t both[] = {acked, pending};
    for (unsigned i = 0; i < 2; i++) {
        value_text(both[i], text);
        if (both[i] == 0 ? found == NULL : found != NULL && strcmp(found, text) == 0)
            return both[i];
    }
    fail_msg("found %s, acknowledged %u, under way %u", found != NULL ? found : "nothing", acked,
             pending);
    return 0;
}

static void check_rows(void)
{
    char key[32];
    for (unsigned i = 0; i < SINGLES; i++) {
        snprintf(key, sizeof key, "single-%u", i);
        uint32_t value = settle(scratch_get(&scratch, "State", key), ledger->single[i].acked,
                                ledger->single[i].pending);
        ledger->single[i].acked = ledger->single[i].pending = value;
    }
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(key, sizeof key, "batch-%u", i);
        uint32_t value = settle(scratch_get(&scratch, i % 2 == 0 ? "Delta" : "SortedIndex", key),
                                ledger->batch.acked, ledger->batch.pending);
        if (i == 0)
            ledger->batch.acked = ledger->batch.pending = value;
        assert_int_equal(value, ledger->batch.acked);
    }
}

struct found_blobs {
    struct blob_info info[BLOBS + 1];
    unsigned count;
};

static bool note_found(const struct blob_info *info, void *ctx)
{
    struct found_blobs *f = ctx;
    assert_true(f->count <= BLOBS);
    f->info[f->count++] = *info;
    return true;
}

static bool holds(const struct found_blobs *f, uint32_t seed)
{
    struct blob_id id = blob_id_of(seed);
    for (unsigned i = 0; i < f->count; i++)
        if (memcmp(&f->info[i].id, &id, sizeof id) == 0) {
            scratch_expect_blob(&scratch, &id, blob_content(seed), 300000);
            return true;
        }
    return false;
}

static void check_blobs(void)
{
    struct found_blobs f = {0};
    struct error err;
    struct store_verify_report report;
    unsigned expected = 0;
    need(blob_list(scratch.store, note_found, &f, &err), &err);
    for (unsigned i = 0; i < BLOBS; i++) {
        uint32_t acked = ledger->blob[i].acked, pending = ledger->blob[i].pending;
        uint32_t seed = acked != 0 ? acked : pending;
        bool there = seed != 0 && holds(&f, seed);
        assert_true(there || acked == 0 || pending == 0);
        ledger->blob[i].acked = ledger->blob[i].pending = there ? seed : 0;
        expected += there;
    }
    assert_int_equal(f.count, expected);
    need(store_verify(scratch.store, NULL, NULL, NULL, &report, &err), &err);
    assert_true(report.clean);
    assert_int_equal(report.strange_files, 0);
}

static void run_and_kill(unsigned after_us)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child();
    struct timespec wait = {0, (long)after_us * 1000};
    nanosleep(&wait, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); /* it did not give up by itself */
}

static void killed_again_and_again(void **state)
{
    (void)state;
    unsigned kills = soak ? 10000 : 45;
    struct error err;
    scratch_begin(&scratch);
    for (unsigned i = 0; i < KEYS; i++)
        scratch_noise(900 + i, kms_keys[i], 32);
    scratch.options.key = slice_of(kms_keys[0], 32);
    need(store_open(&scratch.options, &scratch.store, &err), &err);
    store_close(&scratch.store);
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ledger != MAP_FAILED);
    uint64_t x = (uint64_t)clock_monotonic_us();
    for (unsigned i = 0; i < kills; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        run_and_kill(1000 + (unsigned)(x >> 33) % 60000);
        open_with_either_key();
        check_rows();
        check_blobs();
        store_close(&scratch.store);
    }
    print_message("%u kills in %u acknowledged steps\n", kills, ledger->steps);
    assert_true(ledger->steps > kills);
    munmap(ledger, sizeof *ledger);
    scratch_end(&scratch);
}

/* ---- long operations ---- */

static struct blob_info long_blob;

static void fill(struct scratch_store *f)
{
    char key[32];
    struct error err;
    struct store_batch *b = NULL;
    need(store_batch_begin(f->store, &b, &err), &err);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "row-%u", i);
        need(store_batch_put(b, "State", slice_str(key), slice_str(key), &err), &err);
    }
    need(store_batch_commit(&b, &err), &err);
    long_blob = scratch_upload(f, blob_content(5));
    (void)scratch_upload(f, blob_content(3));
}

static void expect_filled(struct scratch_store *f)
{
    char key[32];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "row-%u", i);
        const char *found = scratch_get(f, "State", key);
        assert_non_null(found);
        assert_string_equal(found, key);
    }
    scratch_expect_blob(f, &long_blob.id, blob_content(5), 500000);
    struct store_verify_report report;
    struct error err;
    need(store_verify(f->store, NULL, NULL, NULL, &report, &err), &err);
    assert_true(report.clean);
    assert_int_equal(report.strange_files, 0);
}

/* Forks, runs `work`, kills it after a while; true when it had finished by itself. */
static bool killed(bool (*work)(struct scratch_store *f, struct error *err),
                   struct scratch_store *f, unsigned after_us)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error err;
        die_unless(work(f, &err), &err);
        _exit(0);
    }
    struct timespec wait = {0, (long)after_us * 1000};
    nanosleep(&wait, NULL);
    kill(pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static bool encrypt(struct scratch_store *f, struct error *err)
{
    return store_encrypt(&f->options, NULL, err);
}

static void encrypting_is_finished_later(void **state)
{
    (void)state;
    unsigned rounds = soak ? 300 : 10;
    for (unsigned i = 0; i < rounds; i++) {
        struct scratch_store f;
        struct error err;
        scratch_begin(&f);
        f.options.key.len = 0;
        scratch_open(&f);
        fill(&f);
        store_close(&f.store);
        f.options.key.len = sizeof f.key;
        unsigned tries = 0;
        while (!killed(encrypt, &f, 500 + (i * 7919 + tries * 10007) % 40000) && ++tries < 6) {
            const char *code = scratch_open_fails(&f, &err);
            assert_true(strcmp(code, "store/plaintext") == 0 || code[0] == 0 ||
                        strcmp(code, "store/unfinished") == 0);
        }
        if (scratch_open_fails(&f, &err)[0] != 0)
            need(store_encrypt(&f.options, NULL, &err), &err);
        assert_false(scratch_tree_holds(f.root, slice_of(blob_content(3).data, 64)));
        scratch_open(&f);
        expect_filled(&f);
        scratch_end(&f);
    }
}

static bool compact(struct scratch_store *f, struct error *err)
{
    uint64_t before, after;
    return store_compact(&f->options, NULL, &before, &after, err);
}

static void compacting_leaves_a_store(void **state)
{
    (void)state;
    struct scratch_store f;
    scratch_begin(&f);
    scratch_open(&f);
    fill(&f);
    store_close(&f.store);
    for (unsigned i = 0; i < (soak ? 500U : 12U); i++) {
        (void)killed(compact, &f, 300 + i * 7919 % 12000);
        scratch_open(&f);
        expect_filled(&f);
        store_close(&f.store);
    }
    scratch_end(&f);
}

static bool create(struct scratch_store *f, struct error *err)
{
    return store_open(&f->options, &f->store, err);
}

static void creating_is_done_over(void **state)
{
    (void)state;
    for (unsigned i = 0; i < (soak ? 500U : 20U); i++) {
        struct scratch_store f;
        scratch_begin(&f);
        (void)killed(create, &f, 100 + i * 7919 % 9000);
        scratch_open(&f);
        scratch_put(&f, "Meta", "k", "v");
        scratch_end(&f);
    }
}

int main(void)
{
    soak = getenv("MERO_SOAK") != NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_again_and_again),
        cmocka_unit_test(encrypting_is_finished_later),
        cmocka_unit_test(compacting_leaves_a_store),
        cmocka_unit_test(creating_is_done_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
