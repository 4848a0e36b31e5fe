/* Hex and base64 through libsodium (constant time), base58btc by long division. */
#include "base/codec.h"

#include <sodium.h>
#include <string.h>

void hex_encode(struct slice in, char *out)
{
    if (in.len == 0)
        out[0] = 0;
    else
        sodium_bin2hex(out, 2 * in.len + 1, in.data, in.len);
}

bool hex_append(struct buf *out, struct slice in)
{
    if (in.len > SIZE_MAX / 2 - 1)
        return out->failed = true, false;
    uint8_t *at = buf_extend(out, 2 * in.len);
    if (at == NULL)
        return false;
    hex_encode(in, (char *)at); /* a buf always has room for the NUL */
    return true;
}

bool hex_decode(struct slice text, uint8_t *out, size_t out_len)
{
    size_t got = 0;
    if (out_len == 0 || text.len / 2 != out_len || text.len % 2 != 0)
        return text.len == 0 && out_len == 0;
    const char *end = NULL;
    if (sodium_hex2bin(out, out_len, (const char *)text.data, text.len, NULL, &got, &end) != 0)
        return false;
    return got == out_len && end == (const char *)text.data + text.len;
}

bool hex_decode_append(struct slice text, struct buf *out)
{
    size_t len = text.len / 2, start = out->len;
    uint8_t *at = buf_extend(out, len);
    if (at == NULL)
        return false;
    if (text.len % 2 == 0 && hex_decode(text, at, len))
        return true;
    out->len = start;
    return false;
}

bool base64_append(struct buf *out, struct slice in)
{
    if (in.len > SIZE_MAX / 4)
        return out->failed = true, false;
    size_t len = sodium_base64_ENCODED_LEN(in.len, sodium_base64_VARIANT_ORIGINAL) - 1;
    uint8_t *at = buf_extend(out, len);
    if (at == NULL)
        return false;
    sodium_bin2base64((char *)at, len + 1, in.data, in.len, sodium_base64_VARIANT_ORIGINAL);
    return true;
}

static bool is_ascii(struct slice text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.len; i++)
        all |= text.data[i];
    return all < 0x80;
}

