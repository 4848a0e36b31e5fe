/* Values of settings: the lenient rules of the existing KMS (compatibility facts D.7) for its own
 * variables, strict ones for ours. */
#include "kms/config_values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "http/client.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && isspace(s.data[0]))
        s = slice_cut(s, 1, s.len - 1);
    while (s.len > 0 && isspace(s.data[s.len - 1]))
        s.len--;
    return s;
}

static enum read_result bad(char why[KMS_TEXT_MAX], const char *text)
{
    snprintf(why, KMS_TEXT_MAX, "%.511s", text);
    return READ_BAD;
}

static enum read_result keep(struct slice text, void *member, char why[KMS_TEXT_MAX])
{
    struct kms_text *out = member;
    if (text.len >= sizeof(out->text))
        return bad(why, "the value is too long");
    memset(out->text, 0, sizeof(out->text));
    if (text.len > 0)
        memcpy(out->text, text.data, text.len);
    return READ_OK;
}

enum read_result kms_read_plain(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    return keep(slice_str(text), member, why);
}

enum read_result kms_read_trimmed(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    return keep(trim(slice_str(text)), member, why);
}

enum read_result kms_read_path(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    if (text[0] != '\0' && text[0] != '/')
        return bad(why, "an absolute path is needed");
    return keep(slice_str(text), member, why);
}

/* ---- numbers and switches ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    size_t at = text[0] == '+' ? 1 : 0;
    if (text[at] == '\0')
        return false;
    for (; text[at] != '\0'; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[at] - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

enum read_result kms_read_number_lenient(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    uint64_t value = 0;
    uint32_t *out = member;
    if (!parse_number(text, UINT32_MAX, &value)) {
        snprintf(why, KMS_TEXT_MAX, "'%.100s' is not a whole number; using %u", text, *out);
        return READ_IGNORED;
    }
    *out = (uint32_t)value;
    return READ_OK;
}

enum read_result kms_read_number_positive(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    uint64_t value = 0;
    if (parse_number(text, UINT64_MAX, &value) && value == 0)
        return bad(why, "must be greater than 0");
    return kms_read_number_lenient(text, member, why);
}

enum read_result kms_read_number(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    uint64_t value = 0;
    struct slice trimmed = trim(slice_str(text));
    char digits[32];
    if (trimmed.len >= sizeof(digits))
        return bad(why, "is not a whole number of at most 4294967295");
    snprintf(digits, sizeof(digits), "%.*s", (int)trimmed.len, (const char *)trimmed.data);
    if (!parse_number(digits, UINT32_MAX, &value)) {
        snprintf(why, KMS_TEXT_MAX, "'%s' is not a whole number of at most 4294967295", digits);
        return READ_BAD;
    }
    *(uint32_t *)member = (uint32_t)value;
    return READ_OK;
}

enum read_result kms_read_bool(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    static const char *const words[] = {"1", "true", "yes", "on", "0", "false", "no", "off"};
    struct slice trimmed = trim(slice_str(text));
    char lower[64];
    size_t len = trimmed.len < sizeof(lower) - 1 ? trimmed.len : sizeof(lower) - 1;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower(trimmed.data[i]);
    lower[len] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (len == trimmed.len && strcmp(lower, words[i]) == 0) {
            *(bool *)member = i < 4;
            return READ_OK;
        }
    snprintf(why, KMS_TEXT_MAX, "Invalid boolean value '%s'", lower);
    return READ_BAD;
}

/* ---- addresses ---- */

bool kms_address_parse(const char *text, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        memcpy(out, mapped, sizeof(mapped));
        memcpy(&out[12], v4, sizeof(v4));
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

/* Splits "host:port" or "[host]:port"; host is a literal address. */
static bool split_address(const char *text, uint8_t address[16], uint64_t *port)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !parse_number(&colon[1], 65535, port) || colon[1] == '+')
        return false;
    struct slice inside = slice_of(text, (size_t)(colon - text));
    bool bracketed = inside.len > 2 && inside.data[0] == '[' && inside.data[inside.len - 1] == ']';
    if (bracketed)
        inside = slice_cut(inside, 1, inside.len - 2);
    if (inside.len == 0 || inside.len >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)inside.len, (const char *)inside.data);
    bool v6 = strchr(host, ':') != NULL;
    return v6 == bracketed && kms_address_parse(host, address);
}

static bool is_unix(const char *text)
{
    return strncmp(text, "unix:/", strlen("unix:/")) == 0;
}

