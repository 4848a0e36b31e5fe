/* Time: the wall clock in Unix seconds, a monotonic clock in milliseconds, RFC 3339 in UTC. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/bytes.h"

int64_t clock_unix_s(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

enum { TIME_TEXT_MAX = 21 };
/* "YYYY-MM-DDThh:mm:ssZ" exactly, years 1970..9999. */
bool time_parse_utc(struct slice text, int64_t *out_unix_s) MUST_USE;
/* The same, or Unix seconds in at most 12 digits: how people write a time. */
bool time_parse(struct slice text, int64_t *out_unix_s) MUST_USE;
void time_format_utc(int64_t unix_s,
                     char out[TIME_TEXT_MAX]); /* years outside 1970..9999 print as limits */
/* Civil fields (month 1..12) to Unix seconds; false when a field is out of range. */
bool time_from_civil(int year, int month, int day, int hour, int minute, int second,
                     int64_t *out_unix_s) MUST_USE;

#ifdef MERO_DEV
/* Development builds: the wall clock reads unix_s from now on and goes on ticking. */
void clock_dev_set(int64_t unix_s);
#endif

#endif
