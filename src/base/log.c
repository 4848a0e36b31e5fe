/* Log lines on stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOG_LINE_MAX = 2048 };

static _Atomic enum log_level current_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, level);
}

enum log_level log_get_level(void)
{
    return atomic_load(&current_level);
}

/* Control characters would let a peer forge log lines. */
static void write_line(char *line, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

__attribute__((format(printf, 2, 0))) static void log_at(enum log_level level, const char *format,
                                                         va_list args)
{
    static const char *const names[] = {"error", "warn ", "info ", "debug"};
    if (level > log_get_level())
        return;
    char line[LOG_LINE_MAX], when[TIME_TEXT_MAX];
    time_format_utc(clock_unix_s(), when);
    int head = snprintf(line, sizeof line, "%s %s ", when, names[level]);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    size_t len = (size_t)head + (size_t)(body > 0 ? body : 0);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len] = '\n';
    write_line(line, len + 1);
}

#define DEFINE_LOG(name, level)                                                                    \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        log_at(level, format, args);                                                               \
        va_end(args);                                                                              \
    }

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
