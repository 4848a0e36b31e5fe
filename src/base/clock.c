/* Wall clock, monotonic clock and RFC 3339 text. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

#ifdef MERO_DEV
static _Atomic int64_t dev_offset_s;

void clock_dev_set(int64_t unix_s)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_store(&dev_offset_s, unix_s - (int64_t)now.tv_sec);
}
#endif

int64_t clock_unix_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
#ifdef MERO_DEV
    return (int64_t)now.tv_sec + atomic_load(&dev_offset_s);
#else
    return (int64_t)now.tv_sec;
#endif
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January of `year`, for years >= 1970. */
static int64_t days_to_year(int year)
{
    int64_t y = year - 1;
    int64_t leaps = (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return (int64_t)(year - 1970) * 365 + leaps;
}

bool time_from_civil(int year, int month, int day, int hour, int minute, int second,
                     int64_t *out_unix_s)
{
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59)
        return false;
    int64_t days = days_to_year(year) + day - 1;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    *out_unix_s = days * DAY_S + hour * 3600 + minute * 60 + second;
    return true;
}

/* Decimal value of `count` digits at `at`, -1 when one is not a digit. */
static int digits_at(struct slice text, size_t at, size_t count)
{
    int value = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

bool time_parse_utc(struct slice text, int64_t *out_unix_s)
{
    static const char shape[] = "0000-00-00T00:00:00Z";
    if (text.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (shape[i] != '0' && text.data[i] != (uint8_t)shape[i])
            return false;
    return time_from_civil(digits_at(text, 0, 4), digits_at(text, 5, 2), digits_at(text, 8, 2),
                           digits_at(text, 11, 2), digits_at(text, 14, 2), digits_at(text, 17, 2),
                           out_unix_s);
}

bool time_parse(struct slice text, int64_t *out_unix_s)
{
    int64_t seconds = 0;
    size_t digits = 0;
    for (; digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9'; digits++)
        seconds = digits < 12 ? seconds * 10 + (text.data[digits] - '0') : seconds;
    if (digits == 0 || digits != text.len || digits > 12)
        return time_parse_utc(text, out_unix_s);
    *out_unix_s = seconds;
    return true;
}

void time_format_utc(int64_t unix_s, char out[TIME_TEXT_MAX])
{
    const int64_t last = 253402300799; /* 9999-12-31T23:59:59Z */
    time_t clamped = (time_t)(unix_s < 0 ? 0 : unix_s > last ? last : unix_s);
    struct tm tm;
    gmtime_r(&clamped, &tm);
    strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
