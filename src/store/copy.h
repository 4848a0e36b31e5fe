/* Copying a store's parts: the data file row by row, other files byte by byte. */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store/change.h"

/* Writes the rows of a view into a fresh data.mdb in dir (which exists and is empty), with a state
 * row that fits it. live_sessions_only: leaves out sessions that no record is sealed in. Durable
 * when it returns true. */
bool copy_data_file(const struct reading *r, const char *dir, bool live_sessions_only,
                    const struct store_progress *progress, struct error *err) MUST_USE;
/* A file byte by byte, durable but for its directory's entry. "store/foreign" when it exists. */
bool copy_file(const char *from_dir, const char *to_dir, const char *name,
               struct error *err) MUST_USE;
/* Every row of every column and every blob of one store into another. */
bool copy_store(struct store *from, struct store *to, const struct store_progress *progress,
                struct error *err) MUST_USE;
/* dir is made when missing and must be empty. */
bool copy_target(const char *dir, struct error *err) MUST_USE;
bool write_unfinished(const char *dir, const char *text, struct error *err) MUST_USE;
bool remove_unfinished(const char *dir, struct error *err) MUST_USE;

#endif
