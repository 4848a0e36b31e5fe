/* Looks for a text in all writable memory of this process: what a core file or a debugger would
 * find. */
#ifndef TESTS_MEMORY_SCAN_H
#define TESTS_MEMORY_SCAN_H

#include <stddef.h>

enum { MEMORY_MASK = 0x5a };

/* masked: the bytes looked for, each XORed with MEMORY_MASK, so that the needle itself is not
 * found. Returns the number of copies; prints the region of each to stderr when `tell`. */
size_t memory_count(const unsigned char *masked, size_t len, int tell);

#endif
