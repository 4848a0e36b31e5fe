/* RUST_LOG to a level. */
#include "cmd/common_log.h"

#include <string.h>
#include <strings.h>

static bool level_named(const char *name, size_t len, enum log_level *out)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"off", LOG_LEVEL_ERROR}, {"error", LOG_LEVEL_ERROR}, {"warn", LOG_LEVEL_WARN},
                  {"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG}, {"trace", LOG_LEVEL_DEBUG}};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strlen(levels[i].name) == len && strncasecmp(levels[i].name, name, len) == 0) {
            *out = levels[i].level;
            return true;
        }
    return false;
}

static bool starts_with(const char *text, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    return len >= prefix_len && strncmp(text, prefix, prefix_len) == 0;
}

/* Targets of the existing node: "merod", "calimero_store", "mero_auth". */
static bool is_ours(const char *target, size_t len, const char *program)
{
    return (len == strlen(program) && strncmp(target, program, len) == 0) ||
           starts_with(target, len, "calimero") || starts_with(target, len, "mero");
}

enum log_level log_level_of_env(const char *text, const char *program)
{
    enum log_level bare = LOG_LEVEL_INFO, ours = LOG_LEVEL_INFO;
    bool has_ours = false;
    while (text != NULL && *text != 0) {
        size_t len = strcspn(text, ",");
        const char *equals = memchr(text, '=', len);
        if (equals == NULL) {
            (void)level_named(text, len, &bare);
        } else if (is_ours(text, (size_t)(equals - text), program)) {
            size_t at = (size_t)(equals - text) + 1;
            has_ours = level_named(&text[at], len - at, &ours) || has_ours;
        }
        text = &text[len] + (text[len] == ',' ? 1 : 0);
    }
    return has_ours ? ours : bare;
}
