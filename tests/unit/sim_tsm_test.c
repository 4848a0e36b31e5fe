/* The emulated configfs-tsm: the tree by itself, then the mounted file system with plain system
 * calls and with the production quote source. The mounted part is skipped where FUSE cannot mount.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "platform/quote_source.h"
#include "quote/quote.h"
#include "sim/tsm_tree.h"
#include "support/sim_process.h"

static struct error err;
static struct sim_process sim;
static bool mounted;
static char dir[] = "/tmp/mero-tsm-XXXXXX";
static char root[PATH_TEXT_MAX];
static const uint8_t report_data[64] = {0x5a, 1, 2};

/* --- the tree --- */

static void tree_makes_finds_and_removes(void **state)
{
    (void)state;
    static struct tsm_tree tree;
    enum tsm_kind kind;
    enum tsm_attribute attribute;
    struct tsm_entry *entry;
    assert_int_equal(tsm_lookup(&tree, "/", &kind, &entry, &attribute), 0);
    assert_int_equal(kind, TSM_ROOT);
    assert_int_equal(tsm_lookup(&tree, "/a", &kind, &entry, &attribute), ENOENT);
    assert_int_equal(tsm_make(&tree, "/a"), 0);
    assert_int_equal(tsm_make(&tree, "/a"), EEXIST);
    assert_int_equal(tsm_make(&tree, "/a/b"), EPERM);
    assert_int_equal(tsm_lookup(&tree, "/a", &kind, &entry, &attribute), 0);
    assert_int_equal(kind, TSM_ENTRY);
    uint64_t serial = entry->serial;
    assert_int_equal(tsm_lookup(&tree, "/a/outblob", &kind, &entry, &attribute), 0);
    assert_int_equal(kind, TSM_FILE);
    assert_int_equal(attribute, TSM_OUTBLOB);
    assert_int_equal(tsm_lookup(&tree, "/a/privlevel", &kind, &entry, &attribute), ENOENT);
    assert_int_equal(tsm_lookup(&tree, "/a/b/c", &kind, &entry, &attribute), ENOTDIR);
    assert_int_equal(tsm_remove(&tree, "/a/inblob"), ENOTDIR);
    assert_int_equal(tsm_remove(&tree, "/"), EBUSY);
    assert_int_equal(tsm_remove(&tree, "/a"), 0);
    assert_int_equal(tsm_remove(&tree, "/a"), ENOENT);
    assert_null(tsm_by_serial(&tree, serial));
    assert_int_equal(tsm_make(&tree, "/a"), 0); /* the same name, another entry */
    assert_null(tsm_by_serial(&tree, serial));
}

static void tree_has_ceilings(void **state)
{
    (void)state;
    static struct tsm_tree tree;
    char path[TSM_NAME_MAX + 2] = "/";
    memset(path + 1, 'n', TSM_NAME_MAX);
    assert_int_equal(tsm_make(&tree, path), ENAMETOOLONG);
    path[TSM_NAME_MAX] = '\0';
    assert_int_equal(tsm_make(&tree, path), 0);
    for (int i = 1; i < SIM_TSM_ENTRIES_MAX; i++) {
        snprintf(path, sizeof path, "/e%d", i);
        assert_int_equal(tsm_make(&tree, path), 0);
    }
    assert_int_equal(tsm_make(&tree, "/one-more"), ENOSPC);
}

/* --- the mount --- */

static void need_mount(void)
{
    if (!mounted)
        skip();
}

static void play(const char *word)
{
    sim_process_play(&sim, "machines/node", word);
}

static const char *at(const char *entry, const char *attribute)
{
    static char path[PATH_TEXT_MAX + 128];
    snprintf(path, sizeof path, "%s/%s%s%s", root, entry, attribute[0] == '\0' ? "" : "/",
             attribute);
    return path;
}

static void make(const char *entry)
{
    assert_int_equal(mkdir(at(entry, ""), 0700), 0);
}

static void drop(const char *entry)
{
    assert_int_equal(rmdir(at(entry, "")), 0);
}

/* Bytes read to the end, or -errno. */
static ssize_t read_all(const char *entry, const char *attribute, uint8_t *out, size_t max)
{
    size_t len = 0;
    int fd = open(at(entry, attribute), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t got = read(fd, out + len, max - len);
        if (got < 0) {
            int why = errno;
            close(fd);
            return -why;
        }
        if (got == 0)
            break;
        len += (size_t)got;
    }
    close(fd);
    return (ssize_t)len;
}

