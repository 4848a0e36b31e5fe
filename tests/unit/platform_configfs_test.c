/* configfs-tsm against the simulator's FUSE stand-in: each errno of platform facts 3.3, silence,
 * interference, leftovers. Skipped where FUSE cannot mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "platform/configfs.h"
#include "platform/quote_source.h"
#include "quote/quote.h"
#include "sim/machine.h"
#include "sim/tsm_fuse.h"
#include "sim/world.h"

enum { NOW = 1767225600, SKIPPED = 77 };

static char dir[] = "/tmp/mero-configfs-test-XXXXXX";
static char root[64];
static uint8_t report_data[64];

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- the file system, in a process of its own: one that serves itself cannot be killed ---- */

enum { WORD_MAX = 64 };

static int orders = -1;  /* words of scenarios go in here */
static int reports = -1; /* a letter comes back: 'k' = done, 's' = this system cannot mount */
static pid_t server;

static bool start_machine(struct sim_world *world, struct sim_machine *machine)
{
    struct error err = {0};
    struct sim_machine_options o;
    bool ok = sim_world_create(world, &(struct sim_world_options){.now_s = NOW}, &err) &&
              sim_machine_defaults(&o, "node", &err) &&
              sim_machine_set(&o, "type", slice_str("gcp"), &err) &&
              sim_machine_start(machine, &o, &world->pki, &err);
    if (!ok)
        fprintf(stderr, "%s: %s\n", err.code, err.message);
    return ok;
}

static char obey(struct sim_machine *machine, const char *word)
{
    struct sim_scenario s = {0};
    bool ok =
        (word[0] == '\0' || sim_scenario_apply(&s, SIM_SCOPE_MACHINE, slice_str(word), NULL)) &&
        sim_machine_set_scenario(machine, &s, NULL);
    return ok ? 'k' : 'b';
}

static void serve(int in, int out)
{
    static struct sim_world world;
    static struct sim_machine machine;
    struct sim_tsm *tsm = NULL;
    struct error err = {0};
    char word[WORD_MAX];
    bool started = start_machine(&world, &machine);
    bool mounted = started && sim_tsm_start(&machine, root, &tsm, &err);
    if (!mounted)
        printf("skipped: %s\n", err.message);
    fflush(stdout);
    char reply = !started ? 'b' : mounted ? 'k' : 's';
    while (write(out, &reply, 1) == 1 && mounted && read(in, word, sizeof word) == sizeof word)
        reply = obey(&machine, word);
    sim_tsm_stop(&tsm);
    _exit(0);
}

static char answer(void)
{
    char reply = 'x';
    return read(reports, &reply, 1) == 1 ? reply : 'x';
}