/* libsodium 1.0.18 takes bytes from 0x80 on for digits, hence the look at them first. */
static bool base64_into(struct slice text, uint8_t *out, size_t max, size_t *got)
{
    const char *end = NULL;
    if (text.len % 4 != 0 || !is_ascii(text))
        return false;
    if (text.len == 0)
        return *got = 0, true;
    if (sodium_base642bin(out, max, (const char *)text.data, text.len, NULL, got, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    return end == (const char *)text.data + text.len;
}

bool base64_decode_append(struct slice text, struct buf *out)
{
    size_t start = out->len, most = text.len / 4 * 3, got = 0;
    /* The ceiling counts decoded bytes, of which padding makes up to two fewer than `most`. */
    if (text.len >= 4 && text.len % 4 == 0)
        most -= (size_t)(text.data[text.len - 1] == '=') + (size_t)(text.data[text.len - 2] == '=');
    uint8_t *at = buf_extend(out, most);
    if (at == NULL)
        return false;
    bool ok = base64_into(text, at, most, &got);
    out->len = ok ? start + got : start;
    return ok;
}

bool base64_decode(struct slice text, uint8_t *out, size_t out_len)
{
    size_t got = 0;
    return text.len / 4 == (out_len + 2) / 3 && base64_into(text, out, out_len, &got) &&
           got == out_len;
}

/* Value + 1 of a base64 digit; 0 for everything else. */
static const uint8_t base64_digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Value of a digit, or a number whose high bits say that it is none. */
static uint32_t base64_value(uint8_t c)
{
    return base64_digits[c] - 1u;
}

/* The last group: len (1..3) bytes, the rest '=', no bit set that stands for nothing. */
static bool base64_tail(const uint8_t *at, uint8_t *out, size_t len)
{
    uint32_t third = len > 1 ? base64_value(at[2]) : (at[2] == '=' ? 0 : UINT32_MAX);
    uint32_t fourth = len > 2 ? base64_value(at[3]) : (at[3] == '=' ? 0 : UINT32_MAX);
    uint32_t first = base64_value(at[0]), second = base64_value(at[1]);
    if ((first | second | third | fourth) > 63)
        return false;
    uint32_t bits = first << 18 | second << 12 | third << 6 | fourth;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return (bits & ((1u << 8 * (3 - len)) - 1)) == 0;
}

bool base64_decode_public(struct slice text, uint8_t *out, size_t out_len)
{
    size_t whole = out_len / 3, rest = out_len % 3;
    if (text.len % 4 != 0 || text.len / 4 != whole + (rest > 0))
        return false;
    const uint8_t *at = text.data;
    for (size_t i = 0; i < whole; i++, at += 4, out += 3) {
        uint32_t a = base64_value(at[0]), b = base64_value(at[1]);
        uint32_t c = base64_value(at[2]), d = base64_value(at[3]);
        if ((a | b | c | d) > 63)
            return false;
        uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    return rest == 0 || base64_tail(at, out, rest);
}

static const char base58_alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Value of a base58 digit, -1 outside the alphabet. */
static int base58_digit(uint8_t c)
{
    const char *at = c != 0 ? strchr(base58_alphabet, c) : NULL;
    return at != NULL ? (int)(at - base58_alphabet) : -1;
}

/* number (big-endian in `digits` of base `base`, *len long) = number * mul + add; grows at the
 * front of a little-endian array. Returns false when it would pass max digits. */
static bool big_mul_add(uint8_t *digits, size_t *len, size_t max, unsigned base, unsigned mul,
                        unsigned add)
{
    unsigned carry = add;
    for (size_t i = 0; i < *len; i++) {
        carry += digits[i] * mul;
        digits[i] = (uint8_t)(carry % base);
        carry /= base;
    }
    while (carry > 0) {
        if (*len == max)
            return false;
        digits[(*len)++] = (uint8_t)(carry % base);
        carry /= base;
    }
    return true;
}

bool base58_append(struct buf *out, struct slice in)
{
    uint8_t digits[BASE58_TEXT_MAX];
    size_t len = 0, zeros = 0, start = out->len;
    if (in.len > BASE58_BYTES_MAX)
        return false;
    while (zeros < in.len && in.data[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < in.len; i++)
        if (!big_mul_add(digits, &len, sizeof digits, 58, 256, in.data[i]))
            return false;
    bool ok = true;
    for (size_t i = 0; i < zeros; i++)
        ok = ok && buf_append_byte(out, '1');
    for (size_t i = len; i > 0; i--)
        ok = ok && buf_append_byte(out, (uint8_t)base58_alphabet[digits[i - 1]]);
    sodium_memzero(digits, sizeof digits); /* private keys pass through here */
    if (!ok)
        out->len = start;
    return ok;
}

bool base58_decode_append(struct slice text, struct buf *out)
{
    uint8_t bytes[BASE58_BYTES_MAX];
    size_t len = 0, zeros = 0, start = out->len;
    if (text.len > BASE58_TEXT_MAX)
        return false;
    while (zeros < text.len && text.data[zeros] == '1')
        zeros++;
    bool ok = zeros <= BASE58_BYTES_MAX;
    for (size_t i = zeros; ok && i < text.len; i++) {
        int digit = base58_digit(text.data[i]);
        ok = digit >= 0 && big_mul_add(bytes, &len, sizeof bytes, 256, 58, (unsigned)digit);
    }
    ok = ok && zeros + len <= BASE58_BYTES_MAX;
    for (size_t i = 0; ok && i < zeros; i++)
        ok = buf_append_byte(out, 0);
    for (size_t i = len; ok && i > 0; i--)
        ok = buf_append_byte(out, bytes[i - 1]);
    sodium_memzero(bytes, sizeof bytes);
    if (!ok)
        out->len = start;
    return ok;
}

bool base58_is_alphabet(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (base58_digit(text.data[i]) < 0)
            return false;
    return true;
}
