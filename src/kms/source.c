/* Sources and their limits. */
#include "kms/source.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"
#include "kms/config_values.h"

enum { WAYS = 8, TOKEN = 1000 /* tokens are counted in thousandths */ };

/* ---- who ---- */

bool kms_cidr_list_has(const struct kms_cidr_list *list, const uint8_t address[16])
{
    for (size_t i = 0; i < list->count; i++) {
        const struct kms_cidr *c = &list->items[i];
        unsigned whole = c->bits / 8, rest = c->bits % 8;
        uint8_t mask = (uint8_t)(0xff00 >> rest);
        if (memcmp(c->address, address, whole) == 0 &&
            (rest == 0 || (c->address[whole] & mask) == (address[whole] & mask)))
            return true;
    }
    return false;
}

/* One hop as proxies write it: "1.2.3.4", "1.2.3.4:5", "2001:db8::1", "[2001:db8::1]:5". */
static bool hop_parse(struct slice hop, uint8_t out[16])
{
    char text[64];
    while (hop.len > 0 && (hop.data[0] == ' ' || hop.data[0] == '\t'))
        hop = slice_cut(hop, 1, hop.len - 1);
    while (hop.len > 0 && (hop.data[hop.len - 1] == ' ' || hop.data[hop.len - 1] == '\t'))
        hop.len--;
    if (hop.len == 0 || hop.len >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)hop.len, (const char *)hop.data);
    char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    if (bracket != NULL) {
        *bracket = '\0';
        return kms_address_parse(&text[1], out);
    }
    char *colon = strchr(text, ':');
    if (colon != NULL && strchr(&colon[1], ':') == NULL)
        *colon = '\0';
    return kms_address_parse(text, out);
}

/* From the right: hops that are ours are passed over, the first that is not is the source. */
static bool last_untrusted(const struct kms_cidr_list *trusted, const char *forwarded,
                           uint8_t out[16])
{
    struct slice rest = slice_str(forwarded);
    bool found = false;
    for (unsigned hops = 0; hops < KMS_FORWARDED_HOPS_MAX && rest.len > 0; hops++) {
        size_t at = rest.len;
        while (at > 0 && rest.data[at - 1] != ',')
            at--;
        /* A hop that nobody can read ends the chain: what is left of it is hearsay. */
        if (!hop_parse(slice_cut(rest, at, rest.len - at), out))
            return found;
        found = true;
        if (!kms_cidr_list_has(trusted, out))
            return true;
        rest.len = at > 0 ? at - 1 : 0;
    }
    return found;
}

static void make_key(struct kms_source *s, const uint8_t address[16])
{
    bool v4 = slice_is_zero(slice_of(address, 10)) && address[10] == 0xff && address[11] == 0xff;
    memcpy(s->key, address, 16);
    if (!v4)
        memset(&s->key[8], 0, 8);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &s->key[12] : s->key, s->text, sizeof(s->text));
    if (!v4)
        snprintf(&s->text[strlen(s->text)], 4, "/64");
    s->known = true;
}

struct kms_source kms_source_of(const struct kms_cidr_list *trusted, const char *peer,
                                const char *forwarded)
{
    struct kms_source s = {.text = "unix"};
    uint8_t address[16], hop[16];
    bool local = strcmp(peer, "unix") == 0;
    if (!local && !kms_address_parse(peer, address))
        return s;
    if (!local)
        make_key(&s, address);
    if (forwarded == NULL)
        return s;
    /* Whoever can reach a unix socket of ours was let in by its mode. */
    if (!local && !kms_cidr_list_has(trusted, address)) {
        s.untrusted_xff = true;
        return s;
    }
    if (last_untrusted(trusted, forwarded, hop)) {
        make_key(&s, hop);
        s.forwarded = true;
    }
    return s;
}

/* ---- how often ---- */

struct bucket {
    uint8_t key[16];
    uint64_t tokens; /* thousandths */
    int64_t filled_ms;
    bool used;
};