static char start_server(void)
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0 || (server = fork()) < 0)
        return 'x';
    if (server == 0) {
        close(in[1]);
        close(out[0]);
        serve(in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    orders = in[1];
    reports = out[0];
    return answer();
}

static void play(const char *scenario)
{
    char word[WORD_MAX] = "";
    snprintf(word, sizeof word, "%s", scenario != NULL ? scenario : "");
    assert_int_equal(write(orders, word, sizeof word), sizeof word);
    assert_int_equal(answer(), 'k');
}

static size_t entries_left(void)
{
    size_t count = 0;
    DIR *d = opendir(root);
    assert_non_null(d);
    const struct dirent *e;
    while ((e = readdir(d)) != NULL)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static struct quote_source *open_source(unsigned timeout_ms, const atomic_bool *cancel)
{
    struct quote_source *s = NULL;
    struct error err = {0};
    const struct quote_source_options o = {.kind = QUOTE_SOURCE_CONFIGFS,
                                           .tsm_root = root,
                                           .timeout_ms = timeout_ms,
                                           .backoff_ms = 20,
                                           .cancel = cancel};
    if (!quote_source_open(&o, &s, &err))
        fail_msg("%s: %s", err.code, err.message);
    return s;
}

/* ---- the errno table ---- */

static void test_errno_table(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *code; /* NULL = the quote comes */
        const char *says;
    } cases[] = {
        {NULL, NULL, NULL},
        {"tsm:EBUSY", "platform/busy", "earlier request"},
        {"tsm:EBUSY:3", NULL, NULL},
        {"tsm:EBUSY:6", NULL, NULL},
        {"tsm:EBUSY:7", "platform/busy", "7 tries"},
        {"tsm:ETIMEDOUT", "platform/timeout", "host quote service"},
        {"tsm:ETIMEDOUT:3", NULL, NULL},
        {"tsm:ETIMEDOUT:4", "platform/timeout", "4 tries"},
        {"tsm:EINTR", "platform/quote", "signal"},
        {"tsm:EINTR:5", NULL, NULL},
        {"tsm:EINTR:6", "platform/quote", "6 tries"},
        {"tsm:EIO", "platform/quote", "host quote service"},
        {"tsm:EIO:1", NULL, NULL},
        {"tsm:EIO:2", "platform/quote", "2 tries"},
        {"tsm:EINVAL", "platform/quote", "64 bytes"},
        {"tsm:EINVAL:1", "platform/quote", "1 try"},
        {"tsm:EFBIG:1", "platform/quote", "larger than the kernel's buffer"},
        {"tsm:ENXIO", "platform/no-tee", "no quote provider"},
        {"tsm:empty", "platform/quote", "empty quote"},
        {"wrong-report-data", "platform/report-data", "other report data"},
        {NULL, NULL, NULL},
    };
    struct quote_source *s = open_source(10000, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
        struct error err = {0};
        play(cases[i].word);
        bool ok = quote_source_take(s, report_data, &quote, NULL, &err);
        if (ok != (cases[i].code == NULL))
            fail_msg("%s: %s: %s", cases[i].word, err.code, err.message);
        if (!ok &&
            (strcmp(err.code, cases[i].code) != 0 || strstr(err.message, cases[i].says) == NULL))
            fail_msg("%s: %s: %s", cases[i].word, err.code, err.message);
        if (!ok)
            assert_int_equal(quote.len, 0);
        assert_int_equal(entries_left(), 0);
    }
    quote_source_close(&s);
}

static void test_quote(void **state)
{
    (void)state;
    play(NULL);
    struct quote_source *s = open_source(10000, NULL);
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct buf event_log BUF_AUTO = BUF_INIT(100);
    struct error err = {0};
    struct quote q;
    buf_append_str(&quote, "");
    assert_true(quote_source_take(s, report_data, &quote, &event_log, &err));
    assert_true(quote_parse(buf_slice(&quote), &q, &err));
    assert_memory_equal(q.report_data, report_data, 64);
    assert_int_equal(event_log.len, 0);
    assert_string_equal(quote_source_name(s), "configfs-tsm");
    /* a caller without room for it */
    struct buf small BUF_AUTO = BUF_INIT(100);
    assert_false(quote_source_take(s, report_data, &small, NULL, &err));
    assert_string_equal(err.code, "platform/quote");
    assert_non_null(strstr(err.message, "room for"));
    quote_source_close(&s);
}

/* ---- deadlines ---- */

static void test_silent_host(void **state)
{
    (void)state;
    play("tsm:silent");
    struct quote_source *s = open_source(300, NULL);
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct error err = {0};
    int64_t began = clock_monotonic_ms();
    assert_false(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_true(clock_monotonic_ms() - began < 8000);
    assert_string_equal(err.code, "platform/timeout");
    assert_non_null(strstr(err.message, "300 ms"));
    /* the first request is still in the kernel: the next one waits for its turn, not for ever */
    assert_false(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_string_equal(err.code, "platform/busy");
    assert_true(clock_monotonic_ms() - began < 8000);
    quote_source_close(&s); /* does not wait for the kernel either */
    assert_true(clock_monotonic_ms() - began < 8000);
}

static void test_slow_host(void **state)
{
    (void)state;
    play("tsm:slow:300");
    struct quote_source *s = open_source(5000, NULL);
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct error err = {0};
    int64_t began = clock_monotonic_ms();
    assert_true(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_true(clock_monotonic_ms() - began >= 300);
    quote_source_close(&s);
}

static void *raise_flag(void *flag)
{
    pause_ms(150);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    static const char *const words[] = {"tsm:silent", "tsm:EBUSY"};
    for (size_t i = 0; i < 2; i++) {
        atomic_bool cancel = false;
        pthread_t thread;
        play(words[i]);
        struct quote_source *s = open_source(20000, &cancel);
        struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
        struct error err = {0};
        assert_int_equal(pthread_create(&thread, NULL, raise_flag, &cancel), 0);
        int64_t began = clock_monotonic_ms();
        assert_false(quote_source_take(s, report_data, &quote, NULL, &err));
        assert_string_equal(err.code, "platform/canceled");
        assert_true(clock_monotonic_ms() - began < 8000);
        pthread_join(thread, NULL);
        quote_source_close(&s);
    }
}

/* ---- many callers ---- */

static void *take_one(void *source)
{
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    struct error err = {0};
    return quote_source_take(source, report_data, &quote, NULL, &err) ? NULL : (void *)1;
}

static void test_callers_take_turns(void **state)
{
    (void)state;
    enum { CALLERS = 6 };
    play("tsm:slow:50");
    struct quote_source *s = open_source(10000, NULL);
    pthread_t threads[CALLERS];
    int64_t began = clock_monotonic_ms();
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_one, s), 0);
    for (size_t i = 0; i < CALLERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(clock_monotonic_ms() - began >= CALLERS * 50);
    assert_int_equal(entries_left(), 0);
    quote_source_close(&s);
}

/* ---- others in the directory ---- */

static atomic_int meddled;
static atomic_bool meddling;

/* Another root process that writes its own report data into our entry while we wait. */
static void *meddle(void *arg)
{
    int limit = *(const int *)arg;
    while (atomic_load(&meddling)) {
        DIR *d = opendir(root);
        const struct dirent *e;
        while (d != NULL && (e = readdir(d)) != NULL) {
            char path[512];
            snprintf(path, sizeof path, "%s/%s/inblob", root, e->d_name);
            if (strncmp(e->d_name, CONFIGFS_PREFIX, strlen(CONFIGFS_PREFIX)) != 0 ||
                atomic_load(&meddled) >= limit)
                continue;
            pause_ms(60); /* our commit is done, the quote is being made */
            int fd = open(path, O_WRONLY);
            uint8_t theirs[64] = {0};
            if (fd >= 0 && write(fd, theirs, sizeof theirs) == 64)
                atomic_fetch_add(&meddled, 1);
            if (fd >= 0)
                close(fd);
            while (access(path, F_OK) == 0)
                pause_ms(5);
        }
        if (d != NULL)
            closedir(d);
        pause_ms(5);
    }
    return NULL;
}

static void test_interference(void **state)
{
    (void)state;
    static const struct {
        int times;
        bool ok;
    } cases[] = {{1, true}, {100, false}};
    play("tsm:slow:250");
    for (size_t i = 0; i < 2; i++) {
        pthread_t thread;
        int times = cases[i].times;
        atomic_store(&meddled, 0);
        atomic_store(&meddling, true);
        struct quote_source *s = open_source(10000, NULL);
        struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
        struct error err = {0};
        assert_int_equal(pthread_create(&thread, NULL, meddle, &times), 0);
        bool ok = quote_source_take(s, report_data, &quote, NULL, &err);
        atomic_store(&meddling, false);
        pthread_join(thread, NULL);
        if (ok != cases[i].ok)
            fail_msg("%s: %s (meddled %d times)", err.code, err.message, atomic_load(&meddled));
        if (!ok)
            assert_non_null(strstr(err.message, "another process wrote"));
        assert_int_equal(entries_left(), 0);
        quote_source_close(&s);
    }
}

static void name_entry(const char *before, long pid, const char *after, char out[192])
{
    snprintf(out, 192, "%s/%s%ld%s", root, before, pid, after);
}

static pid_t dead; /* a process that was */

static void test_sweep(void **state)
{
    (void)state;
    const struct {
        const char *before;
        long pid;
        const char *after;
        bool stays;
    } cases[] = {
        {"merotee-", dead, "-0011223344556677", false},
        {"merotee-", getpid(), "-0011223344556677", true}, /* of a living process */
        {"other-", dead, "-0011223344556677", true},
        {"merotee-x", dead, "-00", true},
        {"merotee-", dead, "", true},
    };
    char path[192];
    struct stat st;
    play(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        name_entry(cases[i].before, cases[i].pid, cases[i].after, path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    struct quote_source *s = open_source(1000, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        name_entry(cases[i].before, cases[i].pid, cases[i].after, path);
        if ((stat(path, &st) == 0) != cases[i].stays)
            fail_msg("%s", path);
        rmdir(path);
    }
    quote_source_close(&s);
    assert_int_equal(entries_left(), 0);
}

/* ---- a directory that is none ---- */

static void test_plain_directory(void **state)
{
    (void)state;
    char plain[64];
    snprintf(plain, sizeof plain, "%s/plain", dir);
    assert_int_equal(mkdir(plain, 0700), 0);
    struct quote_source *s = NULL;
    struct error err = {0};
    const struct quote_source_options o = {
        .kind = QUOTE_SOURCE_CONFIGFS, .tsm_root = plain, .timeout_ms = 3000, .backoff_ms = 1};
    assert_true(quote_source_open(&o, &s, &err));
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    assert_false(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_string_equal(err.code, "platform/quote");
    assert_non_null(strstr(err.message, "provider"));
    assert_int_equal(rmdir(plain), 0); /* nothing was left in it */
    assert_false(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_string_equal(err.code, "platform/no-tee");
    quote_source_close(&s);
}

int main(void)
{
    /* the last two leave requests behind that the silent host keeps */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote),           cmocka_unit_test(test_errno_table),
        cmocka_unit_test(test_slow_host),       cmocka_unit_test(test_callers_take_turns),
        cmocka_unit_test(test_interference),    cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_plain_directory), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_silent_host),
    };
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(root, sizeof root, "%s/report", dir);
    memset(report_data, 0x42, sizeof report_data);
    dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    char started = start_server();
    int result = started == 's' ? SKIPPED : 1;
    if (started == 'k')
        result = cmocka_run_group_tests(tests, NULL, NULL);
    close(orders);
    waitpid(server, NULL, 0);
    return file_remove_tree(dir, NULL) ? result : 1;
}
