/* Slices, the bounded buffer and the bounded reader: the only place that does pointer arithmetic on
 * input. */
#include "base/bytes.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slice slice_str(const char *text)
{
    return (struct slice){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_str(struct slice a, const char *text)
{
    return slice_equal(a, slice_str(text));
}

bool slice_is_zero(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] != 0)
            return false;
    return true;
}

bool bytes_equal_ct(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

static bool buf_refuse(struct buf *b)
{
    b->failed = true;
    return false;
}

/* realloc would leave an unwiped copy of a secret behind, hence the explicit move. */
static bool buf_grow(struct buf *b, size_t cap)
{
    if (!b->wipe) {
        uint8_t *moved = realloc(b->data, cap);
        if (moved == NULL)
            return false;
        b->data = moved;
        b->cap = cap;
        return true;
    }
    uint8_t *fresh = malloc(cap);
    if (fresh == NULL)
        return false;
    if (b->len > 0)
        memcpy(fresh, b->data, b->len);
    if (b->data != NULL)
        sodium_memzero(b->data, b->cap);
    free(b->data);
    b->data = fresh;
    b->cap = cap;
    return true;
}

/* Room for `more` bytes and one terminating NUL that is never counted. */
static bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed || more > b->max || b->len > b->max - more)
        return buf_refuse(b);
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    return buf_grow(b, cap) ? true : buf_refuse(b);
}

uint8_t *buf_extend(struct buf *b, size_t len)
{
    if (!buf_reserve(b, len))
        return NULL;
    uint8_t *at = b->data + b->len;
    b->len += len;
    return at;
}

bool buf_append(struct buf *b, struct slice s)
{
    uint8_t *at = buf_extend(b, s.len);
    if (at == NULL)
        return false;
    if (s.len > 0)
        memcpy(at, s.data, s.len);
    return true;
}

bool buf_append_str(struct buf *b, const char *text)
{
    return buf_append(b, slice_str(text));
}

bool buf_append_byte(struct buf *b, uint8_t byte)
{
    return buf_append(b, slice_of(&byte, 1));
}

bool buf_append_be(struct buf *b, uint64_t value, unsigned width)
{
    uint8_t bytes[8];
    store_u64be(bytes, value);
    return width >= 1 && width <= 8 ? buf_append(b, slice_of(bytes + (8 - width), width))
                                    : buf_refuse(b);
}

bool buf_append_le(struct buf *b, uint64_t value, unsigned width)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return width >= 1 && width <= 8 ? buf_append(b, slice_of(bytes, width)) : buf_refuse(b);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    bool ok = len >= 0 && buf_reserve(b, (size_t)len);
    if (ok) {
        vsnprintf((char *)b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
    return ok ? true : buf_refuse(b);
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 0))
        return NULL;
    b->data[b->len] = 0;
    return (const char *)b->data;
}

void buf_reset(struct buf *b)
{
    if (b->wipe && b->data != NULL)
        sodium_memzero(b->data, b->cap);
    b->len = 0;
    b->failed = false;
}

void buf_free(struct buf *b)
{
    if (b->wipe && b->data != NULL)
        sodium_memzero(b->data, b->cap);
    free(b->data);
    *b = (struct buf){.max = b->max, .wipe = b->wipe};
}

struct reader reader_of(struct slice s)
{
    return (struct reader){.rest = s};
}

struct slice reader_take(struct reader *r, size_t len)
{
    if (r->failed || len > r->rest.len) {
        r->failed = true;
        r->rest.len = 0;
        return (struct slice){NULL, 0};
    }
    struct slice taken = {r->rest.data, len};
    if (len > 0)
        r->rest.data += len;
    r->rest.len -= len;
    return taken;
}

const uint8_t *reader_bytes(struct reader *r, size_t len)
{
    struct slice taken = reader_take(r, len);
    return r->failed ? NULL : taken.data;
}

uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 1);
    return p != NULL ? p[0] : 0;
}

uint16_t reader_u16le(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 2);
    return p != NULL ? load_u16le(p) : 0;
}

uint32_t reader_u32le(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 4);
    return p != NULL ? load_u32le(p) : 0;
}

uint16_t reader_u16be(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 2);
    return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t reader_u32be(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 4);
    return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

uint64_t reader_u64be(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 8);
    return p != NULL ? load_u64be(p) : 0;
}

bool reader_at_end(const struct reader *r)
{
    return !r->failed && r->rest.len == 0;
}

void store_u64be(uint8_t *p, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> (8 * (7 - i)));
}

void store_u32le(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

void store_u16le(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

void store_u32be(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> (8 * (3 - i)));
}
