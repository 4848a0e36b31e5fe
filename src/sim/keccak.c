/* Keccak-f[1600] with rate 1088 and padding 01: "The Keccak reference", version 3.0. */
#include "sim/keccak.h"

#include <string.h>

enum { RATE = 136, LANES = 25, ROUNDS = 24 };

static const uint64_t round_constants[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

static uint64_t rotate(uint64_t value, unsigned by)
{
    return by == 0 ? value : (value << by) | (value >> (64 - by));
}

static void theta(uint64_t a[LANES])
{
    uint64_t column[5];
    for (size_t x = 0; x < 5; x++)
        column[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (size_t i = 0; i < LANES; i++)
        a[i] ^= column[(i + 4) % 5] ^ rotate(column[(i + 1) % 5], 1);
}

/* Walks the lanes in the order of pi; the rotation grows by the triangular numbers. */
static void rho_and_pi(uint64_t a[LANES])
{
    size_t x = 1;
    size_t y = 0;
    uint64_t carried = a[1];
    for (unsigned t = 0; t < 24; t++) {
        size_t next_y = (2 * x + 3 * y) % 5;
        x = y;
        y = next_y;
        uint64_t replaced = a[x + 5 * y];
        a[x + 5 * y] = rotate(carried, ((t + 1) * (t + 2) / 2) % 64);
        carried = replaced;
    }
}

static void chi(uint64_t a[LANES])
{
    for (size_t y = 0; y < LANES; y += 5) {
        uint64_t row[5];
        memcpy(row, a + y, sizeof row);
        for (size_t x = 0; x < 5; x++)
            a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
}

static void absorb(uint64_t a[LANES], const uint8_t block[RATE])
{
    for (size_t i = 0; i < RATE / 8; i++)
        a[i] ^= load_u64le(block + 8 * i);
    for (size_t round = 0; round < ROUNDS; round++) {
        theta(a);
        rho_and_pi(a);
        chi(a);
        a[0] ^= round_constants[round];
    }
}

void sim_keccak256(struct slice in, uint8_t out[KECCAK256_LEN])
{
    uint64_t a[LANES] = {0};
    uint8_t last[RATE] = {0};
    while (in.len >= RATE) {
        absorb(a, in.data);
        in = slice_cut(in, RATE, in.len);
    }
    if (in.len > 0)
        memcpy(last, in.data, in.len);
    last[in.len] ^= 0x01;
    last[RATE - 1] ^= 0x80;
    absorb(a, last);
    for (size_t i = 0; i < KECCAK256_LEN; i++)
        out[i] = (uint8_t)(a[i / 8] >> (8 * (i % 8)));
}
