/* /proc/self/maps and /proc/self/mem. */
#include "support/memory_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WINDOW = 1 << 20, OVERLAP = 256 };

static bool matches(const unsigned char *at, const unsigned char *masked, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((at[i] ^ MEMORY_MASK) != masked[i])
            return false;
    return true;
}

struct region {
    unsigned long long from, to;
    char line[256];
};

static size_t scan_region(int mem, const struct region *r, unsigned char *window,
                          const unsigned char *masked, size_t len, int tell)
{
    size_t found = 0;
    for (unsigned long long at = r->from; at < r->to; at += WINDOW - OVERLAP) {
        size_t want = r->to - at < WINDOW ? (size_t)(r->to - at) : WINDOW;
        ssize_t got = pread(mem, window, want, (off_t)at);
        for (size_t i = 0; got > 0 && i + len <= (size_t)got; i++) {
            bool counted_later = i >= WINDOW - OVERLAP;
            if (counted_later || !matches(&window[i], masked, len))
                continue;
            found++;
            if (tell)
                fprintf(stderr, "copy at %llx of %s", at + i, r->line);
        }
        memset(window, 0, WINDOW);
        if (got <= 0)
            break;
    }
    return found;
}

static unsigned long long hex_at(const char *text, size_t *at)
{
    unsigned long long value = 0;
    for (;; (*at)++) {
        char c = text[*at];
        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (unsigned)(c - 'a' + 10);
        else
            return value;
    }
}

size_t memory_count(const unsigned char *masked, size_t len, int tell)
{
    size_t found = 0;
    struct region r;
    unsigned char *window =
        mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    if (window == MAP_FAILED || maps == NULL || mem < 0 || len > OVERLAP)
        abort();
    while (fgets(r.line, sizeof r.line, maps) != NULL) {
        size_t at = 0;
        r.from = hex_at(r.line, &at);
        at++;
        r.to = hex_at(r.line, &at);
        uintptr_t own = (uintptr_t)window;
        bool writable = strlen(r.line) > at + 2 && r.line[at + 2] == 'w';
        /* the window may have been merged with its neighbours: it is zero but for this moment */
        if (!writable || (own >= r.from && own < r.to && r.to - r.from <= WINDOW))
            continue;
        found += scan_region(mem, &r, window, masked, len, tell);
    }
    fclose(maps);
    close(mem);
    munmap(window, WINDOW);
    return found;
}
