/* The tree of configfs-tsm report entries (platform facts 3.1, 3.2). */
#include "sim/tsm_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const tsm_attribute_names[TSM_ATTRIBUTES] = {"inblob", "outblob", "generation",
                                                         "provider"};

static struct tsm_entry *by_name(struct tsm_tree *tree, struct slice name)
{
    for (size_t i = 0; i < SIM_TSM_ENTRIES_MAX; i++)
        if (tree->entries[i].name[0] != '\0' && slice_equal_str(name, tree->entries[i].name))
            return &tree->entries[i];
    return NULL;
}

/* "/entry/attribute" into its parts; a missing part is empty. False when there are more. */
static bool split_path(const char *path, struct slice *entry, struct slice *attribute)
{
    size_t first = strcspn(path + 1, "/");
    const char *rest = path + 1 + first;
    *entry = slice_of(path + 1, first);
    *attribute = *rest == '\0' ? slice_str("") : slice_str(rest + 1);
    return attribute->len == 0 || memchr(attribute->data, '/', attribute->len) == NULL;
}

int tsm_lookup(struct tsm_tree *tree, const char *path, enum tsm_kind *kind,
               struct tsm_entry **entry, enum tsm_attribute *attribute)
{
    struct slice entry_name;
    struct slice attribute_name;
    *entry = NULL;
    if (!split_path(path, &entry_name, &attribute_name))
        return ENOTDIR;
    if (entry_name.len == 0) {
        *kind = TSM_ROOT;
        return 0;
    }
    *entry = by_name(tree, entry_name);
    if (*entry == NULL)
        return ENOENT;
    *kind = attribute_name.len == 0 ? TSM_ENTRY : TSM_FILE;
    if (*kind == TSM_ENTRY)
        return 0;
    for (int i = 0; i < TSM_ATTRIBUTES; i++) {
        if (slice_equal_str(attribute_name, tsm_attribute_names[i])) {
            *attribute = (enum tsm_attribute)i;
            return 0;
        }
    }
    return ENOENT;
}

int tsm_make(struct tsm_tree *tree, const char *path)
{
    struct slice name;
    struct slice below;
    if (!split_path(path, &name, &below) || below.len > 0)
        return EPERM;
    if (name.len >= TSM_NAME_MAX)
        return ENAMETOOLONG;
    if (by_name(tree, name) != NULL)
        return EEXIST;
    for (size_t i = 0; i < SIM_TSM_ENTRIES_MAX; i++) {
        struct tsm_entry *entry = &tree->entries[i];
        if (entry->name[0] != '\0')
            continue;
        *entry = (struct tsm_entry){.serial = ++tree->next_serial};
        memcpy(entry->name, name.data, name.len);
        return 0;
    }
    return ENOSPC;
}

int tsm_remove(struct tsm_tree *tree, const char *path)
{
    enum tsm_kind kind;
    struct tsm_entry *entry;
    enum tsm_attribute attribute;
    int failed = tsm_lookup(tree, path, &kind, &entry, &attribute);
    if (failed != 0)
        return failed;
    if (kind != TSM_ENTRY)
        return kind == TSM_ROOT ? EBUSY : ENOTDIR;
    *entry = (struct tsm_entry){0};
    return 0;
}

struct tsm_entry *tsm_by_serial(struct tsm_tree *tree, uint64_t serial)
{
    for (size_t i = 0; i < SIM_TSM_ENTRIES_MAX; i++)
        if (tree->entries[i].name[0] != '\0' && tree->entries[i].serial == serial)
            return &tree->entries[i];
    return NULL;
}

void tsm_commit(struct tsm_entry *entry, struct slice inblob)
{
    entry->inblob_len = inblob.len < TSM_INBLOB_MAX ? inblob.len : TSM_INBLOB_MAX;
    if (entry->inblob_len > 0)
        memcpy(entry->inblob, inblob.data, entry->inblob_len);
    entry->generation++;
}
