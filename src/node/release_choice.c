/* MERO_KMS_RELEASE_TAG > MERO_KMS_VERSION > MERO_TEE_VERSION. Spec: compatibility facts C.6a. */
#include "node/release_choice.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trimmed(const char *text)
{
    struct slice s = slice_str(text ? text : "");
    while (s.len && is_space(s.data[0]))
        s = slice_cut(s, 1, s.len - 1);
    while (s.len && is_space(s.data[s.len - 1]))
        s = slice_cut(s, 0, s.len - 1);
    return s;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_suffix_char(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '+' || c == '-';
}

static bool take_number(struct reader *r)
{
    size_t digits = 0;
    while (digits < r->rest.len && is_digit(r->rest.data[digits]))
        digits++;
    return digits > 0 && reader_take(r, digits).len == digits;
}

/* N.N.N, then nothing or '-'/'+' and at least one of [A-Za-z0-9.+-]. */
static bool is_semver_like(struct slice text)
{
    struct reader r = reader_of(text);
    bool numbers = take_number(&r) && reader_u8(&r) == '.' && take_number(&r) &&
                   reader_u8(&r) == '.' && take_number(&r);
    if (!numbers)
        return false;
    if (reader_at_end(&r))
        return true;
    uint8_t mark = reader_u8(&r);
    if ((mark != '-' && mark != '+') || r.rest.len == 0)
        return false;
    for (size_t i = 0; i < r.rest.len; i++)
        if (!is_suffix_char(r.rest.data[i]))
            return false;
    return true;
}

static bool is_yes(const char *value)
{
    static const char *const yes[] = {"1", "true", "yes"};
    struct slice s = trimmed(value);
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (s.len == strlen(yes[i]) && strncasecmp((const char *)s.data, yes[i], s.len) == 0)
            return true;
    return false;
}

static bool normalise(const char *variable, const char *raw, struct release_choice *out,
                      struct error *err)
{
    static const char prefix[] = "mero-kms-v";
    struct slice version = trimmed(raw);
    if (slice_equal_str(slice_cut(version, 0, strlen(prefix)), prefix))
        version = slice_cut(version, strlen(prefix), version.len - strlen(prefix));
    if (!is_semver_like(version) || version.len >= sizeof(out->version))
        return error_set(err, "config/release-version", variable,
                         "%s is invalid: release version must be semver-like (e.g. 2.1.14 or "
                         "2.1.14-rc.1), got '%s'",
                         variable, raw);
    out->variable = variable;
    memcpy(out->version, version.data, version.len);
    return true;
}

bool release_choose(const struct release_variables *vars, struct release_choice *out,
                    struct error *err)
{
    const struct {
        const char *name;
        const char *value;
    } ranked[] = {{"MERO_KMS_RELEASE_TAG", vars->release_tag},
                  {"MERO_KMS_VERSION", vars->kms_version},
                  {"MERO_TEE_VERSION", vars->tee_version}};
    struct release_choice choice = {.env_policy = is_yes(vars->use_env_policy)};
    for (size_t i = 0; !choice.env_policy && i < sizeof(ranked) / sizeof(ranked[0]); i++) {
        if (trimmed(ranked[i].value).len == 0)
            continue;
        if (!normalise(ranked[i].name, ranked[i].value, &choice, err))
            return false;
        break;
    }
    *out = choice;
    return true;
}
