/* Replicas behind one Redis: the used-set against a real server, its faults, and two services of
 * which each challenge gets one key at most. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kms/used_set.h"
#include "support/kms_fixture.h"
#include "support/redis_server.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct redis_server redis;

static int finish(void **state)
{
    (void)state;
    redis_server_stop(&redis);
    return 0;
}

static struct kms_used_set *open_set(const char *url, size_t max)
{
    struct kms_used_set *set = NULL;
    struct error err = {0};
    if (!kms_used_set_open_redis(url, max, &set, &err))
        fail_msg("%s", err.message);
    return set;
}

static enum kms_used_result mark(struct kms_used_set *set, uint32_t number, int64_t until,
                                 int64_t now, struct error *err)
{
    uint8_t id[USED_ID_LEN] = {0};
    store_u32le(id, number);
    return kms_used_set_mark(set, id, until, now, err);
}

static void test_marks_once(void **state)
{
    (void)state;
    struct error err = {0};
    redis_server_start(&redis, "");
    struct kms_used_set *a = open_set(redis.url, 1000), *b = open_set(redis.unix_url, 1000);
    assert_int_equal(mark(a, 1, 100, 10, &err), USED_FIRST);
    assert_int_equal(mark(a, 1, 100, 10, &err), USED_AGAIN);
    assert_int_equal(mark(b, 1, 100, 10, &err), USED_AGAIN); /* the other replica */
    assert_int_equal(mark(b, 2, 100, 10, &err), USED_FIRST);
    assert_int_equal(mark(a, 2, 100, 10, &err), USED_AGAIN);
    assert_true(kms_used_set_check(a, &err) && kms_used_set_check(b, &err));
    /* The key goes by itself when the challenge is long over. */
    assert_int_equal(mark(a, 3, 11, 10, &err), USED_FIRST);
    assert_int_equal(mark(b, 3, 11, 10, &err), USED_AGAIN);
    usleep(1100 * 1000);
    assert_int_equal(mark(b, 3, 11, 10, &err), USED_FIRST);
    kms_used_set_close(&a);
    kms_used_set_close(&b);
}

static void test_full(void **state)
{
    (void)state;
    struct error err = {0};
    redis_server_start(&redis, "");
    struct kms_used_set *set = open_set(redis.url, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(mark(set, i, 100, 10, &err), USED_FIRST);
    assert_int_equal(mark(set, 9, 100, 10, &err), USED_FULL);
    assert_int_equal(kms_used_set_count(set), 3);
    kms_used_set_close(&set);
}

static atomic_uint firsts;

static void *mark_all(void *ctx)
{
    struct error err = {0};
    for (uint32_t i = 0; i < 300; i++)
        if (mark(ctx, i, 100, 10, &err) == USED_FIRST)
            atomic_fetch_add(&firsts, 1);
    return NULL;
}

static void test_concurrent(void **state)
{
    (void)state;
    pthread_t threads[12]; /* more than connections */
    redis_server_start(&redis, "");
    struct kms_used_set *sets[2] = {open_set(redis.url, 10000), open_set(redis.url, 10000)};
    atomic_store(&firsts, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, mark_all, sets[i % 2]), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&firsts), 300);
    kms_used_set_close(&sets[0]);
    kms_used_set_close(&sets[1]);
}

/* Away, slow, back: nothing passes meanwhile, and it is found again without help. */
static void test_faults(void **state)
{
    (void)state;
    struct error err = {0};
    redis_server_start(&redis, "");
    struct kms_used_set *set = open_set(redis.url, 1000);
    assert_int_equal(mark(set, 1, 100, 10, &err), USED_FIRST);
    redis_server_stop(&redis);
    int64_t before_ms = clock_monotonic_ms();
    for (uint32_t i = 2; i < 10; i++)
        assert_int_equal(mark(set, i, 100, 10, &err), USED_UNAVAILABLE);
    assert_true(clock_monotonic_ms() - before_ms < 1000);
    assert_string_equal(err.code, "used/redis");
    assert_false(kms_used_set_check(set, &err));
    redis_server_start(&redis, "");
    usleep(600 * 1000);
    assert_int_equal(mark(set, 20, 100, 10, &err), USED_FIRST);
    assert_true(redis_server_do(&redis, "CLIENT", "PAUSE", "6000"));
    before_ms = clock_monotonic_ms();
    assert_int_equal(mark(set, 21, 100, 10, &err), USED_UNAVAILABLE);
    assert_in_range(clock_monotonic_ms() - before_ms, 1500, 4500);
    kms_used_set_close(&set);
}