enum read_result kms_read_listen(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    uint8_t address[16];
    uint64_t port;
    if (!is_unix(text) && !split_address(text, address, &port)) {
        snprintf(why, KMS_TEXT_MAX, "'%.100s' is no address with a port; using %.100s", text,
                 ((struct kms_text *)member)->text);
        return READ_IGNORED;
    }
    return keep(slice_str(text), member, why);
}

enum read_result kms_read_admin(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    uint8_t address[16];
    uint64_t port;
    enum { UNIX_PATH_MAX_LEN = 107 };
    if (is_unix(text) && strlen(text) > strlen("unix:") + UNIX_PATH_MAX_LEN)
        return bad(why, "the path of a unix socket has at most 107 characters");
    struct slice trimmed = slice_str(text);
    if (is_unix(text) || trimmed.len == 0)
        return keep(trimmed, member, why);
    static const uint8_t loopback6[16] = {[15] = 1};
    bool ok = split_address(text, address, &port);
    bool loopback = ok && (memcmp(address, loopback6, 16) == 0 ||
                           (address[10] == 0xff && address[11] == 0xff && address[12] == 127));
    if (!loopback)
        return bad(why, "must be unix:/PATH or a loopback address with a port (127.0.0.1:9090)");
    return keep(trimmed, member, why);
}

bool kms_cidr_parse(struct slice text, struct kms_cidr *out)
{
    char buffer[80];
    struct kms_cidr cidr = {.bits = 128};
    uint64_t bits = 128;
    if (text.len == 0 || text.len >= sizeof(buffer))
        return false;
    snprintf(buffer, sizeof(buffer), "%.*s", (int)text.len, (const char *)text.data);
    char *slash = strchr(buffer, '/');
    if (slash != NULL)
        *slash = '\0';
    bool v4 = strchr(buffer, ':') == NULL;
    if (!kms_address_parse(buffer, cidr.address))
        return false;
    if (slash != NULL && (slash[1] == '+' || !parse_number(&slash[1], v4 ? 32 : 128, &bits)))
        return false;
    if (slash != NULL)
        cidr.bits = (unsigned)bits + (v4 ? 96 : 0);
    for (unsigned bit = cidr.bits; bit < 128; bit++)
        if (cidr.address[bit / 8] & (0x80 >> bit % 8))
            return false;
    *out = cidr;
    return true;
}

/* ---- lists ---- */

/* The next non-empty entry of a comma-separated list, trimmed. */
static bool next_entry(struct slice *rest, struct slice *entry)
{
    while (rest->len > 0) {
        size_t at = 0;
        while (at < rest->len && rest->data[at] != ',')
            at++;
        *entry = trim(slice_cut(*rest, 0, at));
        *rest = slice_cut(*rest, at + 1, rest->len);
        if (entry->len > 0)
            return true;
    }
    return false;
}

static enum read_result read_list(const char *text, struct kms_text_list *list, size_t max,
                                  bool urls, char why[KMS_TEXT_MAX])
{
    struct slice rest = slice_str(text), entry;
    list->count = 0;
    while (next_entry(&rest, &entry)) {
        struct http_url url;
        struct error err = {0};
        if (list->count >= max)
            return bad(why, "the list has too many entries");
        struct kms_text *item = &list->items[list->count];
        if (keep(entry, item, why) != READ_OK)
            return READ_BAD;
        if (urls && !http_url_parse(item->text, &url, &err))
            return bad(why, err.message);
        list->count++;
    }
    return READ_OK;
}

enum read_result kms_read_csv(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    return read_list(text, member, KMS_ORIGINS_MAX, false, why);
}

enum read_result kms_read_urls(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    return read_list(text, member, KMS_URLS_MAX, true, why);
}

enum read_result kms_read_bindings(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    struct kms_binding_list *list = member;
    struct slice rest = slice_str(text), entry;
    list->count = 0;
    while (next_entry(&rest, &entry)) {
        if (list->count >= KMS_BINDINGS_MAX)
            return bad(why, "the list has too many entries");
        if (!base64_decode(entry, list->items[list->count], KEYRELEASE_BINDING_LEN)) {
            snprintf(why, KMS_TEXT_MAX, "'%.*s' is not base64 of exactly 32 bytes",
                     entry.len < 100 ? (int)entry.len : 100, (const char *)entry.data);
            return READ_BAD;
        }
        list->count++;
    }
    return READ_OK;
}

