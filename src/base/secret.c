/* Secret memory on libsodium's guarded allocator, and what a process does first to keep secrets in.
 */
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;
static bool sodium_ready;

static void sodium_start(void)
{
    sodium_ready = sodium_init() >= 0;
}

/* Library users never call an initialiser of ours, so every entry that needs libsodium's state
 * comes through here. */
static bool sodium_ensure(void)
{
    pthread_once(&sodium_once, sodium_start);
    return sodium_ready;
}

bool secret_process_init(struct error *err)
{
    if (!sodium_ensure())
        return error_set(err, "secret/init", NULL, "libsodium cannot start: no usable randomness");
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return error_set(err, "secret/init", NULL, "cannot switch core files off: %s",
                         strerror(errno));
    umask(077);
    return true;
}

bool secret_alloc(struct secret *out, size_t len, struct error *err)
{
    uint8_t *data = sodium_ensure() ? sodium_malloc(len) : NULL;
    if (data == NULL)
        return error_set(err, "secret/memory", NULL,
                         "no locked memory for %zu secret bytes (raise the memlock limit)", len);
    *out = (struct secret){data, len};
    return true;
}

bool secret_copy(struct secret *out, struct slice bytes, struct error *err)
{
    if (!secret_alloc(out, bytes.len, err))
        return false;
    if (bytes.len > 0)
        memcpy(out->data, bytes.data, bytes.len);
    return true;
}

struct slice secret_slice(const struct secret *s)
{
    return (struct slice){s->data, s->len};
}

void secret_free(struct secret *s)
{
    sodium_free(s->data);
    *s = (struct secret){NULL, 0};
}

void secret_wipe(void *data, size_t len)
{
    sodium_memzero(data, len);
}

void random_bytes(void *out, size_t len)
{
    if (!sodium_ensure())
        abort();
    randombytes_buf(out, len);
}