/* 0, or the errno of open, write or close. */
static int write_inblob(const char *entry, const uint8_t *data, size_t len, int flags)
{
    int fd = open(at(entry, "inblob"), O_WRONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return errno;
    if (write(fd, data, len) != (ssize_t)len) {
        int why = errno;
        close(fd);
        return why;
    }
    return close(fd) == 0 ? 0 : errno;
}

static long generation(const char *entry)
{
    uint8_t text[32];
    ssize_t len = read_all(entry, "generation", text, sizeof text);
    assert_in_range(len, 2, 20);
    assert_int_equal(text[len - 1], '\n');
    long value = 0;
    for (ssize_t i = 0; i < len - 1; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

static void it_looks_like_configfs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        mode_t mode;
    } attributes[] = {
        {"inblob", 0200}, {"outblob", 0444}, {"generation", 0444}, {"provider", 0444}};
    struct stat st;
    uint8_t text[32];
    need_mount();
    make("look");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(stat(at("look", attributes[i].name), &st), 0);
        assert_int_equal(st.st_mode & 07777, attributes[i].mode);
        assert_int_equal(st.st_size, 0);
    }
    assert_int_equal(stat(at("look", "auxblob"), &st), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(read_all("look", "provider", text, sizeof text), 10);
    assert_memory_equal(text, "tdx_guest\n", 10);
    size_t names = 0;
    DIR *d = opendir(at("look", ""));
    assert_non_null(d);
    while (readdir(d) != NULL)
        names++;
    closedir(d);
    assert_int_equal(names, 2 + 4);
    assert_int_equal(mkdir(at("look", ""), 0700), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(unlink(at("look", "inblob")), -1);
    drop("look");
    assert_int_equal(rmdir(at("look", "")), -1);
    assert_int_equal(errno, ENOENT);
}

static void closing_commits_and_reading_quotes(void **state)
{
    (void)state;
    static uint8_t quote[SIM_QUOTE_MAX];
    struct quote parsed;
    need_mount();
    make("quote");
    assert_int_equal(generation("quote"), 0);
    assert_int_equal(write_inblob("quote", report_data, 64, 0), 0);
    assert_int_equal(generation("quote"), 1);
    ssize_t len = read_all("quote", "outblob", quote, sizeof quote);
    assert_int_equal(len, 8000);
    assert_true(quote_parse(slice_of(quote, (size_t)len), &parsed, &err));
    assert_memory_equal(parsed.report_data, report_data, 64);
    uint8_t other[64] = {1};
    assert_int_equal(write_inblob("quote", other, 64, O_TRUNC), 0);
    assert_int_equal(generation("quote"), 2);
    len = read_all("quote", "outblob", quote, sizeof quote);
    assert_memory_equal(quote + 568, other, 64);
    drop("quote");
}

/* The commit happens at close, not before. */
static void an_open_inblob_is_not_committed(void **state)
{
    (void)state;
    uint8_t text[SIM_QUOTE_MAX / 16];
    need_mount();
    make("open");
    int fd = open(at("open", "inblob"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, report_data, 64), 64);
    assert_int_equal(generation("open"), 0);
    assert_int_equal(read_all("open", "outblob", text, sizeof text), -EINVAL);
    close(fd);
    assert_int_equal(generation("open"), 1);
    drop("open");
}

static void wrong_use_has_its_errno(void **state)
{
    (void)state;
    static uint8_t blob[65];
    uint8_t text[64];
    need_mount();
    make("wrong");
    assert_int_equal(read_all("wrong", "outblob", text, sizeof text), -EINVAL); /* no inblob */
    assert_int_equal(write_inblob("wrong", blob, 65, 0), EFBIG);
    assert_int_equal(generation("wrong"), 0);
    assert_int_equal(write_inblob("wrong", blob, 63, 0), 0);
    assert_int_equal(read_all("wrong", "outblob", text, sizeof text), -EINVAL); /* too short */
    assert_int_equal(read_all("wrong", "inblob", text, sizeof text), -EACCES);
    assert_int_equal(open(at("wrong", "outblob"), O_WRONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, EACCES);
    drop("wrong");
}

static void faults_come_as_told(void **state)
{
    (void)state;
    static uint8_t blob[SIM_QUOTE_MAX];
    static const struct {
        const char *word;
        int why;
    } cases[] = {{"tsm:EBUSY", EBUSY},
                 {"tsm:ETIMEDOUT", ETIMEDOUT},
                 {"tsm:EIO", EIO},
                 {"tsm:EINTR", EINTR},
                 {"tsm:EFBIG", EFBIG}};
    need_mount();
    make("fault");
    assert_int_equal(write_inblob("fault", report_data, 64, 0), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        play(cases[i].word);
        assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), -cases[i].why);
        assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), -cases[i].why);
    }
    play("tsm:EBUSY:2");
    assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), -EBUSY);
    assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), -EBUSY);
    assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), 8000);
    play("tsm:empty");
    assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), 0);
    play("tsm:slow:200");
    int64_t begin = clock_monotonic_ms();
    assert_int_equal(read_all("fault", "outblob", blob, sizeof blob), 8000);
    assert_true(clock_monotonic_ms() - begin >= 200);
    drop("fault");
    play("tsm:ENXIO");
    assert_int_equal(mkdir(at("gone", ""), 0700), -1);
    assert_int_equal(errno, ENXIO);
    play("");
}

