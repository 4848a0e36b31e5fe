/* The audit log: chain, order of disk and key, crash, rotation, floods, a full disk. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "kms/audit.h"
#include "support/kms_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[64], path[96];
static const uint8_t key[32] = {7, 7, 7};

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/mero-audit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
    return 0;
}

static int remove_dir(void **state)
{
    struct error err = {0};
    (void)state;
    assert_true(file_remove_tree(dir, &err));
    return 0;
}

static struct kms_audit *open_log(void)
{
    struct kms_audit *log = NULL;
    struct error err = {0};
    if (!kms_audit_open(path, &log, &err))
        fail_msg("%s", err.message);
    kms_audit_set_key(log, key);
    return log;
}

static struct kms_audit_record release_record(const char *peer)
{
    return (struct kms_audit_record){.event = "key_release",
                                     .code = "ok",
                                     .form = "sealed",
                                     .peer_id = slice_str(peer),
                                     .source = "203.0.113.9",
                                     .profile = "debug"};
}

static void release(struct kms_audit *log, const char *peer)
{
    struct kms_audit_record r = release_record(peer);
    struct error err = {0};
    if (!kms_audit_write(log, &r, &err))
        fail_msg("%s", err.message);
}

static void note(struct kms_audit *log, const char *reason)
{
    const struct kms_audit_record r = {
        .event = "refusal", .code = "invalid_signature", .reason = reason};
    kms_audit_note(log, &r);
}

/* What a verifier does: every line's MAC over the one before and its own bytes, numbers in a row.
 * Returns the number of lines; -1 when the chain is broken. */
static int verify_file(const char *file)
{
    struct buf text BUF_AUTO = BUF_INIT(16 * 1024 * 1024);
    struct error err = {0};
    uint8_t previous[32] = {0}, mac[32], claimed[32];
    int count = 0;
    assert_true(file_read(file, &text, &err));
    for (struct slice rest = buf_slice(&text); rest.len > 0; count++) {
        static const char lead[] = ",\"mac\":\"";
        char want[64];
        size_t len = 0;
        while (len < rest.len && rest.data[len] != '\n')
            len++;
        if (len < 75 || len == rest.len)
            return -1;
        struct slice body = slice_cut(rest, 0, len - 74);
        struct slice tail = slice_cut(rest, len - 74, 74);
        const struct slice parts[] = {slice_of(previous, 32), body};
        hmac_sha256(slice_of(key, 32), parts, 2, mac);
        snprintf(want, sizeof(want), "{\"v\":1,\"seq\":%d,\"time\":\"", count + 1);
        if (!slice_equal_str(slice_cut(tail, 0, 8), lead) ||
            !slice_equal_str(slice_cut(tail, 72, 2), "\"}") ||
            !hex_decode(slice_cut(tail, 8, 64), claimed, 32) || memcmp(mac, claimed, 32) != 0 ||
            !slice_equal_str(slice_cut(body, 0, strlen(want)), want))
            return -1;
        memcpy(previous, mac, 32);
        rest = slice_cut(rest, len + 1, rest.len);
    }
    return count;
}

