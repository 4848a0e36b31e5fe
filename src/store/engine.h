/* Inside of an open store, shared by the files of this room; nobody else includes it.
 *
 *   reading:  reading_begin -> page_tree_get / page_cursor -> record_open -> reading_end
 *   writing:  txn_begin -> txn_put / txn_delete ... -> txn_commit (or txn_abort)
 *
 * One writer at a time (write_lock); readers never wait for it: they read the last published view.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/file.h"
#include "store/fair_lock.h"
#include "store/pages.h"
#include "store/state.h"
#include "store/superblock.h"

/* Keys of an open store; lives in locked memory. */
struct store_keys {
    struct key_ring ring; /* under keys_lock: rotation changes it */
    struct name_keys names;
};

/* One committed state that readers hold on to; LMDB keeps its pages while txn is open. */
struct view {
    unsigned refs; /* under lane_lock */
    MDB_txn *txn;  /* NULL in a read-only store */
    struct page_tree tree;
};

/* What one reading operation needs to itself: cipher contexts by session, and room for a plaintext.
 */
struct lane {
    struct lane *next;
    struct lane_context {
        uint32_t session, epoch;
        uint64_t used_at;
        struct sealer *sealer;
    } contexts[STORE_CONTEXTS_PER_LANE];
    uint64_t clock;
    struct buf plain;
};

/* The session under which this process seals records; 0 before the first write. */
struct session {
    uint32_t number, epoch;
    uint8_t id[STORE_SALT_LEN];
    struct sealer *sealer;
    uint64_t records, bytes;
    bool on_disk; /* its row is committed */
};

struct store {
    char data_dir[PATH_TEXT_MAX], blob_dir[PATH_TEXT_MAX];
    bool read_only;
    bool ignore_unfinished;
    bool usable;    /* opening succeeded: closing may write */
    uint8_t *alive; /* a page that fork() leaves zeroed in the child */
    int lock_fd;

    struct store_id id;
    enum store_suite suite;
    uint8_t segment_log2;
    uint64_t generation;
    int64_t created_s;
    struct store_anchor anchor; /* read NULL: none */
    pthread_mutex_t anchor_lock;
    uint64_t anchored; /* counter that the anchor knows; under anchor_lock */
    struct secret keys_memory;
    struct store_keys *keys;
    pthread_mutex_t keys_lock;
    pthread_mutex_t admin_lock; /* one change of keys or files at a time */

    /* The data file as this room reads it. */
    int data_fd;
    const uint8_t *map;
    size_t map_len;

    MDB_env *env; /* NULL in a read-only store */
    struct fair_lock write_lock;
    /* Under write_lock. */
    MDB_dbi dbi;
    bool checked; /* all of the file was walked and agrees with the state root */
    bool broken;  /* a commit failed half-way: no more writing until the store is opened anew */
    struct state state;
    struct session session;
    uint32_t sealing_epoch; /* of new records */
    struct set_hasher *hasher;

    pthread_mutex_t lane_lock;
    /* Under lane_lock. */
    struct view *view;
    struct lane *idle_lanes;
    unsigned idle_count;
    unsigned view_count;

    /* Blobs. */
    int blob_fd, upload_fd;    /* directories */
    pthread_mutex_t blob_lock; /* around commits that files must follow */
    unsigned unlink_holds;     /* backups under way: no chunk file is unlinked; under blob_lock */
    struct journal_done *journal_done; /* entries whose files are in place; under blob_lock */
    atomic_uint open_writers;
    atomic_bool damage_noted;
};

/* ---- guards ---- */

/* "store/forked" in a child of the process that opened the store. */
bool engine_alive(const struct store *s, struct error *err) MUST_USE;
/* Turns an LMDB result into "store/full", "store/busy", "store/damaged" or "store/io". */
bool engine_lmdb_failed(int rc, const char *doing, struct error *err);

/* A copy of the data key of an epoch, or of the one that seals (epoch 0). False when it is gone. */
bool engine_data_key(struct store *s, uint32_t epoch, struct data_key *out) MUST_USE;

/* ---- views and lanes (view.c) ---- */

struct reading {
    struct store *store;
    struct view *view;
    struct lane *lane;
};
bool reading_begin(struct store *s, struct reading *r, struct error *err) MUST_USE;
/* Another lane on the same view, for a cursor of a snapshot. */
bool reading_share(const struct reading *from, struct reading *r, struct error *err) MUST_USE;
void reading_end(struct reading *r);
#define READING_AUTO __attribute__((cleanup(reading_end)))
/* Makes the state of the file as it is now the one that readers see. Under write_lock. */
bool view_publish(struct store *s, struct error *err) MUST_USE;
void view_close_all(struct store *s);

struct txn;

/* ---- records (record.c) ---- */

/* A record on disk: session (4), nonce (12), sealed body, tag. */
enum { RECORD_HEAD_LEN = 4 + AEAD_NONCE_LEN, RECORD_OVERHEAD = RECORD_HEAD_LEN + AEAD_TAG_LEN };

/* Seals plain into out, which has room for plain.len + RECORD_OVERHEAD bytes, under the number that
 * the session has counted to. */
bool record_seal(const struct store *s, const struct session *session,
                 const uint8_t nonce_random[6], struct slice disk_key, struct slice plain,
                 uint8_t *out, struct error *err) MUST_USE;
/* value, key and the key's length become the plaintext of a record of a hashed column. */
bool record_compose(const struct column *column, struct slice key, struct slice value,
                    struct buf *out, struct error *err) MUST_USE;
