/* The note of damage: the first "store/damaged" after a clean state is written beside the data, so
 * that it stays reported when the read that met it is long gone. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/engine.h"

static const char damage_name[] = "damage.txt";

static bool damage_path(const struct store *s, char out[PATH_TEXT_MAX])
{
    return path_join(s->data_dir, damage_name, out, NULL);
}

bool damage_watch(struct store *s, bool ok, const struct error *err)
{
    char path[PATH_TEXT_MAX], when[TIME_TEXT_MAX];
    BUF_AUTO struct buf text = BUF_INIT(1024);
    if (ok || err == NULL || !error_is(err, "store/damaged") || s->read_only ||
        atomic_exchange(&s->damage_noted, true))
        return ok;
    time_format_utc(clock_unix_s(), when);
    if (!damage_path(s, path) || file_exists(path) ||
        !buf_printf(&text, "%s %s\n", when, err->message) ||
        !file_write_atomic(path, buf_slice(&text), 0600, NULL))
        return ok; /* reported all the same, by the error itself */
    return ok;
}

bool damage_read(const struct store *s, struct buf *text)
{
    char path[PATH_TEXT_MAX];
    return damage_path(s, path) && file_read(path, text, NULL);
}

void damage_clear(struct store *s)
{
    char path[PATH_TEXT_MAX];
    if (damage_path(s, path))
        (void)unlink(path);
    atomic_store(&s->damage_noted, false);
}
