/* The small parts of the KMS: challenges, the used-set, sources and their limits, the worker pool.
 */
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
#include "base/secret.h"
#include "kms/challenge.h"
#include "kms/config_values.h"
#include "kms/pool.h"
#include "kms/source.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- challenges ---- */

static struct kms_mint *open_mint(const char *key, bool shared, uint32_t ttl_s)
{
    struct kms_mint *mint = NULL;
    struct error err = {0};
    assert_true(kms_mint_open(slice_str(key), shared, ttl_s, &mint, &err));
    return mint;
}

static enum kms_challenge_check check(struct kms_mint *mint, const char *id, const char *peer)
{
    struct kms_challenge out;
    return kms_challenge_check(mint, slice_str(id), slice_str(peer), &out);
}

static void test_challenge_round(void **state)
{
    (void)state;
    struct kms_mint *mint = open_mint("", false, 60);
    struct kms_challenge issued, found = {0}, other;
    kms_challenge_issue(mint, slice_str("peer"), &issued);
    assert_int_equal(strlen(issued.id), CHALLENGE_ID_TEXT_LEN);
    assert_int_equal(kms_challenge_check(mint, slice_str(issued.id), slice_str("peer"), &found),
                     CHALLENGE_GOOD);
    assert_memory_equal(found.nonce, issued.nonce, 32);
    assert_memory_equal(found.raw, issued.raw, USED_ID_LEN);
    assert_int_equal(found.expires_at_s, issued.expires_at_s);
    kms_challenge_issue(mint, slice_str("peer"), &other);
    assert_string_not_equal(other.id, issued.id);
    assert_memory_not_equal(other.nonce, issued.nonce, 32);
    /* The nonce does not follow from the id, nor the tag from the nonce. */
    assert_memory_not_equal(&issued.raw[24], issued.nonce, 32);
    kms_mint_close(&mint);
}

/* Every digit of the id counts, in one spelling only. */
static void test_challenge_forgeries(void **state)
{
    (void)state;
    struct kms_mint *mint = open_mint("", false, 60);
    struct kms_challenge issued;
    kms_challenge_issue(mint, slice_str("peer"), &issued);
    for (size_t i = 0; i < CHALLENGE_ID_TEXT_LEN; i++) {
        char id[CHALLENGE_ID_TEXT_LEN + 1];
        memcpy(id, issued.id, sizeof(id));
        id[i] = id[i] == 'a' ? 'b' : 'a';
        assert_int_equal(check(mint, id, "peer"), CHALLENGE_UNKNOWN);
        id[i] = 'A';
        assert_int_equal(check(mint, id, "peer"), CHALLENGE_MALFORMED);
        id[i] = '\0';
        assert_int_equal(check(mint, id, "peer"), CHALLENGE_MALFORMED);
    }
    assert_int_equal(check(mint, issued.id, "peeR"), CHALLENGE_UNKNOWN);
    assert_int_equal(check(mint, issued.id, "peer "), CHALLENGE_UNKNOWN);
    assert_int_equal(check(mint, issued.id, ""), CHALLENGE_UNKNOWN);
    char longer[CHALLENGE_ID_TEXT_LEN + 3];
    snprintf(longer, sizeof(longer), "%s00", issued.id);
    assert_int_equal(check(mint, longer, "peer"), CHALLENGE_MALFORMED);
    kms_mint_close(&mint);
}

