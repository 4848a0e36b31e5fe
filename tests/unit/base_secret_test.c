/* Secret memory: small ones share a guarded region, large ones have their own; all are wiped,
 * locked and distinct. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

enum { MANY = 600 }; /* more than the region has slots */

static void sizes(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 31, 32, 111, 112, 113, 4096, 100000};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        SECRET_AUTO struct secret s = {0};
        struct error err;
        assert_true(secret_alloc(&s, lens[i], &err));
        assert_int_equal(s.len, lens[i]);
        if (lens[i] > 0)
            memset(s.data, 0xa5, lens[i]);
    }
}

static void many_at_once(void **state)
{
    (void)state;
    static struct secret held[MANY];
    struct error err;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            assert_true(secret_alloc(&held[i], 32, &err));
            memset(held[i].data, (int)(i & 0xff), 32);
        }
        for (size_t i = 0; i < MANY; i++) {
            for (size_t j = 0; j < 32; j++)
                assert_int_equal(held[i].data[j], i & 0xff);
            secret_free(&held[i]);
            assert_null(held[i].data);
        }
    }
}

/* What is given back keeps nothing for the next one. */
static void wiped(void **state)
{
    (void)state;
    struct secret a = {0}, b = {0};
    struct error err;
    assert_true(secret_copy(&a, slice_str("a storage key that nobody may see"), &err));
    const uint8_t *at = a.data;
    secret_free(&a);
    assert_true(secret_alloc(&b, 33, &err));
    assert_ptr_equal(b.data, at); /* the same place */
    for (size_t i = 0; i < 33; i++)
        assert_int_equal(b.data[i], 0);
    secret_free(&b);
    secret_free(&b); /* again is nothing */
}

/* Runs `act` in a child; the signal that ended it, 0 for none. */
static int signal_of(void (*act)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* the test library's own handlers would answer for the child */
        signal(SIGABRT, SIG_DFL);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void write_past_small(void)
{
    struct secret s = {0};
    if (!secret_alloc(&s, 112, NULL))
        _exit(1);
    volatile uint8_t *data = s.data;
    data[112] ^= 1;
    secret_free(&s);
}

static void write_past_large(void)
{
    struct secret s = {0};
    if (!secret_alloc(&s, 4096, NULL))
        _exit(1);
    volatile uint8_t *data = s.data;
    data[4096] = 1;
    secret_free(&s);
}

static void overruns_end_the_process(void **state)
{
    (void)state;
    assert_int_not_equal(signal_of(write_past_small), 0);
    assert_int_not_equal(signal_of(write_past_large), 0);
}

static void *churn(void *ctx)
{
    struct error err;
    for (unsigned i = 0; i < 20000; i++) {
        SECRET_AUTO struct secret s = {0};
        if (!secret_alloc(&s, 64, &err))
            return NULL;
        memset(s.data, (int)(uintptr_t)ctx, 64);
        for (size_t j = 0; j < 64; j++)
            if (s.data[j] != (uint8_t)(uintptr_t)ctx)
                return NULL;
    }
    return ctx;
}

static void threads(void **state)
{
    (void)state;
    pthread_t workers[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, churn, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(workers[i], &result), 0);
        assert_ptr_equal(result, (void *)(i + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),   cmocka_unit_test(many_at_once),
        cmocka_unit_test(wiped),   cmocka_unit_test(overruns_end_the_process),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