/* A reader that is killed while the answer does not come leaves no trace. */
static void a_silent_read_can_be_killed(void **state)
{
    (void)state;
    int status = 0;
    need_mount();
    make("silent");
    assert_int_equal(write_inblob("silent", report_data, 64, 0), 0);
    play("tsm:silent");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t byte;
        alarm(1);
        read_all("silent", "outblob", &byte, 1);
        _exit(0);
    }
    int64_t begin = clock_monotonic_ms();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(clock_monotonic_ms() - begin < 3000);
    play("");
    drop("silent");
}

static void *take_quotes(void *arg)
{
    static uint8_t blobs[4][SIM_QUOTE_MAX / 16];
    size_t i = (size_t)(uintptr_t)arg;
    char name[16];
    char path[PATH_TEXT_MAX + 32];
    uint8_t data[64] = {(uint8_t)(i + 1)};
    snprintf(name, sizeof name, "p%zu", i);
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (int round = 0; round < 10; round++) {
        char file[PATH_TEXT_MAX + 64];
        if (mkdir(path, 0700) != 0)
            return arg;
        snprintf(file, sizeof file, "%s/inblob", path);
        int fd = open(file, O_WRONLY | O_CLOEXEC);
        bool ok = fd >= 0 && write(fd, data, 64) == 64;
        ok = close(fd) == 0 && ok;
        snprintf(file, sizeof file, "%s/outblob", path);
        fd = open(file, O_RDONLY | O_CLOEXEC);
        ok = ok && read(fd, blobs[i], sizeof blobs[i]) == 8000 &&
             memcmp(blobs[i] + 568, data, 64) == 0;
        close(fd);
        if (rmdir(path) != 0 || !ok)
            return arg;
    }
    return NULL;
}

static void parallel_readers_get_their_own(void **state)
{
    (void)state;
    pthread_t threads[4];
    need_mount();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_quotes, (void *)(uintptr_t)(i + 0)),
                         0);
    for (size_t i = 0; i < 4; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

static bool take(struct buf *quote)
{
    struct quote_source *source = NULL;
    const struct quote_source_options options = {
        .kind = QUOTE_SOURCE_CONFIGFS, .tsm_root = root, .timeout_ms = 3000, .backoff_ms = 20};
    assert_true(quote_source_open(&options, &source, &err));
    bool ok = quote_source_take(source, report_data, quote, NULL, &err);
    quote_source_close(&source);
    return ok;
}

static void production_source_is_served(void **state)
{
    (void)state;
    struct buf quote BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
    need_mount();
    if (!take(&quote))
        fail_msg("%s: %s", err.code, err.message);
    assert_memory_equal(quote.data + 568, report_data, 64);
    play("tsm:EBUSY:2"); /* backs off and succeeds */
    assert_true(take(&quote));
    play("tsm:empty");
    assert_false(take(&quote));
    play("tsm:ETIMEDOUT");
    assert_false(take(&quote));
    play("wrong-report-data");
    assert_false(take(&quote));
    assert_true(error_is(&err, "platform/report-data"));
    play("");
    DIR *d = opendir(root); /* every try was cleaned up */
    size_t names = 0;
    while (readdir(d) != NULL)
        names++;
    closedir(d);
    assert_int_equal(names, 2);
}

/* A read that waits for an answer ends when the scenario does. */
static void silence_ends_with_its_scenario(void **state)
{
    (void)state;
    int status = 0;
    need_mount();
    make("wait");
    assert_int_equal(write_inblob("wait", report_data, 64, 0), 0);
    play("tsm:silent");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static uint8_t blob[SIM_QUOTE_MAX];
        _exit(read_all("wait", "outblob", blob, sizeof blob) == 8000 ? 7 : 8);
    }
    usleep(200000);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    play("");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    drop("wait");
}

