/* One quote by configfs-tsm. The report data is committed when the file is closed, and the kernel
 * drops the result of that: only the generation counter tells whether it was taken, and whether
 * somebody else wrote in between. */
#include "platform/configfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/secret.h"
#include "platform/limits.h"
#include "platform/quote_check.h"

/* Failures that are not an errno. */
enum { CAUSE_EMPTY = -1, CAUSE_INTERFERENCE = -2, CAUSE_FATAL = -3 };

/* What each failure of a try means and how often it is worth another. */
static const struct remedy {
    int cause;
    unsigned retries;
    bool backs_off;
    const char *code;
    const char *text;
} remedies[] = {
    {EINTR, 5, false, "platform/quote", "a signal interrupted the wait for the quote"},
    {EBUSY, 6, true, "platform/busy",
     "the host quote service still has an earlier request of this machine"},
    {ETIMEDOUT, 3, true, "platform/timeout",
     "the host quote service (QGS) does not answer: the kernel waited in vain"},
    {EIO, 1, true, "platform/quote",
     "the host quote service (QGS) refused or failed; is it running and at DCAP 1.21 or newer?"},
    {CAUSE_EMPTY, 1, true, "platform/quote",
     "the host quote service (QGS) gave an empty quote; is it running, at DCAP 1.21 or newer, and "
     "reachable over vsock?"},
    {CAUSE_INTERFERENCE, 3, false, "platform/quote",
     "another process wrote to the report entry of this one"},
    {ENOENT, 3, false, "platform/quote", "the report entry vanished while it was in use"},
    {EINVAL, 0, false, "platform/quote", "the kernel did not take the 64 bytes of report data"},
    {EFBIG, 0, false, "platform/quote",
     "the quote is larger than the kernel's buffer, or the host lied about its length"},
    {ENXIO, 0, false, "platform/no-tee",
     "the kernel's quote provider is gone (tdx_guest unloaded)"},
};

/* One try: where it is and what stopped it. */
struct attempt {
    const struct configfs_request *request;
    char dir[PATH_TEXT_MAX];
    bool made;
    int cause;         /* errno or CAUSE_*, 0 = none */
    const char *where; /* attribute, or "mkdir" */
};

static bool stop_at(struct attempt *a, int cause, const char *where)
{
    a->cause = cause;
    a->where = where;
    return false;
}

/* CAUSE_FATAL: the error says it all. */
static bool stop_for_good(struct attempt *a)
{
    return stop_at(a, CAUSE_FATAL, "");
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define FD_AUTO __attribute__((cleanup(close_fd)))

static int open_attribute(const struct attempt *a, const char *name, int flags)
{
    char path[PATH_TEXT_MAX];
    if (!path_join(a->dir, name, path, NULL)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC);
}

/* ---- the entry ---- */

static bool fail_mkdir(struct attempt *a, struct error *err)
{
    int why = errno;
    const char *root = a->request->root;
    stop_for_good(a);
    if (why == ENOENT)
        return error_set(err, "platform/no-tee", NULL,
                         "%s does not exist: not a TDX guest, or configfs is not mounted, or the "
                         "kernel is older than 6.7",
                         root);
    if (why == ENXIO)
        return error_set(err, "platform/no-tee", NULL,
                         "the kernel has no quote provider: not a TDX guest, or the tdx_guest "
                         "module is not loaded");
    if (why == EACCES || why == EPERM || why == EROFS)
        return error_set(err, "platform/quote", NULL,
                         "no permission to make an entry in %s (%s): quotes need root there", root,
                         strerror(why));
    return error_set(err, "platform/quote", NULL, "cannot make an entry in %s: %s", root,
                     strerror(why));
}

static bool make_entry(struct attempt *a, struct error *err)
{
    for (unsigned i = 0; i < CONFIGFS_NAME_TRIES; i++) {
        uint8_t random[8];
        char digits[2 * sizeof random + 1];
        random_bytes(random, sizeof random);
        hex_encode(slice_of(random, sizeof random), digits);
        int len = snprintf(a->dir, sizeof a->dir, "%s/" CONFIGFS_PREFIX "%ld-%s", a->request->root,
                           (long)getpid(), digits);
        if (len < 0 || (size_t)len >= sizeof a->dir)
            errno = ENAMETOOLONG;
        else if (mkdir(a->dir, 0700) == 0)
            return a->made = true;
        if (errno != EEXIST)
            return fail_mkdir(a, err);
    }
    errno = EEXIST;
    return fail_mkdir(a, err);
}

static void end_attempt(struct attempt *a)
{
    if (a->made)
        rmdir(a->dir);
    a->made = false;
}

/* ---- its attributes ---- */

static bool read_line(struct attempt *a, const char *name, char out[CONFIGFS_ATTRIBUTE_MAX])
{
    int fd FD_AUTO = open_attribute(a, name, O_RDONLY);
    if (fd < 0)
        return stop_at(a, errno, name);
    ssize_t got = read(fd, out, CONFIGFS_ATTRIBUTE_MAX - 1);
    if (got < 0)
        return stop_at(a, errno, name);
    out[got] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return true;
}

static bool check_provider(struct attempt *a, struct error *err)
{
    char provider[CONFIGFS_ATTRIBUTE_MAX];
    if (!read_line(a, "provider", provider))
        return false;
    if (strcmp(provider, "tdx_guest") == 0 || strcmp(provider, "tdx-guest") == 0)
        return true;
    stop_for_good(a);
    return error_set(err, "platform/no-tee", "provider",
                     "this machine's quote provider is '%s', not tdx_guest", provider);
}

static bool read_generation(struct attempt *a, uint64_t *out)
{
    char text[CONFIGFS_ATTRIBUTE_MAX];
    if (!read_line(a, "generation", text))
        return false;
    uint64_t value = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || len > 18)
            return stop_at(a, EPROTO, "generation");
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return len > 0 || stop_at(a, EPROTO, "generation");
}

