/* Readers of levels and their judgements. The advisories stay where they are in the signed document
 * and are read again when a level was found: most never are. */
#include "dcap/levels.h"

#include <string.h>

/* Three levels (platform, module, QE) may contribute to one verdict. */
_Static_assert((int)VERDICT_ADVISORIES_MAX >= 3 * LEVEL_ADVISORIES_MAX, "advisories would be lost");

static bool read_status(struct json_reader *r, enum tcb_status *out, bool isv)
{
    char text[64];
    if (!json_reader_text(r, text, sizeof text))
        return false;
    for (enum tcb_status s = TCB_UP_TO_DATE; s <= TCB_REVOKED; s++) {
        bool platform = s <= TCB_OUT_OF_DATE_CONFIGURATION_NEEDED || s == TCB_REVOKED;
        bool allowed =
            isv ? s == TCB_UP_TO_DATE || s == TCB_OUT_OF_DATE || s == TCB_REVOKED : platform;
        if (allowed && strcmp(text, tcb_status_name(s)) == 0) {
            *out = s;
            return true;
        }
    }
    return json_reader_refuse(r, "not a TCB status that this level can have");
}

bool level_read_platform_status(struct json_reader *r, void *status, size_t size)
{
    (void)size;
    return read_status(r, status, false);
}

static bool read_isv_status(struct json_reader *r, void *status, size_t size)
{
    (void)size;
    return read_status(r, status, true);
}

bool level_read_advisories(struct json_reader *r, void *span, size_t size)
{
    struct json_reader list;
    struct slice *text = span;
    char advisory[ADVISORY_TEXT_MAX];
    size_t count = 0;
    (void)size;
    if (!json_reader_skip(r, text))
        return false;
    json_reader_open(&list, *text);
    json_reader_array(&list);
    while (json_reader_more(&list) && json_reader_text(&list, advisory, sizeof advisory))
        count++;
    if (list.problem != NULL)
        return json_reader_refuse(r, "not a list of advisory names");
    return count <= LEVEL_ADVISORIES_MAX ? true : json_reader_refuse(r, "too many advisories");
}

/* {"isvsvn": n} */
static bool read_isv_tcb(struct json_reader *r, void *isvsvn, size_t size)
{
    const struct json_field fields[] = {{"isvsvn", json_field_uint, 0, size, false}};
    return json_reader_fields(r, fields, 1, isvsvn, NULL);
}

static bool read_isv_level(struct json_reader *r, struct isv_level *level)
{
    static const struct json_field fields[] = {
        JSON_FIELD(struct isv_level, isvsvn, "tcb", read_isv_tcb),
        JSON_FIELD(struct isv_level, says.date_s, "tcbDate", json_field_date),
        JSON_FIELD(struct isv_level, says.status, "tcbStatus", read_isv_status),
        JSON_FIELD_OPTIONAL(struct isv_level, says.advisories, "advisoryIDs",
                            level_read_advisories),
    };
    return json_reader_fields(r, fields, sizeof fields / sizeof fields[0], level, NULL);
}

/* Puts a level where it belongs among the `count` before it; false when one is just like it. */
static bool insert_isv_level(struct isv_levels *levels, const struct isv_level *level)
{
    size_t at = levels->count;
    while (at > 0 && levels->level[at - 1].isvsvn < level->isvsvn)
        at--;
    if (at > 0 && levels->level[at - 1].isvsvn == level->isvsvn)
        return false;
    memmove(&levels->level[at + 1], &levels->level[at],
            (levels->count - at) * sizeof levels->level[0]);
    levels->level[at] = *level;
    levels->count++;
    return true;
}

bool level_read_isv_list(struct json_reader *r, void *isv_levels, size_t size)
{
    struct isv_levels *levels = isv_levels;
    (void)size;
    levels->count = 0;
    if (!json_reader_array(r))
        return false;
    while (json_reader_more(r)) {
        struct isv_level level = {0};
        if (levels->count == ISV_LEVELS_MAX)
            return json_reader_refuse(r, "too many levels");
        if (!read_isv_level(r, &level))
            return false;
        if (!insert_isv_level(levels, &level))
            return json_reader_refuse(r, "two levels with the same isvsvn");
    }
    if (r->problem == NULL && levels->count == 0)
        return json_reader_refuse(r, "no levels");
    return r->problem == NULL;
}

const struct isv_level *isv_levels_find(const struct isv_levels *levels, uint16_t isvsvn)
{
    for (size_t i = 0; i < levels->count; i++)
        if (isvsvn >= levels->level[i].isvsvn)
            return &levels->level[i];
    return NULL;
}

const struct isv_level *isv_levels_goal(const struct isv_levels *levels)
{
    for (size_t i = levels->count; i-- > 0;)
        if (levels->level[i].says.status == TCB_UP_TO_DATE)
            return &levels->level[i];
    return &levels->level[0];
}

static void advisory_insert(char (*list)[ADVISORY_TEXT_MAX], size_t *count, const char *text)
{
    size_t at = *count;
    while (at > 0 && strcmp(list[at - 1], text) > 0)
        at--;
    if (*count == VERDICT_ADVISORIES_MAX || (at > 0 && strcmp(list[at - 1], text) == 0))
        return;
    memmove(list[at + 1], list[at], (*count - at) * sizeof list[0]);
    memcpy(list[at], text, strlen(text) + 1);
    (*count)++;
}

void advisories_unite(const struct tcb_judgement *says, char (*list)[ADVISORY_TEXT_MAX],
                      size_t *count)
{
    struct json_reader r;
    char text[ADVISORY_TEXT_MAX];
    if (says->advisories.len == 0)
        return;
    json_reader_open(&r, says->advisories);
    json_reader_array(&r);
    while (json_reader_more(&r) && json_reader_text(&r, text, sizeof text))
        advisory_insert(list, count, text);
}