static const char *const second_machine[] = {"name=second,type=gcp"};

/* Unmounting does not wait for those who still hold files. */
static void it_ends_under_open_files(void **state)
{
    (void)state;
    struct sim_process second;
    struct stat st;
    char path[128];
    char file[160];
    need_mount();
    snprintf(path, sizeof path, "%s/second", dir);
    assert_true(sim_process_start(&second, path, second_machine, 1, &err));
    snprintf(file, sizeof file, "%s/second.tsm/e", path);
    assert_int_equal(mkdir(file, 0700), 0);
    snprintf(file, sizeof file, "%s/second.tsm/e/inblob", path);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int64_t begin = clock_monotonic_ms();
    assert_true(sim_process_stop(&second));
    assert_true(clock_monotonic_ms() - begin < 3000);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
    snprintf(file, sizeof file, "%s/second.tsm/e", path);
    assert_int_equal(stat(file, &st), -1);
    assert_int_equal(errno, ENOENT);
}

/* A killed server leaves a dead mount; the next start takes it away. */
static void a_dead_mount_is_replaced(void **state)
{
    (void)state;
    struct sim_process second;
    struct stat st;
    char path[128];
    char file[160];
    need_mount();
    snprintf(path, sizeof path, "%s/killed", dir);
    snprintf(file, sizeof file, "%s/second.tsm", path);
    assert_true(sim_process_start(&second, path, second_machine, 1, &err));
    assert_int_equal(kill(second.pid, SIGKILL), 0);
    assert_false(sim_process_stop(&second));
    assert_int_equal(stat(file, &st), -1);
    assert_int_equal(errno, ENOTCONN);
    if (!sim_process_start(&second, path, second_machine, 1, &err))
        fail_msg("%s", err.message);
    assert_int_equal(stat(file, &st), 0);
    assert_true(sim_process_stop(&second));
}

static void a_place_that_cannot_be_mounted_says_so(void **state)
{
    (void)state;
    struct sim_process none;
    char machine[256];
    const char *const machines[] = {machine};
    need_mount();
    snprintf(machine, sizeof machine, "name=second,type=gcp,tsm=%s/file", dir);
    assert_true(file_write_atomic(&machine[sizeof "name=second,type=gcp,tsm=" - 1], slice_str("x"),
                                  0600, &err));
    assert_false(sim_process_start(&none, dir, machines, 1, &err));
}

static int set_up(void **state)
{
    (void)state;
    static const char *const machines[] = {"name=node,type=gcp"};
    char state_dir[64];
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(state_dir, sizeof state_dir, "%s/sim", dir);
    mounted = sim_process_start(&sim, state_dir, machines, 1, &err);
    if (mounted)
        snprintf(root, sizeof root, "%s", sim_process_text(&sim, "node", "tsm_root"));
    else
        print_message("[skipping the mounted part: %s]\n", err.message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bool ended = !mounted || sim_process_stop(&sim);
    return file_remove_tree(dir, NULL) && ended ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_makes_finds_and_removes),
        cmocka_unit_test(tree_has_ceilings),
        cmocka_unit_test(it_looks_like_configfs),
        cmocka_unit_test(closing_commits_and_reading_quotes),
        cmocka_unit_test(an_open_inblob_is_not_committed),
        cmocka_unit_test(wrong_use_has_its_errno),
        cmocka_unit_test(faults_come_as_told),
        cmocka_unit_test(a_silent_read_can_be_killed),
        cmocka_unit_test(parallel_readers_get_their_own),
        cmocka_unit_test(production_source_is_served),
        cmocka_unit_test(silence_ends_with_its_scenario),
        cmocka_unit_test(it_ends_under_open_files),
        cmocka_unit_test(a_dead_mount_is_replaced),
        cmocka_unit_test(a_place_that_cannot_be_mounted_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