bool record_split(const struct column *column, struct slice disk_key, struct slice plain,
                  struct slice *key, struct slice *value, struct error *err) MUST_USE;
/* Opens a record found under disk_key. *plain lies in the lane and lives until its next use. */
bool record_open(const struct reading *r, struct slice disk_key, struct slice sealed,
                 struct slice *plain, struct error *err) MUST_USE;
/* A record of a column: *key is the real key, *value the value; both lie in the lane. */
bool record_open_column(const struct reading *r, const struct column *column, struct slice disk_key,
                        struct slice sealed, struct slice *key, struct slice *value,
                        struct error *err) MUST_USE;
/* Appends an opened record's content, if its key is the one that was asked for. */
bool record_deliver(const struct column *column, struct slice asked, struct slice key,
                    struct slice content, struct buf *value, struct error *err) MUST_USE;
/* The state row of a tree (also while opening a store). */
bool record_read_state(const struct reading *r, struct state *out, struct error *err) MUST_USE;

/* ---- write transactions (txn.c) ---- */

struct txn {
    struct store *store; /* NULL when not open */
    MDB_txn *lmdb;
    MDB_cursor *cursor;
    struct reading base; /* the view that this transaction starts from */
    struct state next;
    uint8_t nonce_random[6];
    struct buf scratch;
    bool failed; /* something went wrong inside: only abort is left */
};
#define TXN_AUTO __attribute__((cleanup(txn_abort)))
bool txn_begin(struct store *s, struct txn *t, struct error *err) MUST_USE;
bool txn_put(struct txn *t, const struct column *column, struct slice key, struct slice value,
             struct error *err) MUST_USE;
/* found may be NULL. */
bool txn_delete(struct txn *t, const struct column *column, struct slice key, bool *found,
                struct error *err) MUST_USE;
/* What the transaction sees, its own changes included. The value is appended. */
bool txn_get(struct txn *t, const struct column *column, struct slice key, struct buf *value,
             bool *found, struct error *err) MUST_USE;
/* Durable when true. Ends the transaction either way. */
bool txn_commit(struct txn *t, struct error *err) MUST_USE;
void txn_abort(struct txn *t);
/* The first commit of a new store. */
bool txn_create(struct store *s, struct error *err) MUST_USE;

/* The commit that records an operator's word: the counter passes the one that the anchor knows. */
bool txn_accept_rollback(struct store *s, uint64_t counter_before, struct error *err) MUST_USE;

/* ---- anchor (anchor.c) ---- */

/* At open, when the state is known: "store/rolled-back", or the anchor is brought up to date. */
bool anchor_compare(struct store *s, const struct store_options *o, struct error *err) MUST_USE;
/* Before a new store is made: an anchor that knows another one says that it is gone. */
bool anchor_allows_new(const struct store_options *o, struct error *err) MUST_USE;

/* ---- sessions (session.c) ---- */

/* The sealer of a session by its row in the tree; kept in the lane. */
bool session_sealer(const struct reading *r, uint32_t number, struct sealer **out, uint32_t *epoch,
                    struct error *err) MUST_USE;
/* Makes the lane know the running session before its row is committed. */
bool session_adopt(const struct reading *r, const struct session *session,
                   struct error *err) MUST_USE;
/* A session with room for one more record of len bytes; writes its row when it is new. */
bool session_ensure(struct txn *t, size_t len, struct error *err) MUST_USE;
void session_forget(struct session *session);
/* nonce = count of records (6, big-endian) and bits drawn for this transaction (6). */
void session_nonce(const struct session *session, const uint8_t random[6],
                   uint8_t out[AEAD_NONCE_LEN]);
/* A fresh session of that number; *out is forgotten first (zeroed memory is fine). */
bool session_start(struct store *s, uint32_t number, struct session *out,
                   struct error *err) MUST_USE;
enum { SESSION_ROW_LEN = 4 + STORE_SALT_LEN + ROW_NAME_LEN };
void session_row(const struct store *s, const struct session *session, struct disk_key *key,
                 struct buf *row);

/* ---- names in the data directory, and its mapping (open.c) ---- */

extern const char data_name[], unfinished_name[], compact_name[], encrypted_name[];
/* "store/locked"; *fd stays as it was where a read-only medium needs no lock. */
bool engine_lock(const char *data_dir, bool read_only, int *fd, struct error *err) MUST_USE;
/* store_open; ignore_unfinished: for those who are about to finish. */
bool engine_open(const struct store_options *options, bool ignore_unfinished, struct store **out,
                 struct error *err) MUST_USE;
int engine_open_env(MDB_env **env, const char *dir, unsigned flags);

/* ---- damage (damage.c) ---- */

/* Passes ok on. The first "store/damaged" is noted in the data directory until a clean verify. */
bool damage_watch(struct store *s, bool ok, const struct error *err);
bool damage_read(const struct store *s, struct buf *text);
void damage_clear(struct store *s);

/* ---- whole-file check (check.c) ---- */

struct check_totals {
    uint64_t rows, sessions, bytes;
};
/* Walks all of a view and compares it with the state row inside. */
bool engine_check(const struct reading *r, const struct state *expected,
                  struct check_totals *totals, struct error *err) MUST_USE;

/* ---- blobs (blob_recover.c) ---- */

bool blobs_open(struct store *s, bool create, struct error *err) MUST_USE;
void blobs_close(struct store *s);

#endif
