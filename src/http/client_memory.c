/* libcurl's allocator: every block is wiped when it is given back, so that no reply (a storage key
 * may be in it) outlives its transfer in free memory. */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "http/client_internal.h"

static void wiping_free(void *block)
{
    if (block != NULL)
        secret_wipe(block, malloc_usable_size(block));
    free(block);
}

static void *wiping_realloc(void *block, size_t len)
{
    if (block == NULL)
        return malloc(len);
    size_t had = malloc_usable_size(block);
    if (len != 0 && len <= had)
        return block;
    void *moved = malloc(len);
    if (moved != NULL) {
        memcpy(moved, block, len < had ? len : had);
        wiping_free(block);
    }
    return moved;
}

static char *plain_strdup(const char *text)
{
    return strdup(text);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void start(void)
{
    started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc,
                                   plain_strdup, calloc);
}

bool http_curl_start(struct error *err)
{
    pthread_once(&once, start);
    return started == CURLE_OK || error_set(err, "http/memory", NULL, "libcurl cannot start: %s",
                                            curl_easy_strerror(started));
}
