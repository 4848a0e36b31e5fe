/* The directories below configfs-tsm's report directory, without any FUSE: entries, commits,
 * generations. Not locked. */
#ifndef SIM_TSM_TREE_H
#define SIM_TSM_TREE_H

#include "base/bytes.h"
#include "sim/limits.h"

enum { TSM_INBLOB_MAX = 64, TSM_NAME_MAX = 64 };

enum tsm_attribute { TSM_INBLOB, TSM_OUTBLOB, TSM_GENERATION, TSM_PROVIDER, TSM_ATTRIBUTES };
extern const char *const tsm_attribute_names[TSM_ATTRIBUTES];

struct tsm_entry {
    char name[TSM_NAME_MAX]; /* empty = free */
    uint64_t serial;         /* tells a removed entry from a new one of the same name */
    uint64_t generation;     /* commits of inblob */
    uint8_t inblob[TSM_INBLOB_MAX];
    size_t inblob_len;
};

struct tsm_tree {
    struct tsm_entry entries[SIM_TSM_ENTRIES_MAX];
    uint64_t next_serial;
};

enum tsm_kind { TSM_ROOT, TSM_ENTRY, TSM_FILE };

/* What a path names. 0, or the errno: ENOENT, ENOTDIR. *entry is NULL for the root. */
int tsm_lookup(struct tsm_tree *tree, const char *path, enum tsm_kind *kind,
               struct tsm_entry **entry, enum tsm_attribute *attribute);
/* 0 or the errno: EEXIST, ENAMETOOLONG, ENOSPC, EPERM (not directly below the root). */
int tsm_make(struct tsm_tree *tree, const char *path);
int tsm_remove(struct tsm_tree *tree, const char *path);
/* NULL when the entry is gone. */
struct tsm_entry *tsm_by_serial(struct tsm_tree *tree, uint64_t serial);
void tsm_commit(struct tsm_entry *entry, struct slice inblob);

#endif