enum read_result kms_read_cidrs(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    struct kms_cidr_list *list = member;
    struct slice rest = slice_str(text), entry;
    list->count = 0;
    while (next_entry(&rest, &entry)) {
        if (list->count >= KMS_PROXIES_MAX)
            return bad(why, "the list has too many entries");
        if (!kms_cidr_parse(entry, &list->items[list->count])) {
            snprintf(why, KMS_TEXT_MAX, "'%.*s' is no address range such as 10.0.0.0/8",
                     entry.len < 100 ? (int)entry.len : 100, (const char *)entry.data);
            return READ_BAD;
        }
        list->count++;
    }
    return READ_OK;
}

/* ---- the rest ---- */

enum read_result kms_read_prefix(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    struct slice s = slice_str(text);
    while (s.len > 0 && s.data[0] == '/')
        s = slice_cut(s, 1, s.len - 1);
    while (s.len > 0 && s.data[s.len - 1] == '/')
        s.len--;
    return s.len == 0 ? READ_OK : keep(s, member, why); /* empty: the default stays */
}

enum read_result kms_read_pin(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    struct kms_pin *pin = member;
    struct slice s = trim(slice_str(text));
    while (s.len >= 2 && s.data[0] == '0' && s.data[1] == 'x')
        s = slice_cut(s, 2, s.len - 2);
    if (s.len != 64) {
        snprintf(why, KMS_TEXT_MAX, "must contain exactly 64 hex chars (got %zu)", s.len);
        return READ_BAD;
    }
    if (!hex_decode(s, pin->sha256, sizeof(pin->sha256)))
        return bad(why, "contains non-hex characters");
    pin->set = true;
    return READ_OK;
}

enum read_result kms_read_redis(const char *text, void *member, char why[KMS_TEXT_MAX])
{
    struct slice s = trim(slice_str(text));
    if (strncmp((const char *)s.data, "rediss://", 9) == 0)
        return bad(why, "rediss:// (Redis over TLS) is not supported: reach Redis over a private "
                        "network, a tunnel or a unix socket");
    bool known = s.len == 0 || strncmp((const char *)s.data, "redis://", 8) == 0 ||
                 strncmp((const char *)s.data, "unix:///", 8) == 0;
    if (!known)
        return bad(why, "must be redis://[USER:PASSWORD@]HOST[:PORT][/DB] or unix:///PATH");
    return keep(s, member, why);
}

/* ---- printing ---- */

void kms_print_text(const void *member, struct buf *out)
{
    buf_append_str(out, ((const struct kms_text *)member)->text);
}

void kms_print_bool(const void *member, struct buf *out)
{
    buf_append_str(out, *(const bool *)member ? "true" : "false");
}

void kms_print_number(const void *member, struct buf *out)
{
    buf_printf(out, "%u", *(const uint32_t *)member);
}

void kms_redis_url_shown(const char *url, char out[KMS_TEXT_MAX])
{
    const char *scheme_end = strstr(url, "://");
    const char *at = strrchr(url, '@');
    if (scheme_end == NULL || at == NULL)
        snprintf(out, KMS_TEXT_MAX, "%s", url);
    else
        snprintf(out, KMS_TEXT_MAX, "%.*s://***%s", (int)(scheme_end - url), url, at);
}

void kms_print_redis(const void *member, struct buf *out)
{
    char shown[KMS_TEXT_MAX];
    kms_redis_url_shown(((const struct kms_text *)member)->text, shown);
    buf_append_str(out, shown);
}

void kms_print_pin(const void *member, struct buf *out)
{
    const struct kms_pin *pin = member;
    if (pin->set)
        hex_append(out, slice_of(pin->sha256, sizeof(pin->sha256)));
}

void kms_print_list(const void *member, struct buf *out)
{
    const struct kms_text_list *list = member;
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%s", i > 0 ? "," : "", list->items[i].text);
}

void kms_print_bindings(const void *member, struct buf *out)
{
    const struct kms_binding_list *list = member;
    for (size_t i = 0; i < list->count; i++) {
        buf_append_str(out, i > 0 ? "," : "");
        base64_append(out, slice_of(list->items[i], KEYRELEASE_BINDING_LEN));
    }
}

void kms_print_cidrs(const void *member, struct buf *out)
{
    const struct kms_cidr_list *list = member;
    for (size_t i = 0; i < list->count; i++) {
        char text[INET6_ADDRSTRLEN] = "";
        const struct kms_cidr *c = &list->items[i];
        bool v4 = c->bits >= 96 && c->address[10] == 0xff && c->address[11] == 0xff;
        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &c->address[12] : c->address, text, sizeof(text));
        buf_printf(out, "%s%s/%u", i > 0 ? "," : "", text, v4 ? c->bits - 96 : c->bits);
    }
}