struct kms_source_limiter {
    pthread_mutex_t lock;
    uint32_t rate, burst;
    uint8_t hash_key[32]; /* so that nobody can crowd one set on purpose */
    struct bucket buckets[KMS_SOURCE_SETS][WAYS];
};

bool kms_source_limiter_open(uint32_t rate, uint32_t burst, struct kms_source_limiter **out,
                             struct error *err)
{
    struct kms_source_limiter *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return error_set(err, "source/memory", NULL, "out of memory");
    pthread_mutex_init(&l->lock, NULL);
    l->rate = rate;
    l->burst = burst > 0 ? burst : 1;
    random_bytes(l->hash_key, sizeof(l->hash_key));
    *out = l;
    return true;
}

void kms_source_limiter_close(struct kms_source_limiter **limiter)
{
    if (*limiter != NULL)
        pthread_mutex_destroy(&(*limiter)->lock);
    free(*limiter);
    *limiter = NULL;
}

static struct bucket *set_of(struct kms_source_limiter *l, const uint8_t key[16])
{
    uint8_t digest[SHA256_LEN];
    const struct slice parts[] = {slice_of(l->hash_key, sizeof(l->hash_key)), slice_of(key, 16)};
    sha256_parts(parts, 2, digest);
    return l->buckets[load_u32le(digest) % KMS_SOURCE_SETS];
}

static uint64_t tokens_at(const struct kms_source_limiter *l, const struct bucket *b,
                          int64_t now_ms)
{
    uint64_t full = (uint64_t)l->burst * TOKEN;
    uint64_t passed = now_ms > b->filled_ms ? (uint64_t)(now_ms - b->filled_ms) : 0;
    if (passed > full / l->rate) /* longer than filling it takes */
        return full;
    uint64_t tokens = b->tokens + passed * l->rate;
    return tokens < full ? tokens : full;
}

/* The source's bucket; a stranger takes the one that has been left alone longest. */
static struct bucket *bucket_of(struct kms_source_limiter *l, const uint8_t key[16], int64_t now_ms)
{
    struct bucket *set = set_of(l, key);
    struct bucket *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && memcmp(set[i].key, key, 16) == 0)
            return &set[i];
        if (!set[i].used || (oldest->used && set[i].filled_ms < oldest->filled_ms))
            oldest = &set[i];
    }
    *oldest =
        (struct bucket){.tokens = (uint64_t)l->burst * TOKEN, .filled_ms = now_ms, .used = true};
    memcpy(oldest->key, key, 16);
    return oldest;
}

bool kms_source_limiter_take(struct kms_source_limiter *limiter, const struct kms_source *source,
                             int64_t now_ms, unsigned *retry_after_s)
{
    *retry_after_s = 0;
    if (limiter->rate == 0 || !source->known)
        return true;
    pthread_mutex_lock(&limiter->lock);
    struct bucket *b = bucket_of(limiter, source->key, now_ms);
    b->tokens = tokens_at(limiter, b, now_ms);
    b->filled_ms = now_ms;
    bool ok = b->tokens >= TOKEN;
    if (ok)
        b->tokens -= TOKEN;
    else
        *retry_after_s = 1; /* the rate is at least one a second */
    pthread_mutex_unlock(&limiter->lock);
    return ok;
}

size_t kms_source_limiter_penalised(struct kms_source_limiter *limiter, int64_t now_ms)
{
    size_t count = 0;
    pthread_mutex_lock(&limiter->lock);
    for (size_t i = 0; limiter->rate > 0 && i < KMS_SOURCE_SETS; i++)
        for (size_t j = 0; j < WAYS; j++) {
            const struct bucket *b = &limiter->buckets[i][j];
            count += b->used && tokens_at(limiter, b, now_ms) < TOKEN;
        }
    pthread_mutex_unlock(&limiter->lock);
    return count;
}