/* close() commits; where it reports a failure at all, it counts. */
static bool write_report_data(struct attempt *a)
{
    int fd = open_attribute(a, "inblob", O_WRONLY);
    if (fd < 0)
        return stop_at(a, errno, "inblob");
    ssize_t put = write(fd, a->request->report_data, REPORT_DATA_LEN);
    int why = put < 0 ? errno : put != REPORT_DATA_LEN ? EIO : 0;
    if (close(fd) != 0 && why == 0)
        why = errno;
    return why == 0 || stop_at(a, why, "inblob");
}

static bool read_quote(struct attempt *a, struct buf *quote)
{
    int fd FD_AUTO = open_attribute(a, "outblob", O_RDONLY);
    if (fd < 0)
        return stop_at(a, errno, "outblob");
    for (;;) {
        uint8_t block[16384];
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0)
            return stop_at(a, errno, "outblob");
        if (got == 0)
            break;
        if (!buf_append(quote, slice_of(block, (size_t)got)))
            return stop_at(a, EFBIG, "outblob");
    }
    return quote->len > 0 || stop_at(a, CAUSE_EMPTY, "outblob");
}

static bool run_attempt(struct attempt *a, struct buf *quote, struct error *err)
{
    uint64_t before = 0;
    uint64_t after = 0;
    if (!make_entry(a, err) || !check_provider(a, err) || !read_generation(a, &before) ||
        !write_report_data(a) || !read_quote(a, quote) || !read_generation(a, &after))
        return false;
    return after == before + 1 || stop_at(a, CAUSE_INTERFERENCE, "generation");
}

/* ---- tries ---- */

static bool is_stopped(const struct configfs_request *r)
{
    return r->stop != NULL && atomic_load(r->stop);
}

static void back_off(const struct configfs_request *r, unsigned attempt)
{
    const struct timespec nap = {.tv_nsec = CONFIGFS_POLL_MS * 1000000L};
    unsigned first = r->backoff_ms != 0 ? r->backoff_ms : CONFIGFS_BACKOFF_MS;
    unsigned doublings =
        attempt < CONFIGFS_BACKOFF_DOUBLINGS ? attempt : CONFIGFS_BACKOFF_DOUBLINGS;
    int64_t until = clock_monotonic_ms() + ((int64_t)first << doublings);
    while (clock_monotonic_ms() < until && clock_monotonic_ms() < r->deadline_ms && !is_stopped(r))
        nanosleep(&nap, NULL);
}

static struct remedy remedy_for(int cause)
{
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++)
        if (remedies[i].cause == cause)
            return remedies[i];
    return (struct remedy){.cause = cause, .code = "platform/quote"};
}

static bool give_up(const struct attempt *a, const struct remedy *r, unsigned tries,
                    struct error *err)
{
    if (r->text == NULL)
        return error_set(err, r->code, a->where, "%s of the report entry: %s", a->where,
                         strerror(a->cause));
    return error_set(err, r->code, a->where, "%s (%s, %u %s)", r->text, a->where, tries,
                     tries == 1 ? "try" : "tries");
}

/* True when another try is worth it; fills err when not. `failures` counts those of this cause. */
static bool try_again(const struct attempt *a, unsigned tries, unsigned failures, struct error *err)
{
    if (a->cause == CAUSE_FATAL)
        return false;
    struct remedy r = remedy_for(a->cause);
    give_up(a, &r, tries, err);
    if (failures > r.retries)
        return false;
    if (r.backs_off)
        back_off(a->request, failures - 1);
    if (is_stopped(a->request))
        return error_set(err, "platform/canceled", NULL, "taking the quote was canceled");
    return clock_monotonic_ms() < a->request->deadline_ms;
}

bool configfs_take(const struct configfs_request *request, struct buf *quote, struct error *err)
{
    unsigned failures = 0;
    int last_cause = 0;
    for (unsigned tries = 1;; tries++) {
        struct attempt a __attribute__((cleanup(end_attempt))) = {.request = request};
        struct buf taken BUF_AUTO = BUF_INIT(QUOTE_SOURCE_LEN_MAX);
        if (run_attempt(&a, &taken, err))
            return quote_check(buf_slice(&taken), request->report_data, err) &&
                   (buf_append(quote, buf_slice(&taken)) ||
                    error_set(err, "platform/quote", NULL, "the quote is larger than %zu bytes",
                              quote->max));
        end_attempt(&a);
        failures = a.cause == last_cause ? failures + 1 : 1;
        last_cause = a.cause;
        if (!try_again(&a, tries, failures, err))
            return false;
    }
}

/* ---- sweeping ---- */

/* The number in "merotee-123-...", 0 when the name is none of ours. */
static long owner_of(const char *name)
{
    size_t prefix = strlen(CONFIGFS_PREFIX);
    if (strncmp(name, CONFIGFS_PREFIX, prefix) != 0)
        return 0;
    long pid = 0;
    size_t i = prefix;
    for (; name[i] >= '0' && name[i] <= '9' && pid < 100000000; i++)
        pid = pid * 10 + (name[i] - '0');
    return name[i] == '-' ? pid : 0;
}

void configfs_sweep(const char *root)
{
    DIR *dir = opendir(root);
    if (dir == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        long pid = owner_of(entry->d_name);
        if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}
