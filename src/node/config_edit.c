/* Editing config.toml: parse, set, validate, replace. The candidate is validated in memory, so the
 * private key in it is never written anywhere but to its own file. */
#include "node/config_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/config.h"
#include "toml/toml.h"

enum { KEY_MAX = 1024, LOCK_TRIES = 100 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool same_file(int fd, const char *path)
{
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* Every edit replaces the file, so a lock counts only while it is on the file that has the name. */
static bool lock_file(const char *path, int *out, struct error *err)
{
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        __attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX) != 0)
            return error_set(err, "file/io", path, "cannot lock %s: %s", path, strerror(errno));
        if (same_file(fd, path)) {
            *out = fd;
            fd = -1;
            return true;
        }
    }
    return error_set(err, "file/io", path, "%s keeps changing", path);
}

/* "key=value" at the first '='; both parts are checked before any file is touched. */
static bool split(const char *assignment, char key[KEY_MAX], struct slice *value, struct error *err)
{
    struct error why = {0};
    const char *equals = strchr(assignment, '=');
    if (equals == NULL)
        return error_set(err, "usage", NULL,
                         "invalid value '%s' for '[KEY=VALUE]...': Missing value", assignment);
    size_t len = (size_t)(equals - assignment);
    if (len >= KEY_MAX)
        return error_set(err, "usage", NULL, "a key has at most %d characters", KEY_MAX - 1);
    memcpy(key, assignment, len);
    key[len] = 0;
    *value = slice_str(&equals[1]);
    if (toml_check_value(*value, &why))
        return true;
    return error_set(err, "usage", key, "invalid value for '%s': %s", key, why.message);
}

static bool check_arguments(const char *const *assignments, size_t count, struct error *err)
{
    char key[KEY_MAX];
    struct slice value;
    for (size_t i = 0; i < count; i++)
        if (!split(assignments[i], key, &value, err))
            return false;
    return true;
}

static bool apply(struct buf *text, const char *assignment, struct error *err)
{
    BUF_AUTO struct buf edited = BUF_INIT_SECRET(TOML_LEN_MAX);
    char key[KEY_MAX];
    struct slice value;
    if (!split(assignment, key, &value, err) ||
        !toml_set(buf_slice(text), key, value, &edited, err))
        return false;
    struct buf before = *text;
    *text = edited;
    edited = before;
    return true;
}

static bool validate(struct slice text, const char *dir, struct error *err)
{
    NODE_CONFIG_AUTO struct node_config *config = NULL;
    return node_config_parse(text, dir, &config, err) && node_config_validate(config, err);
}

bool node_config_edit(const char *dir, const char *const *assignments, size_t count,
                      struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT_SECRET(TOML_LEN_MAX);
    char path[PATH_TEXT_MAX];
    __attribute__((cleanup(close_fd))) int lock = -1;
    if (!check_arguments(assignments, count, err))
        return false;
    if (!node_config_exists(dir))
        return error_set(err, "config/not-initialized", NULL, "Node is not initialized in \"%s\"",
                         dir);
    if (!path_join(dir, NODE_CONFIG_FILE, path, err) || !lock_file(path, &lock, err) ||
        !file_read(path, &text, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!apply(&text, assignments[i], err))
            return false;
    return validate(buf_slice(&text), dir, err) &&
           file_write_atomic(path, buf_slice(&text), 0600, err);
}
