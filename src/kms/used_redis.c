/* The used-set in Redis, so that replicas share it: SET key 1 NX PX ttl is atomic, and the key goes
 * away by itself. One connection per set, one command at a time, short deadlines: a Redis that is
 * away or slow refuses releases, never lets one pass, and is found again when it is back.
 * Only hiredis of Debian 12 (0.14) is needed. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/secret.h"
#include "kms/config.h"
#include "kms/used_internal.h"

enum {
    REDIS_PORT = 6379,
    REDIS_TIMEOUT_MS = 2000,
    REDIS_RETRY_MS = 500, /* no new connection sooner after one that failed */
    REDIS_CONNECTIONS = 4,
};
static const char key_prefix[] = "mero-kms-phala:used:";

struct redis_target {
    char unix_path[KMS_TEXT_MAX];
    char host[256];
    unsigned port;
    char user[128];
    struct secret password;
    char database[16];
};

struct redis_set {
    struct kms_used_set set;
    struct redis_target target;
    size_t max;
    pthread_mutex_t lock;
    pthread_cond_t returned;
    redisContext *idle[REDIS_CONNECTIONS];
    size_t idle_count, open_count;
    int64_t failed_at_ms; /* 0 = the last connection came about */
    size_t count;         /* of keys, as DBSIZE last said */
};

/* ---- URL ---- */

static bool bad_url(struct error *err, const char *why)
{
    return error_set(err, "used/redis", "REDIS_URL", "REDIS_URL %s", why);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoding of user and password. */
static bool decode_part(struct slice text, char *out, size_t out_len)
{
    size_t used = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value((char)text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value((char)text.data[i + 2]) : -1;
            if (i + 2 >= text.len || high < 0 || low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= out_len)
            return false;
        out[used++] = c;
    }
    out[used] = '\0';
    return true;
}

static bool take_credentials(struct slice text, struct redis_target *t, struct error *err)
{
    char password[256];
    size_t colon = 0;
    while (colon < text.len && text.data[colon] != ':')
        colon++;
    bool ok = decode_part(slice_cut(text, 0, colon), t->user, sizeof(t->user)) &&
              decode_part(slice_cut(text, colon + 1, text.len), password, sizeof(password));
    ok = ok && (password[0] == '\0' || secret_copy(&t->password, slice_str(password), err));
    secret_wipe(password, sizeof(password));
    return ok || bad_url(err, "has credentials that cannot be used");
}

static bool take_port(struct slice text, unsigned *port)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
        if (value > 65535)
            return false;
    }
    *port = value;
    return text.len > 0 && value > 0;
}

static bool take_host(struct slice text, struct redis_target *t, struct error *err)
{
    size_t end = 0;
    bool bracketed = text.len > 0 && text.data[0] == '[';
    while (end < text.len && text.data[end] != (bracketed ? ']' : ':'))
        end++;
    struct slice host = bracketed ? slice_cut(text, 1, end - 1) : slice_cut(text, 0, end);
    struct slice rest = slice_cut(text, bracketed ? end + 1 : end, text.len);
    if (host.len == 0 || host.len >= sizeof(t->host))
        return bad_url(err, "names no host");
    memcpy(t->host, host.data, host.len);
    t->port = REDIS_PORT;
    if (rest.len > 0 && !take_port(slice_cut(rest, 1, rest.len), &t->port))
        return bad_url(err, "has no usable port");
    return true;
}

