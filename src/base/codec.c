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

static bool base64_into(struct slice text, uint8_t *out, size_t max, size_t *got)
{
    const char *end = NULL;
    if (text.len % 4 != 0)
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
