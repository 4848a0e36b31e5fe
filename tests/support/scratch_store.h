/* A store in a scratch directory, for tests of what stands on it. Every failure fails the test. */
#ifndef SUPPORT_SCRATCH_STORE_H
#define SUPPORT_SCRATCH_STORE_H

#include "base/file.h"
#include "store/store.h"

struct scratch_store {
    char root[PATH_TEXT_MAX]; /* removed by scratch_end */
    char data_dir[PATH_TEXT_MAX], blob_dir[PATH_TEXT_MAX];
    uint8_t key[48];
    struct store_options options; /* encrypted, create; may be changed before scratch_open */
    struct store *store;
};

void scratch_begin(struct scratch_store *f);
void scratch_end(struct scratch_store *f); /* closes and removes */
void scratch_open(struct scratch_store *f);
void scratch_reopen(struct scratch_store *f);
/* The code of the failure to open; "" when it opens (and is closed again). */
const char *scratch_open_fails(struct scratch_store *f, struct error *err);

void scratch_put(struct scratch_store *f, const char *column, const char *key, const char *value);
/* NULL: absent. The text lives until the next call. */
const char *scratch_get(struct scratch_store *f, const char *column, const char *key);
/* The id that content must get, by the rules and not by the store. */
struct blob_id scratch_blob_id(struct slice content);
struct blob_info scratch_upload(struct scratch_store *f, struct slice content);
/* Reads the blob whole, in pieces of `step` bytes, and compares. */
void scratch_expect_blob(struct scratch_store *f, const struct blob_id *id, struct slice content,
                         size_t step);

/* cp -a, over what is there. */
void scratch_copy_tree(const char *from, const char *to);
/* True when any file below dir holds these bytes. */
bool scratch_tree_holds(const char *dir, struct slice needle);
/* Calls visit for every regular file below dir, in order of name. */
void scratch_each_file(const char *dir, void (*visit)(const char *path, void *ctx), void *ctx);
/* Bytes that no run shares with another and no compressor likes: a counter-mode stream. */
void scratch_noise(uint32_t seed, uint8_t *out, size_t len);

#endif