static size_t file_size(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static bool file_has(const char *text)
{
    struct buf content BUF_AUTO = BUF_INIT(16 * 1024 * 1024);
    struct error err = {0};
    assert_true(file_read(path, &content, &err));
    return strstr(buf_cstr(&content), text) != NULL;
}

static void test_chain(void **state)
{
    (void)state;
    struct verdict verdict = {.status = TCB_OUT_OF_DATE, .fmspc = {0xb0}};
    struct kms_audit_record r = release_record("peer\"\n");
    struct error err = {0};
    struct stat st;
    struct kms_audit *log = open_log();
    r.verdict = &verdict;
    assert_true(kms_audit_write(log, &r, &err));
    release(log, "b");
    note(log, "why");
    kms_audit_flush(log);
    assert_int_equal(verify_file(path), 3);
    assert_true(file_has("\"event\":\"key_release\",\"code\":\"ok\",\"form\":\"sealed\",\"peer\":"
                         "\"peer\\\"\\n\",\"source\":\"203.0.113.9\",\"profile\":\"debug\",\"tcb\":"
                         "\"OutOfDate\",\"fmspc\":\"b00000000000\",\"mrtd\":\"0000"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    kms_audit_close(&log);
    log = open_log(); /* the chain goes on */
    release(log, "c");
    kms_audit_close(&log);
    assert_int_equal(verify_file(path), 4);
}

/* One byte anywhere, a line taken out, two exchanged: all seen. */
static void test_tampering_shows(void **state)
{
    (void)state;
    struct kms_audit *log = open_log();
    for (unsigned i = 0; i < 3; i++)
        release(log, "p");
    kms_audit_close(&log);
    struct buf text BUF_AUTO = BUF_INIT(65536);
    struct error err = {0};
    assert_true(file_read(path, &text, &err));
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_true(file_write_atomic(path, buf_slice(&text), 0600, &err));
        assert_int_equal(verify_file(path), -1);
        text.data[i] ^= 1;
        i += i % 7; /* a sample; every byte takes too long with a sync each */
    }
    const char *second = strchr(buf_cstr(&text), '\n') + 1;
    assert_true(file_write_atomic(path, slice_str(second), 0600, &err));
    assert_int_equal(verify_file(path), -1);
}

static void test_release_is_on_disk_at_once(void **state)
{
    (void)state;
    struct kms_audit *log = open_log();
    note(log, "buffered");
    size_t before = file_size();
    assert_int_equal(before, 0);
    release(log, "p");
    assert_true(file_has("\"peer\":\"p\""));
    assert_true(file_has("buffered"));
    kms_audit_close(&log);
}

static void test_needs_a_key(void **state)
{
    (void)state;
    struct kms_audit *log = NULL;
    struct error err = {0};
    struct kms_audit_record r = release_record("p");
    assert_true(kms_audit_open(path, &log, &err));
    assert_false(kms_audit_state(log).ready);
    assert_false(kms_audit_write(log, &r, &err));
    assert_string_equal(err.code, "audit/key");
    note(log, "too early: counted");
    kms_audit_set_key(log, key);
    release(log, "p");
    kms_audit_flush(log);
    assert_true(file_has("\"event\":\"refusals_not_recorded\",\"count\":1"));
    kms_audit_close(&log);
    assert_int_equal(verify_file(path), 2);
}

/* A line that a crash cut short was never acknowledged and goes; anything else that is no audit log
 * is left alone. */
static void test_opening_what_is_there(void **state)
{
    (void)state;
    static const char *const strange[] = {"hello\n", "{\"seq\":1}\n",
                                          "{\"seq\":1,\"mac\":\"00\"}\n", "[]\n"};
    struct kms_audit *log = open_log();
    struct error err = {0};
    release(log, "a");
    release(log, "b");
    kms_audit_close(&log);
    struct buf text BUF_AUTO = BUF_INIT(65536);
    assert_true(file_read(path, &text, &err));
    size_t whole = text.len;
    assert_true(buf_append_str(&text, "{\"v\":1,\"seq\":3,\"ti"));
    assert_true(file_write_atomic(path, buf_slice(&text), 0600, &err));
    log = open_log();
    assert_int_equal(file_size(), whole);
    release(log, "c");
    kms_audit_close(&log);
    assert_int_equal(verify_file(path), 3);
    for (size_t i = 0; i < COUNT(strange); i++) {
        assert_true(file_write_atomic(path, slice_str(strange[i]), 0600, &err));
        assert_false(kms_audit_open(path, &log, &err));
        assert_string_equal(err.code, "audit/format");
        assert_int_equal(file_size(), strlen(strange[i]));
    }
    assert_true(file_write_atomic(path, slice_str("cut before its first end"), 0600, &err));
    log = open_log();
    release(log, "a");
    kms_audit_close(&log);
    assert_int_equal(verify_file(path), 1);
}

static void test_one_writer(void **state)
{
    (void)state;
    struct kms_audit *log = open_log(), *other = NULL;
    struct error err = {0};
    assert_false(kms_audit_open(path, &other, &err));
    assert_string_equal(err.code, "audit/busy");
    kms_audit_close(&log);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_false(kms_audit_open(path, &other, &err));
    assert_string_equal(err.code, "audit/open");
}

static void test_rotation(void **state)
{
    (void)state;
    char moved[128];
    struct error err = {0};
    struct kms_audit *log = open_log();
    release(log, "a");
    assert_true(kms_audit_reopen(log, &err)); /* nothing was moved: the same file */
    release(log, "b");
    assert_int_equal(verify_file(path), 2);
    snprintf(moved, sizeof(moved), "%s.1", path);
    assert_int_equal(rename(path, moved), 0);
    release(log, "c"); /* still into the moved file */
    assert_true(kms_audit_reopen(log, &err));
    release(log, "d");
    kms_audit_close(&log);
    assert_int_equal(verify_file(moved), 3);
    assert_true(file_has("\"seq\":4"));
    /* The second file's chain begins where the first one's ends. */
    struct buf both BUF_AUTO = BUF_INIT(65536);
    assert_true(file_read(moved, &both, &err) && file_read(path, &both, &err));
    assert_true(file_write_atomic(path, buf_slice(&both), 0600, &err));
    assert_int_equal(verify_file(path), 4);
}

static void test_flood_of_refusals(void **state)
{
    (void)state;
    struct kms_audit *log = open_log();
    for (unsigned i = 0; i < 10000; i++)
        note(log, "flood");
    kms_audit_flush(log);
    release(log, "p");
    struct kms_audit_state s = kms_audit_state(log);
    assert_in_range(s.dropped, 10000 - AUDIT_REFUSALS_BURST - 40, 10000 - AUDIT_REFUSALS_BURST);
    assert_true(s.size < 200 * 1024);
    assert_true(file_has("\"event\":\"refusals_not_recorded\",\"count\":9"));
    kms_audit_close(&log);
    assert_true(verify_file(path) > AUDIT_REFUSALS_BURST);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A full disk stops releases, leaves no half line, and both go on when there is room again. */
static void test_full_disk(void **state)
{
    (void)state;
    struct kms_audit_record r = release_record("refused by the disk");
    struct error err = {0};
    struct kms_audit *log = open_log();
    release(log, "a");
    size_t whole = file_size();
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size((rlim_t)whole + 20); /* room for a part of a line only */
    assert_false(kms_audit_write(log, &r, &err));
    assert_string_equal(err.code, "audit/write");
    assert_true(kms_audit_state(log).failing);
    note(log, "a refusal goes on, uncounted by the disk");
    kms_audit_flush(log);
    assert_int_equal(file_size(), whole);
    limit_file_size(RLIM_INFINITY);
    release(log, "b");
    kms_audit_flush(log);
    assert_false(kms_audit_state(log).failing);
    assert_false(file_has("refused by the disk"));
    assert_true(file_has("refusals_not_recorded"));
    kms_audit_close(&log);
    assert_int_equal(verify_file(path), 3);
}

static struct kms_audit *shared_log;

static void *write_many(void *ctx)
{
    for (unsigned i = 0; i < 100; i++) {
        release(shared_log, ctx);
        note(shared_log, "between");
    }
    return NULL;
}

static void test_many_writers(void **state)
{
    (void)state;
    pthread_t threads[4];
    static char names[4][2] = {"a", "b", "c", "d"};
    shared_log = open_log();
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    kms_audit_close(&shared_log);
    assert_true(verify_file(path) >= 400);
}

/* ---- in the service ---- */

static struct kms_fixture world;

static void test_service_records(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    fixture_open(&world);
    fixture_defaults(&world);
    fixture_set(&world, "MERO_KMS_AUDIT_LOG", path);
    fixture_configure(&world);
    fixture_start(&world);
    fixture_prove(&world, "node", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    assert_int_equal(reply.status, 200);
    assert_true(file_has("\"event\":\"start\""));
    assert_true(file_has("\"event\":\"key_release\",\"code\":\"ok\",\"form\":\"sealed\",\"peer\":"
                         "\"12D3KooWJ1TsijH7H5F74hfAD5XishQz3sxrmAtVY37GtNd9CqYf\",\"source\":"
                         "\"127.0.0.1\",\"profile\":\"locked-read-only\",\"tcb\":\"UpToDate\""));
    fixture_proof_free(&proof);
    /* No record, no key; and the refusal is still answered. */
    size_t whole = file_size();
    fixture_prove(&world, "node", true, &proof);
    limit_file_size((rlim_t)whole + 20);
    fixture_get_key(&world, &proof, &reply);
    limit_file_size(RLIM_INFINITY);
    fixture_expect(&reply, 500, "key_derivation_failed");
    assert_non_null(strstr(reply.body, "could not be recorded in the audit log"));
    assert_int_equal(file_size(), whole);
    fixture_proof_free(&proof);
    fixture_prove(&world, "stranger", true, &proof);
    fixture_get_key(&world, &proof, &reply);
    fixture_expect(&reply, 403, "measurement_policy_rejected");
    fixture_proof_free(&proof);
    fixture_close(&world);
    assert_true(file_has("\"event\":\"refusal\",\"code\":\"measurement_policy_rejected\""));
    assert_true(file_has("differs in MRTD"));
    /* Nothing that would open anything is in it. */
    assert_false(file_has("merod/storage"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chain, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_tampering_shows, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_release_is_on_disk_at_once, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_needs_a_key, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_opening_what_is_there, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_one_writer, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_rotation, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_flood_of_refusals, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_full_disk, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_many_writers, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_service_records, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
