/* The log's side of an entry: promise, proof, checkpoint. Spec: Sigstore facts 4, 6, 7, 8. */
#include <inttypes.h>

#include "base/codec.h"
#include "sigstore/checkpoint.h"
#include "sigstore/entry.h"
#include "sigstore/merkle.h"

enum { PROMISE_TEXT_EXTRA = 256 };

static bool is_log_of(const struct sigstore_log *log, const struct sigstore_entry *entry)
{
    return slice_equal(slice_of(log->id, LOG_ID_LEN), entry->log_id);
}

const char *sigstore_entry_host(const struct sigstore_trust *trust,
                                const struct sigstore_entry *entry)
{
    for (size_t i = 0; i < trust->logs.count; i++)
        if (is_log_of(&trust->logs.list[i], entry))
            return trust->logs.list[i].host;
    return "";
}

bool sigstore_entry_check_log(const struct sigstore_trust *trust,
                              const struct sigstore_entry *entry, struct error *err)
{
    char id[2 * LOG_ID_LEN + 1];
    if (sigstore_entry_host(trust, entry)[0] != 0)
        return true;
    hex_encode(slice_cut(entry->log_id, 0, LOG_ID_LEN), id);
    return error_set(err, "sigstore/rekor-key-unknown", "logID",
                     "the transparency log %s is not in the trust root", id);
}

/* The canonical JSON that the log signed. Every character in it stands for itself. */
static bool promise_text(const struct sigstore_entry *entry, struct buf *out)
{
    buf_append_str(out, "{\"body\":\"");
    base64_append(out, entry->body);
    buf_printf(out, "\",\"integratedTime\":%" PRId64 ",\"logID\":\"", entry->integrated_time_s);
    hex_append(out, entry->log_id);
    buf_printf(out, "\",\"logIndex\":%" PRId64 "}", entry->index);
    return !out->failed;
}

bool sigstore_entry_check_promise(const struct sigstore_trust *trust,
                                  const struct sigstore_entry *entry, struct error *err)
{
    BUF_AUTO struct buf text = BUF_INIT(entry->body.len / 3 * 4 + PROMISE_TEXT_EXTRA);
    bool is_signed = false, in_window = false;
    if (!promise_text(entry, &text))
        return error_set(err, "memory", NULL, "out of memory");
    for (size_t i = 0; i < trust->logs.count && !in_window; i++) {
        const struct sigstore_log *log = &trust->logs.list[i];
        enum sigstore_key_kind kind;
        /* Logs with Ed25519 keys make no promises. */
        if (!is_log_of(log, entry) || !sigstore_key_kind_of(log->key, &kind) ||
            kind == SIGSTORE_KEY_ED25519 ||
            !sigstore_key_verify(log->key, buf_slice(&text), entry->promise))
            continue;
        is_signed = true;
        in_window = entry->integrated_time_s <= INT64_MAX / 1000 &&
                    sigstore_window_has(&log->window, entry->integrated_time_s * 1000);
    }
    if (!is_signed)
        return error_set(err, "sigstore/set", "signedEntryTimestamp",
                         "the signed entry timestamp is not by the log that it names");
    if (entry->integrated_time_s <= 0)
        return error_set(err, "sigstore/time", "integratedTime",
                         "the integrated time %" PRId64 " is not a time", entry->integrated_time_s);
    return in_window || error_set(err, "sigstore/set", "signedEntryTimestamp",
                                  "the key of the log did not count at the integrated time");
}

static bool counts_at_all(const struct sigstore_window *window, const int64_t *times_s,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sigstore_window_has(window, times_s[i] * 1000))
            return false;
    return true;
}

static bool check_signer(const struct sigstore_trust *trust, const struct sigstore_entry *entry,
                         const struct sigstore_checkpoint *checkpoint, const int64_t *times_s,
                         size_t time_count, struct error *err)
{
    bool is_signed = false;
    for (size_t i = 0; i < trust->logs.count; i++) {
        const struct sigstore_log *log = &trust->logs.list[i];
        if (!is_log_of(log, entry) || !sigstore_checkpoint_signed_by(checkpoint, log))
            continue;
        is_signed = true;
        if (counts_at_all(&log->window, times_s, time_count))
            return true;
    }
    return error_set(err, "sigstore/checkpoint", "checkpoint",
                     is_signed ? "the key of the log did not count when the signature was made"
                               : "the checkpoint is not by the log that the entry names");
}

static bool check_path(const struct sigstore_entry *entry,
                       const struct sigstore_checkpoint *checkpoint, struct error *err)
{
    const struct sigstore_proof *proof = &entry->proof;
    uint8_t leaf[SHA256_LEN];
    if (proof->tree_size < 0 || (uint64_t)proof->tree_size != checkpoint->size ||
        !slice_equal(proof->root_hash, slice_of(checkpoint->root, SHA256_LEN)))
        return error_set(err, "sigstore/inclusion", "inclusionProof",
                         "the inclusion proof is for another tree than the checkpoint");
    /* Rekor v2 has one tree per log; v1 counts per tree and over all trees. */
    if (slice_equal_str(entry->version, "0.0.2") && entry->index != proof->index)
        return error_set(err, "sigstore/inclusion", "logIndex",
                         "the inclusion proof is for index %" PRId64 ", the entry has %" PRId64,
                         proof->index, entry->index);
    merkle_leaf(entry->body, leaf);
    if (proof->index < 0 || !merkle_includes(leaf, (uint64_t)proof->index, checkpoint->size,
                                             proof->hashes, proof->hash_count, checkpoint->root))
        return error_set(err, "sigstore/inclusion", "inclusionProof",
                         "the inclusion proof does not lead to the root of the log's tree");
    return true;
}

bool sigstore_entry_check_proof(const struct sigstore_trust *trust,
                                const struct sigstore_entry *entry, const int64_t *times_s,
                                size_t time_count, struct error *err)
{
    struct sigstore_checkpoint checkpoint;
    return sigstore_checkpoint_read(entry->proof.checkpoint, &checkpoint, err) &&
           check_signer(trust, entry, &checkpoint, times_s, time_count, err) &&
           check_path(entry, &checkpoint, err);
}