static bool parse_url(const char *url, struct redis_target *t, struct error *err)
{
    static const char tcp[] = "redis://", local[] = "unix://";
    if (strncmp(url, local, sizeof(local) - 1) == 0) {
        snprintf(t->unix_path, sizeof(t->unix_path), "%.500s", &url[sizeof(local) - 1]);
        return true;
    }
    if (strncmp(url, tcp, sizeof(tcp) - 1) != 0)
        return bad_url(err, "is neither redis:// nor unix://");
    struct slice rest = slice_str(&url[sizeof(tcp) - 1]);
    size_t slash = 0, at = 0;
    while (slash < rest.len && rest.data[slash] != '/')
        slash++;
    struct slice database = slice_cut(rest, slash + 1, rest.len);
    struct slice authority = slice_cut(rest, 0, slash);
    for (size_t i = 0; i < authority.len; i++)
        if (authority.data[i] == '@')
            at = i + 1;
    if (at > 0 && !take_credentials(slice_cut(authority, 0, at - 1), t, err))
        return false;
    unsigned number = 0;
    if (database.len > 0 && !slice_equal_str(database, "0") && !take_port(database, &number))
        return bad_url(err, "has no usable database number");
    snprintf(t->database, sizeof(t->database), "%u", number);
    return take_host(slice_cut(authority, at, authority.len), t, err);
}

/* ---- connections ---- */

static bool unavailable(struct error *err, const char *why)
{
    return error_set(err, "used/redis", "REDIS_URL", "Redis: %s", why);
}

static bool said_ok(redisReply *reply)
{
    bool ok = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    if (reply != NULL)
        freeReplyObject(reply);
    return ok;
}

static bool log_in(const struct redis_target *t, redisContext *c, struct error *err)
{
    if (t->password.len > 0) {
        const char *password = (const char *)t->password.data;
        bool ok = t->user[0] != '\0'
                      ? said_ok(redisCommand(c, "AUTH %s %b", t->user, password, t->password.len))
                      : said_ok(redisCommand(c, "AUTH %b", password, t->password.len));
        if (!ok)
            return unavailable(err, "the credentials were refused");
    }
    if (t->database[0] != '\0' && strcmp(t->database, "0") != 0 &&
        !said_ok(redisCommand(c, "SELECT %s", t->database)))
        return unavailable(err, "the database was refused");
    return true;
}

static redisContext *connect_new(const struct redis_target *t, struct error *err)
{
    const struct timeval timeout = {.tv_sec = REDIS_TIMEOUT_MS / 1000,
                                    .tv_usec = REDIS_TIMEOUT_MS % 1000 * 1000};
    redisContext *c = t->unix_path[0] != '\0'
                          ? redisConnectUnixWithTimeout(t->unix_path, timeout)
                          : redisConnectWithTimeout(t->host, (int)t->port, timeout);
    if (c == NULL || c->err != 0) {
        unavailable(err, c != NULL ? c->errstr : "out of memory");
    } else if (redisSetTimeout(c, timeout) == REDIS_OK && log_in(t, c, err)) {
        return c;
    }
    if (c != NULL)
        redisFree(c);
    return NULL;
}

/* An idle connection, or leave to open one: NULL with *may_open. Waits while all are in use. */
static redisContext *take(struct redis_set *r, bool *may_open)
{
    redisContext *c = NULL;
    pthread_mutex_lock(&r->lock);
    while (r->idle_count == 0 && r->open_count >= REDIS_CONNECTIONS)
        pthread_cond_wait(&r->returned, &r->lock);
    if (r->idle_count > 0) {
        c = r->idle[--r->idle_count];
        *may_open = false;
    } else {
        *may_open =
            r->failed_at_ms == 0 || clock_monotonic_ms() - r->failed_at_ms >= REDIS_RETRY_MS;
        r->open_count += *may_open;
    }
    pthread_mutex_unlock(&r->lock);
    return c;
}

/* Back to the others; a broken one is closed. */
static void give_back(struct redis_set *r, redisContext *c)
{
    bool broken = c == NULL || c->err != 0;
    if (broken && c != NULL)
        redisFree(c);
    pthread_mutex_lock(&r->lock);
    if (broken) {
        r->open_count--;
        r->failed_at_ms = clock_monotonic_ms();
    } else {
        r->idle[r->idle_count++] = c;
        r->failed_at_ms = 0;
    }
    pthread_cond_signal(&r->returned);
    pthread_mutex_unlock(&r->lock);
}

