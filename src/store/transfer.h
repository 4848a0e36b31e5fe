/* Moving data in and out: lines of JSON {"column":"..","key_hex":"..","value_hex":".."}, and a
 * folder of plaintext chunk files named by their base58 ids, as the existing node has it. Values
 * may be records sealed by the existing node. Source: reference facts F. */
#ifndef STORE_TRANSFER_H
#define STORE_TRANSFER_H

#include "store/admin.h"

/* Where exported bytes go. */
struct store_sink {
    bool (*write)(void *ctx, struct slice bytes, struct error *err);
    void *ctx;
};

struct store_export_options {
    struct slice legacy_key; /* seal values for the existing node under this key; empty: in clear */
    const char *blob_dir;    /* made; receives the chunks in clear; NULL: no files */
};
/* One snapshot. Blobs appear as the existing node's rows of column "Blobs", roots and chunks. */
bool store_export(struct store *s, const struct store_export_options *options,
                  const struct store_sink *sink, const struct store_progress *progress,
                  struct error *err) MUST_USE;

struct store_import_options {
    struct slice legacy_key; /* values are sealed under this key; empty: in clear */
    const char *blob_dir;    /* of the chunk files of blob rows; NULL: blob rows are refused */
};
struct store_import_report {
    uint64_t lines, records, blobs;
};
/* Reads fd to its end. Errors name the line ("import/line", "import/column", "import/blob",
 * "legacy/..."). What was read before an error stays imported; importing again is harmless. */
bool store_import(struct store *s, int fd, const struct store_import_options *options,
                  const struct store_progress *progress, struct store_import_report *report,
                  struct error *err) MUST_USE;

#endif
