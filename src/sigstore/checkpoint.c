/* Reading checkpoints line by line. */
#include "sigstore/checkpoint.h"

#include <string.h>

#include "base/codec.h"

static const char CODE[] = "sigstore/checkpoint";
/* An em dash and a space. */
static const char MARK[] = "\xe2\x80\x94 ";

enum { SIZE_DIGITS_MAX = 18, SIGNATURE_BLOB_MAX = KEY_HINT_LEN + SIGSTORE_SIGNATURE_MAX };

/* The next line without its end; false when none with an end is left. */
static bool next_line(struct slice *text, struct slice *line)
{
    const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - text->data);
    *line = slice_cut(*text, 0, len);
    *text = slice_cut(*text, len + 1, text->len);
    return true;
}

/* Splits at the only blank line. */
static bool split_note(struct slice text, struct slice *signed_text, struct slice *signatures)
{
    struct slice rest = text, line;
    size_t blanks = 0;
    while (next_line(&rest, &line)) {
        if (line.len > 0)
            continue;
        size_t behind = text.len - rest.len;
        *signed_text = slice_cut(text, 0, behind - 1);
        *signatures = rest;
        blanks++;
    }
    return blanks == 1 && rest.len == 0 && signatures->len > 0;
}

static bool read_size(struct slice line, uint64_t *out)
{
    uint64_t size = 0;
    if (line.len == 0 || line.len > SIZE_DIGITS_MAX || (line.len > 1 && line.data[0] == '0'))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return false;
        size = size * 10 + (uint64_t)(line.data[i] - '0');
    }
    *out = size;
    return true;
}

/* One signature line: "<dash> <name> <base64 of hint and signature>". */
struct note_signature {
    struct slice name;
    struct slice blob; /* base64 */
};

static bool read_signature(struct slice line, struct note_signature *out)
{
    if (!slice_equal_str(slice_cut(line, 0, strlen(MARK)), MARK))
        return false;
    line = slice_cut(line, strlen(MARK), line.len);
    const uint8_t *space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
    if (space == NULL || space == line.data)
        return false;
    size_t at = (size_t)(space - line.data);
    out->name = slice_cut(line, 0, at);
    out->blob = slice_cut(line, at + 1, line.len);
    return out->blob.len > 0;
}

static bool check_signatures(struct slice signatures)
{
    struct slice line;
    struct note_signature signature;
    size_t count = 0;
    while (next_line(&signatures, &line))
        if (++count > SIGSTORE_CHECKPOINT_LINES_MAX || !read_signature(line, &signature))
            return false;
    return true;
}

bool sigstore_checkpoint_read(struct slice text, struct sigstore_checkpoint *out, struct error *err)
{
    struct sigstore_checkpoint made = {0};
    struct slice line;
    if (text.len > SIGSTORE_CHECKPOINT_MAX)
        return error_set(err, CODE, "checkpoint", "the checkpoint has more than %d bytes",
                         SIGSTORE_CHECKPOINT_MAX);
    if (!split_note(text, &made.signed_text, &made.signatures) ||
        !check_signatures(made.signatures))
        return error_set(err, CODE, "checkpoint", "the checkpoint is not a signed note");
    struct slice rest = made.signed_text;
    if (!next_line(&rest, &made.origin) || !next_line(&rest, &line) || !read_size(line, &made.size))
        return error_set(err, CODE, "checkpoint", "the checkpoint has no tree size");
    if (!next_line(&rest, &line) || !base64_decode_public(line, made.root, sizeof made.root))
        return error_set(err, CODE, "checkpoint", "the checkpoint has no root hash");
    *out = made;
    return true;
}

/* "log.example", or "log.example - 1234" with the number of a tree. */
static bool is_origin_of(struct slice origin, const char *host)
{
    static const char separator[] = " - ";
    size_t len = strlen(host);
    if (!slice_equal_str(slice_cut(origin, 0, len), host))
        return false;
    struct slice tree = slice_cut(origin, len, origin.len);
    if (tree.len == 0)
        return true;
    if (!slice_equal_str(slice_cut(tree, 0, strlen(separator)), separator) ||
        tree.len == strlen(separator))
        return false;
    for (size_t i = strlen(separator); i < tree.len; i++)
        if (tree.data[i] < '0' || tree.data[i] > '9')
            return false;
    return true;
}

static bool is_signature_of(const struct note_signature *signature, struct slice signed_text,
                            const struct sigstore_log *log)
{
    BUF_AUTO struct buf blob = BUF_INIT(SIGNATURE_BLOB_MAX);
    if (!slice_equal_str(signature->name, log->host) ||
        !base64_decode_append(signature->blob, &blob) || blob.len <= KEY_HINT_LEN ||
        memcmp(blob.data, log->hint, KEY_HINT_LEN) != 0)
        return false;
    return sigstore_key_verify(log->key, signed_text,
                               slice_cut(buf_slice(&blob), KEY_HINT_LEN, blob.len));
}

bool sigstore_checkpoint_signed_by(const struct sigstore_checkpoint *checkpoint,
                                   const struct sigstore_log *log)
{
    struct slice rest = checkpoint->signatures, line;
    struct note_signature signature;
    if (!is_origin_of(checkpoint->origin, log->host))
        return false;
    while (next_line(&rest, &line))
        if (read_signature(line, &signature) &&
            is_signature_of(&signature, checkpoint->signed_text, log))
            return true;
    return false;
}