static redisContext *borrow(struct redis_set *r, struct error *err)
{
    bool may_open = false;
    redisContext *c = take(r, &may_open);
    if (c != NULL)
        return c;
    if (!may_open) {
        unavailable(err, "does not answer");
        return NULL;
    }
    c = connect_new(&r->target, err);
    if (c == NULL)
        give_back(r, NULL);
    return c;
}

/* ---- the set ---- */

static bool is_full(struct redis_set *r, redisContext *c)
{
    redisReply *reply = redisCommand(c, "DBSIZE");
    size_t count = reply != NULL && reply->type == REDIS_REPLY_INTEGER ? (size_t)reply->integer : 0;
    if (reply != NULL)
        freeReplyObject(reply);
    pthread_mutex_lock(&r->lock);
    r->count = count;
    pthread_mutex_unlock(&r->lock);
    return count >= r->max;
}

static enum kms_used_result set_if_new(redisContext *c, const char *key, long long ttl_ms,
                                       struct error *err)
{
    redisReply *reply = redisCommand(c, "SET %s 1 NX PX %lld", key, ttl_ms);
    enum kms_used_result result = USED_UNAVAILABLE;
    if (reply == NULL)
        unavailable(err, c->errstr);
    else if (reply->type == REDIS_REPLY_STATUS)
        result = USED_FIRST;
    else if (reply->type == REDIS_REPLY_NIL)
        result = USED_AGAIN;
    else
        unavailable(err, reply->str != NULL ? reply->str : "an unexpected answer");
    if (reply != NULL)
        freeReplyObject(reply);
    return result;
}

/* A lost answer leaves the key set or not: the release is refused either way, which costs the node
 * one new challenge. */
static enum kms_used_result redis_mark(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                                       int64_t expires_at_s, int64_t now_s, struct error *err)
{
    struct redis_set *r = (struct redis_set *)set;
    char key[sizeof(key_prefix) + 2 * USED_ID_LEN];
    size_t lead = sizeof(key_prefix) - 1;
    memcpy(key, key_prefix, lead);
    hex_encode(slice_of(id, USED_ID_LEN), &key[lead]);
    long long ttl_ms = expires_at_s > now_s ? (long long)(expires_at_s - now_s) * 1000 : 1000;
    redisContext *c = borrow(r, err);
    if (c == NULL)
        return USED_UNAVAILABLE;
    enum kms_used_result result =
        is_full(r, c) && c->err == 0 ? USED_FULL : set_if_new(c, key, ttl_ms, err);
    give_back(r, c);
    return result;
}

static bool redis_seen(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                       int64_t expires_at_s)
{
    (void)set;
    (void)id;
    (void)expires_at_s;
    return false;
}

static size_t redis_count(struct kms_used_set *set)
{
    struct redis_set *r = (struct redis_set *)set;
    pthread_mutex_lock(&r->lock);
    size_t count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}

static bool redis_check(struct kms_used_set *set, struct error *err)
{
    struct redis_set *r = (struct redis_set *)set;
    redisContext *c = borrow(r, err);
    if (c == NULL)
        return false;
    bool ok = said_ok(redisCommand(c, "PING"));
    if (!ok)
        unavailable(err, c->err != 0 ? c->errstr : "does not answer PING");
    give_back(r, c);
    return ok;
}

static void redis_close(struct kms_used_set *set)
{
    struct redis_set *r = (struct redis_set *)set;
    for (size_t i = 0; i < r->idle_count; i++)
        redisFree(r->idle[i]);
    secret_free(&r->target.password);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->returned);
    free(r);
}

bool kms_used_set_open_redis(const char *url, size_t max, struct kms_used_set **out,
                             struct error *err)
{
    struct redis_set *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return error_set(err, "used/memory", NULL, "out of memory");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->returned, NULL);
    r->set = (struct kms_used_set){redis_close, redis_mark, redis_seen, redis_count, redis_check};
    r->max = max;
    if (!parse_url(url, &r->target, err)) {
        redis_close(&r->set);
        return false;
    }
    *out = &r->set;
    return true;
}
