/* Slices, a growable buffer with a ceiling, and the bounded reader through which every parser
 * reads. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A view of somebody else's bytes: never owned, never freed. data may be NULL only when len is 0.
 */
struct slice {
    const uint8_t *data;
    size_t len;
};

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){(const uint8_t *)data, len};
}

/* len bytes from `at`, clamped to s. */
static inline struct slice slice_cut(struct slice s, size_t at, size_t len)
{
    if (at >= s.len)
        return (struct slice){NULL, 0};
    size_t left = s.len - at;
    return (struct slice){&s.data[at], len < left ? len : left};
}

struct slice slice_str(const char *text);         /* without the terminating NUL */
bool slice_equal(struct slice a, struct slice b); /* not constant time: public bytes only */
bool slice_equal_str(struct slice a, const char *text);
bool slice_is_zero(struct slice s);
bool bytes_equal_ct(const void *a, const void *b, size_t len); /* constant time */

/* A growable byte buffer that refuses to pass its ceiling. Zero-initialise with BUF_INIT(max).
 * After a failed append the buffer is unchanged and `failed` sticks, so a caller may append many
 * times and check once. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
    bool wipe; /* zero old memory on growth and free */
};

#define BUF_INIT(ceiling)        ((struct buf){.max = (ceiling)})
#define BUF_INIT_SECRET(ceiling) ((struct buf){.max = (ceiling), .wipe = true})
/* In the caller's byte array: never allocates, never freed, holds one byte less than the array. */
#define BUF_FIXED(array)                                                                           \
    ((struct buf){.data = (array), .cap = sizeof(array), .max = sizeof(array) - 1})

bool buf_append(struct buf *b, struct slice s);
bool buf_append_str(struct buf *b, const char *text);
bool buf_append_byte(struct buf *b, uint8_t byte);
bool buf_append_be(struct buf *b, uint64_t value, unsigned width); /* width 1..8 bytes */
bool buf_append_le(struct buf *b, uint64_t value, unsigned width);
bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
uint8_t *buf_extend(struct buf *b, size_t len); /* room for len more bytes, NULL when refused */
struct slice buf_slice(const struct buf *b);
const char *
buf_cstr(struct buf *b); /* NUL-terminated view, the NUL is not counted; NULL when refused */
void buf_reset(struct buf *b);
void buf_free(struct buf *b); /* also for __attribute__((cleanup)) */
#define BUF_AUTO __attribute__((cleanup(buf_free)))

/* The bounded reader. A read past the end returns zeros / an empty slice and makes `failed` stick.
 */
struct reader {
    struct slice rest;
    bool failed;
};

struct reader reader_of(struct slice s);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16le(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint16_t reader_u16be(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
struct slice reader_take(struct reader *r, size_t len);
const uint8_t *reader_bytes(struct reader *r, size_t len); /* NULL when short */
bool reader_at_end(
    const struct reader *r) MUST_USE; /* true when nothing failed and nothing is left */

/* Numbers at a place in memory, whatever its alignment. Inline: page walks call them by the dozen.
 */
static inline uint16_t load_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_u64le(const uint8_t *p)
{
    return (uint64_t)load_u32le(p) | (uint64_t)load_u32le(&p[4]) << 32;
}

static inline uint32_t load_u32be(const uint8_t *p)
{
    return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline uint64_t load_u64be(const uint8_t *p)
{
    return (uint64_t)load_u32be(&p[4]) | (uint64_t)load_u32be(p) << 32;
}

void store_u64be(uint8_t *p, uint64_t value);
void store_u32le(uint8_t *p, uint32_t value);
void store_u32be(uint8_t *p, uint32_t value);
void store_u16le(uint8_t *p, uint16_t value);

#endif