/* Replicas with one key know each other's; processes on their own never do. */
static void test_challenge_keys(void **state)
{
    (void)state;
    static const struct {
        const char *a_key, *b_key;
        bool shared;
        enum kms_challenge_check want;
    } cases[] = {
        {"agent", "agent", true, CHALLENGE_GOOD},
        {"agent", "other", true, CHALLENGE_UNKNOWN},
        {"agent", "agent", false, CHALLENGE_UNKNOWN},
        {"", "", false, CHALLENGE_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kms_mint *a = open_mint(cases[i].a_key, cases[i].shared, 60);
        struct kms_mint *b = open_mint(cases[i].b_key, cases[i].shared, 60);
        struct kms_challenge issued;
        kms_challenge_issue(a, slice_str("peer"), &issued);
        assert_int_equal(check(b, issued.id, "peer"), cases[i].want);
        kms_mint_close(&a);
        kms_mint_close(&b);
    }
}

/* The end is the end: dead at expires_at, alive a second before; a clock that jumps back revives
 * nothing. */
static void test_challenge_time(void **state)
{
    (void)state;
    int64_t start = clock_unix_s();
    struct kms_mint *mint = open_mint("", false, 60);
    struct kms_challenge issued;
    clock_dev_set(start);
    kms_challenge_issue(mint, slice_str("peer"), &issued);
    assert_in_range(issued.expires_at_s, start + 60, start + 61);
    clock_dev_set(issued.expires_at_s - 2);
    assert_int_equal(check(mint, issued.id, "peer"), CHALLENGE_GOOD);
    clock_dev_set(issued.expires_at_s);
    assert_int_equal(check(mint, issued.id, "peer"), CHALLENGE_EXPIRED);
    clock_dev_set(start);
    assert_int_equal(check(mint, issued.id, "peer"), CHALLENGE_EXPIRED);
    kms_mint_close(&mint);
    mint = open_mint("", false, 0);
    kms_challenge_issue(mint, slice_str("peer"), &issued);
    assert_int_equal(check(mint, issued.id, "peer"), CHALLENGE_EXPIRED);
    kms_mint_close(&mint);
}

/* ---- the used-set ---- */

static void make_id(uint32_t number, uint8_t id[USED_ID_LEN])
{
    memset(id, 0, USED_ID_LEN);
    store_u32le(id, number * 2654435761u); /* spread, as random bytes would be */
    store_u32le(&id[4], number);
}

static struct kms_used_set *open_set(size_t max)
{
    struct kms_used_set *set = NULL;
    struct error err = {0};
    assert_true(kms_used_set_open_memory(max, &set, &err));
    return set;
}

static enum kms_used_result mark(struct kms_used_set *set, uint32_t number, int64_t until,
                                 int64_t now)
{
    uint8_t id[USED_ID_LEN];
    struct error err = {0};
    make_id(number, id);
    return kms_used_set_mark(set, id, until, now, &err);
}

static bool seen(struct kms_used_set *set, uint32_t number, int64_t until)
{
    uint8_t id[USED_ID_LEN];
    make_id(number, id);
    return kms_used_set_seen(set, id, until);
}

static void test_used_once(void **state)
{
    (void)state;
    struct kms_used_set *set = open_set(100000);
    for (uint32_t i = 0; i < 20000; i++) {
        assert_false(seen(set, i, 1000));
        assert_int_equal(mark(set, i, 1000, 1), USED_FIRST);
        assert_true(seen(set, i, 1000));
    }
    for (uint32_t i = 0; i < 20000; i++)
        assert_int_equal(mark(set, i, 1000, 1), USED_AGAIN);
    assert_int_equal(kms_used_set_count(set), 20000);
    kms_used_set_close(&set);
}

/* Full means full: nothing is forgotten before its time, and room comes back after it. */
static void test_used_full(void **state)
{
    (void)state;
    struct kms_used_set *set = open_set(50);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(mark(set, i, 100 + i, 1), USED_FIRST);
    assert_int_equal(mark(set, 50, 1000, 1), USED_FULL);
    assert_int_equal(mark(set, 50, 1000, 99), USED_FULL);
    assert_int_equal(mark(set, 7, 107, 99), USED_AGAIN);
    assert_int_equal(mark(set, 50, 1000, 100), USED_FIRST); /* the first one's time is over */
    assert_int_equal(mark(set, 51, 1000, 100), USED_FULL);
    assert_int_equal(mark(set, 51, 1000, 149), USED_FIRST); /* all of the old ones' */
    assert_int_equal(kms_used_set_count(set), 2);
    kms_used_set_close(&set);
}

static struct kms_used_set *shared_set;
static atomic_uint firsts;

static void *mark_all(void *ctx)
{
    (void)ctx;
    for (uint32_t i = 0; i < 5000; i++)
        if (mark(shared_set, i, 1000, 1) == USED_FIRST)
            atomic_fetch_add(&firsts, 1);
    return NULL;
}

static void test_used_by_many(void **state)
{
    (void)state;
    pthread_t threads[4];
    shared_set = open_set(100000);
    atomic_store(&firsts, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, mark_all, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&firsts), 5000);
    kms_used_set_close(&shared_set);
}

