/* What may ask a node to stop, the lock on its directory, and sd_notify. */
#include "node/watch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/notify.h"
#include "node/dir_lock.h"

static char workdir[64];

static struct watch *started(int eof_fd)
{
    struct watch *w = NULL;
    struct error err;
    struct watch_options options = {.eof_fd = eof_fd, .interval_ms = 20};
    assert_true(watch_start(&options, &w, &err));
    assert_int_equal(watch_reason(w), WATCH_RUNNING);
    assert_false(atomic_load(watch_cancel(w)));
    return w;
}

static void expect_stop(struct watch *w, enum watch_reason reason)
{
    assert_int_equal(watch_wait(w, -1), reason);
    assert_true(atomic_load(watch_cancel(w)));
    assert_int_equal(watch_reason(w), reason);
    watch_stop(&w);
    assert_null(w);
}

static void signals_stop(void **state)
{
    (void)state;
    struct watch *w = started(-1);
    assert_int_equal(kill(getpid(), SIGPIPE), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    expect_stop(w, WATCH_SIGNAL);
    w = started(-1);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    expect_stop(w, WATCH_INTERRUPT);
    w = started(-1);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    expect_stop(w, WATCH_SIGNAL);
}

static void the_first_reason_stays(void **state)
{
    (void)state;
    struct watch *w = started(-1);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(watch_wait(w, -1), WATCH_INTERRUPT);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    usleep(50000);
    expect_stop(w, WATCH_INTERRUPT);
}

static void end_of_the_parents_pipe_stops(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct watch *w = started(ends[0]);
    assert_int_equal(write(ends[1], "noise", 5), 5);
    usleep(60000);
    assert_int_equal(watch_reason(w), WATCH_RUNNING);
    close(ends[1]);
    expect_stop(w, WATCH_PARENT_GONE);
    close(ends[0]);
}

static void a_closed_descriptor_is_refused(void **state)
{
    (void)state;
    struct watch *w = NULL;
    struct error err;
    struct watch_options options = {.eof_fd = 987};
    assert_false(watch_start(&options, &w, &err));
    assert_null(w);
    assert_string_equal(err.code, "watch/fd");
    assert_string_equal(err.field, "--exit-on-eof");
}

static void a_replaced_directory_stops(void **state)
{
    (void)state;
    char dir[128], other[128];
    snprintf(dir, sizeof dir, "%s/data", workdir);
    snprintf(other, sizeof other, "%s/other", workdir);
    struct error err;
    assert_true(file_make_dirs(dir, 0700, &err) && file_make_dirs(other, 0700, &err));
    struct watch *w = started(-1);
    assert_true(watch_directory(w, dir, &err));
    usleep(60000);
    assert_int_equal(watch_reason(w), WATCH_RUNNING);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(rename(other, dir), 0);
    expect_stop(w, WATCH_DATA_REPLACED);

    w = started(-1);
    assert_true(watch_directory(w, dir, &err));
    assert_int_equal(rmdir(dir), 0);
    expect_stop(w, WATCH_DATA_REPLACED);

    w = started(-1);
    assert_false(watch_directory(w, dir, &err));
    assert_string_equal(err.code, "file/missing");
    watch_stop(&w);
}

static void stopping_does_not_wait_for_the_interval(void **state)
{
    (void)state;
    struct watch *w = NULL;
    struct watch_options options = {.eof_fd = -1};
    assert_true(watch_start(&options, &w, NULL));
    int64_t before = clock_monotonic_ms();
    watch_stop(&w);
    assert_true(clock_monotonic_ms() - before < 2000);
}

static void one_lock_per_directory(void **state)
{
    (void)state;
    int first DIR_LOCK_AUTO = -1, second DIR_LOCK_AUTO = -1;
    struct error err;
    assert_true(dir_lock_take(workdir, &first, &err));
    assert_false(dir_lock_take(workdir, &second, &err));
    assert_string_equal(err.code, "store/locked");
    assert_non_null(strstr(err.message, workdir));
    assert_int_equal(second, -1);
    dir_lock_release(&first);
    assert_true(dir_lock_take(workdir, &second, &err));
    assert_false(dir_lock_take("/nonexistent/node", &first, &err));
    assert_string_equal(err.code, "file/missing");
}

static int receiver(struct sockaddr_un *address, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    return fd;
}

static void expect_datagram(int fd, const char *text)
{
    char got[256] = {0};
    assert_int_equal(recv(fd, got, sizeof got - 1, 0), strlen(text));
    assert_string_equal(got, text);
    close(fd);
}

static void notify_reaches_both_kinds_of_socket(void **state)
{
    (void)state;
    struct error err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", workdir);
    int fd = receiver(&address, sizeof address);
    assert_true(notify_send(address.sun_path, "READY=1\nSTATUS=serving", &err));
    expect_datagram(fd, "READY=1\nSTATUS=serving");

    char name[64];
    snprintf(name, sizeof name, "@merod-test-%ld", (long)getpid());
    memset(address.sun_path, 0, sizeof address.sun_path);
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = 0;
    fd = receiver(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
    assert_true(notify_send(name, "STOPPING=1", &err));
    expect_datagram(fd, "STOPPING=1");
}

static void the_watchdog_is_fed_twice_as_often_as_asked(void **state)
{
    static const struct {
        const char *usec;
        int ms;
    } cases[] = {{NULL, -1},
                 {"", -1},
                 {"0", -1},
                 {"x", -1},
                 {"1", 1},
                 {"2000", 1},
                 {"4000", 2},
                 {"30000000", 15000},
                 {"120000000", 60000},
                 {"120002000", 60000},
                 {"99999999999999999999", 60000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(notify_watchdog_ms(cases[i].usec), cases[i].ms);
}

static void a_wait_may_be_short(void **state)
{
    struct watch_options options = {.eof_fd = -1};
    struct watch *w WATCH_AUTO = NULL;
    struct error err;
    (void)state;
    assert_true(watch_start(&options, &w, &err));
    int64_t begin_ms = clock_monotonic_ms();
    assert_int_equal(watch_wait(w, 30), WATCH_RUNNING);
    assert_true(clock_monotonic_ms() - begin_ms >= 29);
    kill(getpid(), SIGTERM);
    assert_int_equal(watch_wait(w, 5000), WATCH_SIGNAL);
    assert_true(clock_monotonic_ms() - begin_ms < 4000);
}

static void notify_without_a_listener(void **state)
{
    (void)state;
    struct error err;
    assert_true(notify_send(NULL, "READY=1", &err));
    assert_true(notify_send("", "READY=1", &err));
    assert_false(notify_send("relative", "READY=1", &err));
    assert_string_equal(err.code, "notify/path");
    assert_false(notify_send("/nonexistent/notify", "READY=1", &err));
    assert_string_equal(err.code, "notify/io");
    char path[110] = "/";
    for (size_t len = 106; len <= 109; len++) { /* sun_path has 108 bytes, one for the NUL */
        memset(path + 1, 'a', len - 1);
        path[len] = 0;
        assert_false(notify_send(path, "READY=1", &err));
        assert_string_equal(err.code, len < 108 ? "notify/io" : "notify/path");
    }
}

static int make_workdir(void **state)
{
    (void)state;
    snprintf(workdir, sizeof workdir, "/tmp/merod-watch-XXXXXX");
    return mkdtemp(workdir) == NULL;
}

static int drop_workdir(void **state)
{
    (void)state;
    return !file_remove_tree(workdir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_stop),
        cmocka_unit_test(the_first_reason_stays),
        cmocka_unit_test(end_of_the_parents_pipe_stops),
        cmocka_unit_test(a_closed_descriptor_is_refused),
        cmocka_unit_test(a_replaced_directory_stops),
        cmocka_unit_test(stopping_does_not_wait_for_the_interval),
        cmocka_unit_test(one_lock_per_directory),
        cmocka_unit_test(the_watchdog_is_fed_twice_as_often_as_asked),
        cmocka_unit_test(a_wait_may_be_short),
        cmocka_unit_test(notify_reaches_both_kinds_of_socket),
        cmocka_unit_test(notify_without_a_listener),
    };
    return cmocka_run_group_tests(tests, make_workdir, drop_workdir);
}
