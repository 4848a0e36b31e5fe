/* Every call fails once: the n-th write, sync, rename, removal or creation of a short life of a
 * store, and the n-th allocation, for every n. Each failure comes back as an error or does no harm;
 * what was acknowledged before is there, in the running store and in one that is opened anew.
 *
 * `make test` takes a sample of the n; MERO_SOAK=1 all of them. */
#define _GNU_SOURCE /* RTLD_NEXT, dladdr */
#include "support/interposed_io.h"

#include <malloc.h>
#include <sys/wait.h>

#include "support/store_workload.h"

static bool soak;
static struct scratch_store scratch;

/* ---- failing allocations ---- */

#ifndef IO_NOT_HERE
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static struct {
    bool counting;
    unsigned long calls, fail_at;
    bool failed;
} memory;

/* Allocations inside libcrypto and libsodium are left alone: a digest that cannot be had ends the
 * process on purpose (base/hash.h), and cmocka and the C library are not under test. */
static bool memory_fails(const void *caller)
{
    Dl_info where;
    if (!memory.counting)
        return false;
    memory.counting = false; /* dladdr may allocate */
    bool named = dladdr(caller, &where) != 0 && where.dli_fname != NULL;
    bool ours = named && (strstr(where.dli_fname, "store_fault_test") != NULL ||
                          strstr(where.dli_fname, "liblmdb") != NULL);
    memory.counting = true;
    if (!ours || ++memory.calls != memory.fail_at)
        return false;
    memory.failed = true;
    return true;
}

INTERPOSED(void *, malloc, (size_t size))
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

INTERPOSED(void *, calloc, (size_t count, size_t size))
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

INTERPOSED(void *, realloc, (void *old, size_t size))
{
    return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
#endif

/* ---- one life with one failure ---- */

static void acceptable(const struct error *err, unsigned number)
{
    static const char *const codes[] = {"store/full", "store/io", "store/busy", "store/read-only",
                                        "memory",     "file/",    "secret/"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (error_is(err, codes[i]))
            return;
    fail_msg("step %u: %s: %s", number, err->code, err->message);
}

/* Steps until one fails, which is tried once more: the fault has passed. A store that says that it
 * must be opened again is. Returns the number of steps that were acknowledged. */
static unsigned live(void (*fault)(bool on))
{
    for (unsigned number = 1; number <= WORKLOAD_STEPS; number++) {
        struct error err = {0};
        fault(true);
        bool ok = workload_step(&scratch, number, &err);
        fault(false);
        if (ok)
            continue;
        acceptable(&err, number);
        return number - 1;
    }
    return WORKLOAD_STEPS;
}

static void check_after(unsigned done)
{
    struct error err;
    if (scratch.store != NULL && done > 0) /* still open: reading goes on */
        workload_expect(&scratch, done);
    store_close(&scratch.store);
    if (!store_open(&scratch.options, &scratch.store, &err))
        fail_msg("after step %u: %s: %s", done, err.code, err.message);
    workload_expect(&scratch, done);
    scratch_put(&scratch, "Meta", "life", "goes on");
}

/* Runs in a child: a life that ends in a crash is a failure of the test, not its end. */
static bool survives(void (*fault)(bool on), void (*arm)(unsigned long n), unsigned long n,
                     const bool *hit)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        scratch_begin(&scratch);
        snprintf(io.root, sizeof io.root, "%s", scratch.root);
        arm(n);
        unsigned done = live(fault);
        io.root[0] = 0;
        check_after(done);
        scratch_end(&scratch);
        fflush(NULL);
        _exit(*hit ? 0 : 7);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 7))
        fail_msg("n = %lu: the process ended with status 0x%x", n, (unsigned)status);
    return WEXITSTATUS(status) == 0;
}

/* n = first, first + stride, ... until the failure comes after the end of the life. */
static unsigned for_every_n(void (*fault)(bool on), void (*arm)(unsigned long n), const bool *hit,
                            unsigned long stride)
{
    unsigned long n = 1;
    unsigned lives = 0;
    for (; survives(fault, arm, n, hit); n += stride)
        lives++;
    print_message("%lu calls, %u of them made to fail\n", n, lives);
    return lives;
}

static void io_fault(bool on)
{
    io.counting = on;
}

static void arm_io(unsigned long n)
{
    io.calls = 0;
    io.fail_at = n;
}

static void every_call_fails_once(void **state)
{
    (void)state;
    static const int errnos[] = {ENOSPC, EIO};
    for (unsigned i = 0; i < 2; i++) {
        io.fail_errno = errnos[i];
        assert_true(for_every_n(io_fault, arm_io, &io.failed, soak ? 1 : 5) > 10);
    }
}

#ifndef IO_NOT_HERE
static void memory_fault(bool on)
{
    memory.counting = on;
}

static void arm_memory(unsigned long n)
{
    memory.calls = 0;
    memory.fail_at = n;
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(for_every_n(memory_fault, arm_memory, &memory.failed, soak ? 1 : 17) > 10);
}
#endif

int main(void)
{
#ifdef IO_NOT_HERE
    puts("skipped: the sanitizers have system calls of their own");
    (void)every_call_fails_once;
    return 77;
#else
    soak = getenv("MERO_SOAK") != NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