/* ---- sources ---- */

static void test_cidr(void **state)
{
    (void)state;
    static const struct {
        const char *range, *address;
        bool parses, has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.1.2", true, true},
        {"10.0.0.0/8", "11.0.0.1", true, false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true, true},
        {"10.0.0.0/8", "::10.1.1.1", true, false},
        {"192.168.4.0/22", "192.168.7.255", true, true},
        {"192.168.4.0/22", "192.168.8.0", true, false},
        {"0.0.0.0/0", "203.0.113.1", true, true},
        {"0.0.0.0/0", "2001:db8::1", true, false},
        {"::/0", "203.0.113.1", true, true},
        {"2001:db8::/33", "2001:db8:7fff::1", true, true},
        {"2001:db8::/33", "2001:db8:8000::1", true, false},
        {"192.0.2.1", "192.0.2.1", true, true},
        {"192.0.2.1", "192.0.2.2", true, false},
        {"192.0.2.1/32", "192.0.2.1", true, true},
        {"10.0.0.1/8", "10.0.0.1", false, false},
        {"10.0.0.0/33", "10.0.0.1", false, false},
        {"10.0.0.0/", "10.0.0.1", false, false},
        {"10.0.0.0/+8", "10.0.0.1", false, false},
        {"::/129", "::1", false, false},
        {"host", "::1", false, false},
        {"", "::1", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kms_cidr_list list = {.count = 1};
        uint8_t address[16];
        bool parses = kms_cidr_parse(slice_str(cases[i].range), &list.items[0]);
        if (parses != cases[i].parses)
            fail_msg("%s: %d", cases[i].range, parses);
        if (!parses)
            continue;
        assert_true(kms_address_parse(cases[i].address, address));
        if (kms_cidr_list_has(&list, address) != cases[i].has)
            fail_msg("%s in %s", cases[i].address, cases[i].range);
    }
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *forwarded, *text;
        bool known, is_forwarded, untrusted;
    } cases[] = {
        {"203.0.113.1", NULL, "203.0.113.1", true, false, false},
        {"2001:db8:1:2:3:4:5:6", NULL, "2001:db8:1:2::/64", true, false, false},
        {"unix", NULL, "unix", false, false, false},
        {"unix", "203.0.113.5", "203.0.113.5", true, true, false},
        {"203.0.113.1", "198.51.100.1", "203.0.113.1", true, false, true},
        {"10.0.0.1", "198.51.100.1", "198.51.100.1", true, true, false},
        {"10.0.0.1", "1.1.1.1, 198.51.100.1 ,10.2.2.2, 10.3.3.3", "198.51.100.1", true, true,
         false},
        {"10.0.0.1", "198.51.100.1:443", "198.51.100.1", true, true, false},
        {"10.0.0.1", "[2001:db8::7]:443", "2001:db8::/64", true, true, false},
        {"10.0.0.1", "\"[2001:db8::7]\"", "10.0.0.1", true, false, false},
        {"10.0.0.1", "10.2.2.2", "10.2.2.2", true, true, false},
        {"10.0.0.1", "unknown", "10.0.0.1", true, false, false},
        {"10.0.0.1", "198.51.100.1, unknown", "10.0.0.1", true, false, false},
        {"10.0.0.1", "unknown, 10.2.2.2", "10.2.2.2", true, true, false},
        {"10.0.0.1", "", "10.0.0.1", true, false, false},
        {"10.0.0.1", ",", "10.0.0.1", true, false, false},
    };
    struct kms_cidr_list trusted = {.count = 1};
    assert_true(kms_cidr_parse(slice_str("10.0.0.0/8"), &trusted.items[0]));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kms_source s = kms_source_of(&trusted, cases[i].peer, cases[i].forwarded);
        if (strcmp(s.text, cases[i].text) != 0 || s.known != cases[i].known ||
            s.forwarded != cases[i].is_forwarded || s.untrusted_xff != cases[i].untrusted)
            fail_msg("%s %s: %s %d %d %d", cases[i].peer, cases[i].forwarded, s.text, s.known,
                     s.forwarded, s.untrusted_xff);
    }
}

