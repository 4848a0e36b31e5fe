/* A store in a scratch directory, for tests of what stands on it. Every failure fails the test. */
#ifndef SUPPORT_STORE_FIXTURE_H
#define SUPPORT_STORE_FIXTURE_H

#include "base/file.h"
#include "store/store.h"

struct store_fixture {
    char root[PATH_TEXT_MAX]; /* removed by fixture_end */
    char data_dir[PATH_TEXT_MAX], blob_dir[PATH_TEXT_MAX];
    uint8_t key[48];
    struct store_options options; /* encrypted, create; may be changed before fixture_open */
    struct store *store;
};

void fixture_begin(struct store_fixture *f);
void fixture_end(struct store_fixture *f); /* closes and removes */
void fixture_open(struct store_fixture *f);
void fixture_reopen(struct store_fixture *f);
/* The code of the failure to open; "" when it opens (and is closed again). */
const char *fixture_open_fails(struct store_fixture *f, struct error *err);

void fixture_put(struct store_fixture *f, const char *column, const char *key, const char *value);
/* NULL: absent. The text lives until the next call. */
const char *fixture_get(struct store_fixture *f, const char *column, const char *key);
struct blob_info fixture_upload(struct store_fixture *f, struct slice content);
/* Reads the blob whole, in pieces of `step` bytes, and compares. */
void fixture_expect_blob(struct store_fixture *f, const struct blob_id *id, struct slice content,
                         size_t step);

/* cp -a, over what is there. */
void fixture_copy_tree(const char *from, const char *to);
/* True when any file below dir holds these bytes. */
bool fixture_tree_holds(const char *dir, struct slice needle);
/* Calls visit for every regular file below dir, in order of name. */
void fixture_each_file(const char *dir, void (*visit)(const char *path, void *ctx), void *ctx);
/* Bytes that no run shares with another and no compressor likes: a counter-mode stream. */
void fixture_noise(uint32_t seed, uint8_t *out, size_t len);

#endif
