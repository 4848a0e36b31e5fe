/* Secret memory on libsodium's guarded allocator, and what a process does first to keep secrets in.
 */
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
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

/* ---- the shelf ----
 *
 * A guarded allocation costs ten system calls, which a key that lives for a millisecond does not
 * need anew: small secrets take a slot of one guarded, locked region. A mark behind each slot shows
 * a write that ran over its end when the slot is given back. */

enum { SLOT_LEN = 112, SLOT_MARK_LEN = 16, SLOT_STRIDE = SLOT_LEN + SLOT_MARK_LEN, SLOTS = 512 };

static struct {
    pthread_mutex_t lock;
    _Atomic(uint8_t *) slots; /* NULL until first needed */
    bool refused;             /* no locked memory for it: every secret is on its own */
    uint16_t free[SLOTS];
    size_t free_count;
    uint8_t mark[SLOT_MARK_LEN];
} shelf = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Lock held. */
static bool shelf_open(void)
{
    if (shelf.slots != NULL || shelf.refused)
        return shelf.slots != NULL;
    shelf.slots = sodium_malloc((size_t)SLOTS * SLOT_STRIDE);
    shelf.refused = shelf.slots == NULL;
    if (shelf.refused)
        return false;
    randombytes_buf(shelf.mark, sizeof shelf.mark);
    for (size_t i = 0; i < SLOTS; i++)
        shelf.free[i] = (uint16_t)(SLOTS - 1 - i);
    shelf.free_count = SLOTS;
    return true;
}

static uint8_t *shelf_take(void)
{
    uint8_t *slot = NULL;
    pthread_mutex_lock(&shelf.lock);
    if (shelf_open() && shelf.free_count > 0)
        slot = &shelf.slots[(size_t)shelf.free[--shelf.free_count] * SLOT_STRIDE];
    pthread_mutex_unlock(&shelf.lock);
    if (slot != NULL)
        memcpy(&slot[SLOT_LEN], shelf.mark, SLOT_MARK_LEN);
    return slot;
}

/* True when the bytes were on the shelf. */
static bool shelf_give_back(uint8_t *data)
{
    uintptr_t at = (uintptr_t)data, from = (uintptr_t)atomic_load(&shelf.slots);
    if (from == 0 || at < from || at >= from + (size_t)SLOTS * SLOT_STRIDE)
        return false;
    if (sodium_memcmp(&data[SLOT_LEN], shelf.mark, SLOT_MARK_LEN) != 0)
        abort(); /* as sodium_free() does: something wrote past the end of a secret */
    sodium_memzero(data, SLOT_LEN);
    pthread_mutex_lock(&shelf.lock);
    shelf.free[shelf.free_count++] = (uint16_t)((at - from) / SLOT_STRIDE);
    pthread_mutex_unlock(&shelf.lock);
    return true;
}

bool secret_alloc(struct secret *out, size_t len, struct error *err)
{
    uint8_t *data = NULL;
    if (sodium_ensure())
        data = len <= SLOT_LEN ? shelf_take() : NULL;
    if (data == NULL)
        data = sodium_ready ? sodium_malloc(len) : NULL;
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
    if (s->data != NULL && !shelf_give_back(s->data))
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
