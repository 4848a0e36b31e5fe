/* Comparing spans with the time. */
#include "dcap/validity.h"

#include "base/clock.h"

static const char *const codes[2][2] = {
    [VALIDITY_OF_CERT] = {"cert/not-yet-valid", "cert/expired"},
    [VALIDITY_OF_COLLATERAL] = {"collateral/not-yet-valid", "collateral/expired"},
};

static bool refuse(const struct validity *span, enum validity_of of, bool expired, int64_t now_s,
                   struct error *err)
{
    char now[TIME_TEXT_MAX], bound[TIME_TEXT_MAX];
    time_format_utc(now_s, now);
    time_format_utc(expired ? span->to_s : span->from_s, bound);
    return error_set(err, codes[of][expired], span->what, "%s %s %s (it is %s)", span->what,
                     expired ? "expired at" : "is not valid before", bound, now);
}

bool validity_check(const struct validity *spans, size_t count, enum validity_of of, int64_t now_s,
                    struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (now_s < spans[i].from_s)
            return refuse(&spans[i], of, false, now_s, err);
        if (now_s > spans[i].to_s)
            return refuse(&spans[i], of, true, now_s, err);
    }
    return true;
}

int64_t validity_end(const struct validity *spans, size_t count)
{
    int64_t end = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (spans[i].to_s < end)
            end = spans[i].to_s;
    return end;
}