static struct kms_source source_number(unsigned number)
{
    const struct kms_cidr_list none = {0};
    char text[32];
    snprintf(text, sizeof(text), "10.%u.%u.%u", number >> 16 & 0xff, number >> 8 & 0xff,
             number & 0xff);
    return kms_source_of(&none, text, NULL);
}

static void test_buckets(void **state)
{
    (void)state;
    struct kms_source_limiter *limiter = NULL;
    struct error err = {0};
    struct kms_source a = source_number(1), b = source_number(2);
    unsigned retry = 0;
    assert_true(kms_source_limiter_open(2, 3, &limiter, &err));
    for (unsigned i = 0; i < 3; i++)
        assert_true(kms_source_limiter_take(limiter, &a, 1000, &retry));
    assert_false(kms_source_limiter_take(limiter, &a, 1000, &retry));
    assert_int_equal(retry, 1);
    assert_int_equal(kms_source_limiter_penalised(limiter, 1000), 1);
    assert_true(kms_source_limiter_take(limiter, &b, 1000, &retry)); /* its own bucket */
    assert_false(kms_source_limiter_take(limiter, &a, 1499, &retry));
    assert_true(kms_source_limiter_take(limiter, &a, 1500, &retry)); /* two a second */
    assert_false(kms_source_limiter_take(limiter, &a, 1500, &retry));
    assert_int_equal(kms_source_limiter_penalised(limiter, 2500), 0);
    for (unsigned i = 0; i < 3; i++) /* never more than the burst */
        assert_true(kms_source_limiter_take(limiter, &a, 1000000, &retry));
    assert_false(kms_source_limiter_take(limiter, &a, 1000000, &retry));
    assert_false(kms_source_limiter_take(limiter, &a, 999000, &retry)); /* a clock going back */
    kms_source_limiter_close(&limiter);
}

/* A flood of addresses makes the table forget, not grow, and nobody is refused by it. */
static void test_many_sources(void **state)
{
    (void)state;
    struct kms_source_limiter *limiter = NULL;
    struct error err = {0};
    unsigned retry = 0;
    assert_true(kms_source_limiter_open(1, 1, &limiter, &err));
    for (unsigned i = 0; i < 100000; i++) {
        struct kms_source s = source_number(i);
        assert_true(kms_source_limiter_take(limiter, &s, 5, &retry));
    }
    kms_source_limiter_close(&limiter);
    struct kms_source s = source_number(1);
    assert_true(kms_source_limiter_open(0, 1, &limiter, &err));
    for (unsigned i = 0; i < 1000; i++) /* 0 = off */
        assert_true(kms_source_limiter_take(limiter, &s, 5, &retry));
    kms_source_limiter_close(&limiter);
}

/* ---- the pool ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint done;

static void pass_gate(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&done, 1);
}

static void test_pool(void **state)
{
    (void)state;
    struct kms_pool *pool = NULL;
    struct error err = {0};
    const struct kms_pool_job job = {pass_gate, NULL};
    atomic_store(&done, 0);
    assert_true(kms_pool_open(2, 5, &pool, &err));
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < 5; i++)
        assert_true(kms_pool_submit(pool, job));
    assert_false(kms_pool_submit(pool, job)); /* as many under way as may be */
    assert_int_equal(kms_pool_in_flight(pool), 5);
    assert_false(kms_pool_wait_idle(pool, 20));
    pthread_mutex_unlock(&gate);
    assert_true(kms_pool_wait_idle(pool, 2000));
    assert_int_equal(atomic_load(&done), 5);
    for (unsigned i = 0; i < 1000; i++) {
        while (!kms_pool_submit(pool, job))
            usleep(10);
    }
    kms_pool_close(&pool); /* what was taken is done */
    assert_int_equal(atomic_load(&done), 1005);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenge_round), cmocka_unit_test(test_challenge_forgeries),
        cmocka_unit_test(test_challenge_keys),  cmocka_unit_test(test_challenge_time),
        cmocka_unit_test(test_used_once),       cmocka_unit_test(test_used_full),
        cmocka_unit_test(test_used_by_many),    cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_sources),         cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_many_sources),    cmocka_unit_test(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
