/* Every ceiling of the store in one place. Sizes in bytes unless the name says otherwise. */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

enum {
    STORE_MASTER_KEY_MIN = 32,
    STORE_MASTER_KEY_MAX = 4096,
    STORE_DATA_KEYS_MAX = 16,       /* data keys of different epochs in one superblock */
    STORE_READERS_MAX = 510,        /* snapshots and cursors open at once */
    STORE_READERS_SPARE = 256,      /* for reads that are under way while a commit is made */
    STORE_TREE_DEPTH_MAX = 24,      /* levels of the tree; 2^24 records need 4 */
    STORE_EAGER_CHECK_ROWS = 65536, /* a store of so many rows is checked wholly at open */
    STORE_CONTEXTS_PER_LANE = 16,   /* cipher contexts kept per reader */
    STORE_IDLE_LANES_MAX = 16,      /* readers kept for the next operation */
    STORE_SESSIONS_SPARE = 1024,    /* session numbers kept back for sessions given up */
    BLOB_CHUNK_SIZE = 1024 * 1024,
    BLOB_CHUNKS_MAX = 1 << 20, /* chunks of one blob: 1 TiB */
    BLOB_SEGMENT_LOG2_MIN = 12,
    BLOB_SEGMENT_LOG2_DEFAULT = 16,
    BLOB_SEGMENT_LOG2_MAX = 20,
    BLOB_UNSYNCED_MAX = 32 /* chunk files written and not yet durable, per upload */
};

#define STORE_MAP_RESERVED        ((size_t)1 << 40) /* address space for the datastore: 1 TiB */
#define STORE_MAP_SMALLEST        ((size_t)1 << 30) /* tried when the process may not map as much */
#define STORE_SESSION_RECORDS_MAX ((uint64_t)1 << 32) /* records sealed under one session key */
#define STORE_SESSION_BYTES_MAX   ((uint64_t)1 << 40)

#endif