static void test_credentials(void **state)
{
    (void)state;
    struct error err = {0};
    char url[256];
    redis_server_start(&redis, "p@ss:w/rd");
    snprintf(url, sizeof(url), "redis://:p%%40ss%%3Aw%%2Frd@127.0.0.1:%u/3", redis.port);
    struct kms_used_set *set = open_set(url, 10);
    assert_int_equal(mark(set, 1, 100, 10, &err), USED_FIRST);
    kms_used_set_close(&set);
    snprintf(url, sizeof(url), "redis://default:p%%40ss%%3Aw%%2Frd@127.0.0.1:%u/3", redis.port);
    set = open_set(url, 10);
    assert_int_equal(mark(set, 1, 100, 10, &err), USED_AGAIN); /* the same database */
    kms_used_set_close(&set);
    snprintf(url, sizeof(url), "redis://:wrongsecret@127.0.0.1:%u", redis.port);
    set = open_set(url, 10);
    assert_int_equal(mark(set, 2, 100, 10, &err), USED_UNAVAILABLE);
    assert_non_null(strstr(err.message, "credentials were refused"));
    assert_null(strstr(err.message, "wrongsecret"));
    kms_used_set_close(&set);
    set = open_set(redis.url, 10);
    assert_int_equal(mark(set, 2, 100, 10, &err), USED_UNAVAILABLE); /* NOAUTH */
    kms_used_set_close(&set);
}

static void test_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {"http://h",        "redis://",        "redis://h:0",
                                      "redis://h:65536", "redis://h:x",     "redis://:%zz@h",
                                      "redis://h/x",     "redis://user:@:1"};
    static const char *const good[] = {"redis://h", "redis://h:1/0", "redis://[::1]:6379/15",
                                       "redis://u:p@h", "unix:///run/redis.sock"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct kms_used_set *set = NULL;
        struct error err = {0};
        if (kms_used_set_open_redis(bad[i], 1, &set, &err))
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(err.field, "REDIS_URL");
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        struct kms_used_set *set = open_set(good[i], 1);
        kms_used_set_close(&set);
    }
}

/* ---- two services ---- */

static struct kms_fixture one, two;

struct asker {
    struct kms_fixture *where;
    const struct fixture_proof *proof;
    struct fixture_reply reply;
};

static void *ask(void *ctx)
{
    struct asker *a = ctx;
    fixture_get_key(a->where, a->proof, &a->reply);
    return NULL;
}

static void start_replicas(void)
{
    char state_dir[256];
    fixture_open(&one);
    fixture_defaults(&one);
    fixture_set(&one, "REDIS_URL", redis.url);
    two = one;
    snprintf(state_dir, sizeof(state_dir), "%s/state-two", one.dir);
    fixture_set(&two, "MERO_KMS_STATE_DIR", state_dir);
    fixture_configure(&one);
    fixture_start(&one);
    fixture_configure(&two);
    fixture_start(&two);
}

static void stop_replicas(void)
{
    fixture_stop(&two);
    fixture_close(&one);
}

/* A challenge of one is good at the other, once, however many ask at both at a time. */
static void test_replicas(void **state)
{
    (void)state;
    redis_server_start(&redis, "");
    start_replicas();
    for (unsigned round = 0; round < 5; round++) {
        static struct asker askers[6];
        pthread_t threads[COUNT(askers)];
        struct fixture_proof proof;
        size_t released = 0, refused = 0;
        fixture_prove(&one, "node", true, &proof);
        for (size_t i = 0; i < COUNT(askers); i++) {
            askers[i] = (struct asker){.where = i % 2 == 0 ? &two : &one, .proof = &proof};
            assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
        }
        for (size_t i = 0; i < COUNT(askers); i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            released += askers[i].reply.status == 200;
            refused += askers[i].reply.status == 401 &&
                       strstr(askers[i].reply.body, "invalid_challenge") != NULL;
        }
        assert_int_equal(released, 1);
        assert_int_equal(refused, COUNT(askers) - 1);
        fixture_proof_free(&proof);
    }
    stop_replicas();
}

/* An instance that goes away costs a node nothing when its challenge was asked of it, and Redis
 * away means no key, said clearly, with recovery by itself. */
static void test_replica_and_redis_going_away(void **state)
{
    (void)state;
    struct fixture_proof proof;
    struct fixture_reply reply;
    redis_server_start(&redis, "");
    start_replicas();
    fixture_prove(&one, "node", true, &proof);
    redis_server_stop(&redis);
    fixture_get_key(&two, &proof, &reply);
    fixture_expect(&reply, 401, "invalid_challenge");
    assert_non_null(strstr(reply.body, "Challenge storage failed: Redis: "));
    fixture_admin(&two, "/readyz", &reply); /* of `one`'s directory: the same Redis */
    assert_int_equal(reply.status, 503);
    redis_server_start(&redis, "");
    usleep(600 * 1000);
    fixture_get_key(&two, &proof, &reply);
    assert_int_equal(reply.status, 200);
    fixture_get_key(&one, &proof, &reply);
    fixture_expect(&reply, 401, "invalid_challenge");
    fixture_proof_free(&proof);
    stop_replicas();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_marks_once, finish),
        cmocka_unit_test_teardown(test_full, finish),
        cmocka_unit_test_teardown(test_concurrent, finish),
        cmocka_unit_test_teardown(test_faults, finish),
        cmocka_unit_test_teardown(test_credentials, finish),
        cmocka_unit_test(test_urls),
        cmocka_unit_test_teardown(test_replicas, finish),
        cmocka_unit_test_teardown(test_replica_and_redis_going_away, finish),
    };
    if (!redis_server_exists()) {
        puts("skipped: no Redis on this machine (package redis-tools)");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
