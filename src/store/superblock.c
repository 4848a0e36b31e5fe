/* Layout, wrapping and the pair of files of the superblock. */
#include "store/superblock.h"

#include <string.h>

#include "base/file.h"
#include "base/hash.h"

enum {
    MAGIC_LEN = 8,
    WRAP_NONCE_LEN = AEAD_NONCE_LEN,
    HEADER_LEN = 128, /* everything before the wrapped keys */
    RING_HEAD_LEN = STORE_KEY_LEN,
    RING_ENTRY_LEN = 4 + STORE_KEY_LEN,
    RING_LEN_MAX = RING_HEAD_LEN + STORE_DATA_KEYS_MAX * RING_ENTRY_LEN,
    INTACT_LEN_MIN = MAGIC_LEN + 4 + SHA256_LEN /* what every format version promises */
};

static const char magic[MAGIC_LEN + 1] = "MEROSTOR";
const char *const superblock_names[SUPERBLOCK_COPIES] = {"superblock.1", "superblock.2"};

struct header {
    uint32_t version, keys;
    uint8_t suite, segment_log2;
    struct store_id id;
    uint64_t generation, created_s;
    uint8_t salt[STORE_SALT_LEN], kcv[STORE_KCV_LEN], nonce[WRAP_NONCE_LEN];
};

static void kek_wipe(struct kek *k)
{
    secret_wipe(k, sizeof *k);
}
#define KEK_AUTO __attribute__((cleanup(kek_wipe)))

struct ring_bytes {
    uint8_t bytes[RING_LEN_MAX + 1];
};
static void ring_wipe(struct ring_bytes *r)
{
    secret_wipe(r, sizeof *r);
}
#define RING_AUTO __attribute__((cleanup(ring_wipe)))

static size_t ring_len(uint32_t keys)
{
    return RING_HEAD_LEN + (size_t)keys * RING_ENTRY_LEN;
}

/* A store without a key is "wrapped" under a key of zeros with the suite none: legible, checked. */
static bool kek_for(const struct store_id *id, enum store_suite suite,
                    const uint8_t salt[STORE_SALT_LEN], struct slice kms_key, struct kek *out,
                    struct error *err)
{
    memset(out, 0, sizeof *out);
    return suite == SUITE_NONE || kek_derive(id, salt, kms_key, out, err);
}

static void append_header(const struct header *h, struct buf *out)
{
    buf_append(out, slice_of(magic, MAGIC_LEN));
    buf_append_be(out, h->version, 4);
    buf_append_byte(out, h->suite);
    buf_append_byte(out, h->segment_log2);
    buf_append_be(out, 0, 2);
    buf_append(out, slice_of(h->id.bytes, sizeof h->id.bytes));
    buf_append_be(out, h->generation, 8);
    buf_append_be(out, h->created_s, 8);
    buf_append_be(out, h->keys, 4);
    buf_append(out, slice_of(h->salt, sizeof h->salt));
    buf_append(out, slice_of(h->kcv, sizeof h->kcv));
    buf_append(out, slice_of(h->nonce, sizeof h->nonce));
    buf_append_be(out, 0, 8);
    buf_append_be(out, 0, 8);
}

static void append_ring(const struct key_ring *ring, struct buf *out)
{
    buf_append(out, slice_of(ring->store_secret, sizeof ring->store_secret));
    for (uint32_t i = 0; i < ring->count; i++) {
        buf_append_be(out, ring->data_keys[i].epoch, 4);
        buf_append(out, slice_of(ring->data_keys[i].key, STORE_KEY_LEN));
    }
}

static bool wrap(const struct kek *kek, enum store_suite suite, const uint8_t *nonce,
                 struct slice header, const struct key_ring *ring, struct buf *out,
                 struct error *err)
{
    RING_AUTO struct ring_bytes plain;
    struct buf ring_text = BUF_FIXED(plain.bytes);
    append_ring(ring, &ring_text);
    SEALER_AUTO struct sealer *sealer = NULL;
    uint8_t tag[AEAD_TAG_LEN];
    return sealer_open(&sealer, suite, kek->key, err) &&
           sealer_seal(sealer, nonce, header, buf_slice(&ring_text), plain.bytes, tag, err) &&
           buf_append(out, buf_slice(&ring_text)) && buf_append(out, slice_of(tag, sizeof tag));
}

bool superblock_encode(const struct superblock *sb, struct slice kms_key, struct buf *out,
                       struct error *err)
{
    struct header h = {.version = STORE_FORMAT_VERSION,
                       .keys = sb->ring.count,
                       .suite = (uint8_t)sb->suite,
                       .segment_log2 = sb->segment_log2,
                       .id = sb->id,
                       .generation = sb->generation,
                       .created_s = (uint64_t)sb->created_s};
    random_bytes(h.salt, sizeof h.salt);
    random_bytes(h.nonce, sizeof h.nonce);
    KEK_AUTO struct kek kek;
    if (!kek_for(&sb->id, sb->suite, h.salt, kms_key, &kek, err))
        return false;
    memcpy(h.kcv, kek.kcv, sizeof h.kcv);
    uint8_t text[SUPERBLOCK_LEN_MAX], digest[SHA256_LEN], header_text[HEADER_LEN + 1];
    struct buf body = BUF_FIXED(text), header = BUF_FIXED(header_text);
    append_header(&h, &header);
    buf_append(&body, buf_slice(&header));
    if (!wrap(&kek, sb->suite, h.nonce, buf_slice(&header), &sb->ring, &body, err))
        return false;
    sha256(buf_slice(&body), digest);
    buf_append(&body, slice_of(digest, sizeof digest));
    return !body.failed && buf_append(out, buf_slice(&body))
               ? true
               : error_set(err, "memory", NULL, "no room for a superblock");
}

/* The checksum first: from here on a strange field is not an accident of the disk. */
static bool is_intact(struct slice bytes)
{
    if (bytes.len < INTACT_LEN_MIN || bytes.len > SUPERBLOCK_LEN_MAX ||
        !slice_equal(slice_cut(bytes, 0, MAGIC_LEN), slice_of(magic, MAGIC_LEN)))
        return false;
    uint8_t digest[SHA256_LEN];
    sha256(slice_cut(bytes, 0, bytes.len - SHA256_LEN), digest);
    return slice_equal(slice_cut(bytes, bytes.len - SHA256_LEN, SHA256_LEN),
                       slice_of(digest, sizeof digest));
}

static bool copy_field(struct reader *r, uint8_t *out, size_t len)
{
    struct slice s = reader_take(r, len);
    if (s.len == len)
        memcpy(out, s.data, len);
    return s.len == len;
}

static bool read_header(struct reader *r, struct header *h)
{
    reader_take(r, MAGIC_LEN + 4);
    h->suite = reader_u8(r);
    h->segment_log2 = reader_u8(r);
    bool zero = reader_u16be(r) == 0;
    copy_field(r, h->id.bytes, sizeof h->id.bytes);
    h->generation = reader_u64be(r);
    h->created_s = reader_u64be(r);
    h->keys = reader_u32be(r);
    copy_field(r, h->salt, sizeof h->salt);
    copy_field(r, h->kcv, sizeof h->kcv);
    copy_field(r, h->nonce, sizeof h->nonce);
    zero = slice_is_zero(reader_take(r, 16)) && zero;
    return !r->failed && zero && h->suite <= SUITE_AES256_GCM && h->keys >= 1 &&
           h->keys <= STORE_DATA_KEYS_MAX && h->segment_log2 >= BLOB_SEGMENT_LOG2_MIN &&
           h->segment_log2 <= BLOB_SEGMENT_LOG2_MAX && h->created_s <= INT64_MAX &&
           r->rest.len == ring_len(h->keys) + AEAD_TAG_LEN;
}

static bool read_ring(struct slice plain, uint32_t keys, struct key_ring *out)
{
    struct reader r = reader_of(plain);
    memset(out, 0, sizeof *out);
    copy_field(&r, out->store_secret, sizeof out->store_secret);
    for (uint32_t i = 0; i < keys; i++) {
        out->data_keys[i].epoch = reader_u32be(&r);
        copy_field(&r, out->data_keys[i].key, STORE_KEY_LEN);
        if (out->data_keys[i].epoch <= (i > 0 ? out->data_keys[i - 1].epoch : 0))
            return false;
    }
    out->count = keys;
    return reader_at_end(&r);
}

static enum superblock_state unwrap(const struct header *h, struct slice header,
                                    struct slice wrapped, struct slice kms_key,
                                    struct key_ring *out)
{
    KEK_AUTO struct kek kek;
    enum store_suite suite = h->suite == SUITE_NONE ? SUITE_NONE : SUITE_AES256_GCM;
    if (!kek_for(&h->id, suite, h->salt, kms_key, &kek, NULL))
        return SUPERBLOCK_DAMAGED;
    if (!bytes_equal_ct(kek.kcv, h->kcv, sizeof kek.kcv))
        return SUPERBLOCK_WRONG_KEY;
    SEALER_AUTO struct sealer *sealer = NULL;
    RING_AUTO struct ring_bytes plain;
    size_t len = ring_len(h->keys);
    bool ok = sealer_open(&sealer, suite, kek.key, NULL) &&
              sealer_unseal(sealer, h->nonce, header, slice_cut(wrapped, 0, len),
                            &wrapped.data[len], plain.bytes, NULL) &&
              read_ring(slice_of(plain.bytes, len), h->keys, out);
    return ok ? SUPERBLOCK_OK : SUPERBLOCK_DAMAGED;
}

enum superblock_state superblock_decode(struct slice bytes, struct slice kms_key,
                                        struct superblock *out)
{
    if (bytes.len == 0)
        return SUPERBLOCK_MISSING;
    if (!is_intact(bytes))
        return SUPERBLOCK_DAMAGED;
    struct reader r = reader_of(slice_cut(bytes, MAGIC_LEN, 4));
    struct header h = {.version = reader_u32be(&r)};
    if (h.version > STORE_FORMAT_VERSION)
        return SUPERBLOCK_TOO_NEW;
    r = reader_of(slice_cut(bytes, 0, bytes.len - SHA256_LEN));
    if (h.version != STORE_FORMAT_VERSION || !read_header(&r, &h))
        return SUPERBLOCK_DAMAGED;
    if (h.suite == SUITE_NONE && kms_key.len > 0)
        return SUPERBLOCK_PLAINTEXT;
    if (h.suite != SUITE_NONE && kms_key.len == 0)
        return SUPERBLOCK_ENCRYPTED;
    struct superblock sb = {.id = h.id,
                            .suite = h.suite == SUITE_NONE ? SUITE_NONE : SUITE_AES256_GCM,
                            .segment_log2 = h.segment_log2,
                            .generation = h.generation,
                            .created_s = (int64_t)h.created_s};
    enum superblock_state state =
        unwrap(&h, slice_cut(bytes, 0, HEADER_LEN), r.rest, kms_key, &sb.ring);
    if (state == SUPERBLOCK_OK)
        *out = sb;
    secret_wipe(&sb, sizeof sb);
    return state;
}

static bool refuse(const char *dir, enum superblock_state state, struct error *err)
{
    switch (state) {
    case SUPERBLOCK_MISSING:
        return error_set(err, "store/damaged", dir,
                         "both superblocks in %s are missing while its data is there; restore them "
                         "from a backup",
                         dir);
    case SUPERBLOCK_TOO_NEW:
        return error_set(err, "store/too-new", dir,
                         "the store in %s was written by a later version; this one knows format "
                         "%d and leaves it alone",
                         dir, STORE_FORMAT_VERSION);
    case SUPERBLOCK_PLAINTEXT:
        return error_set(err, "store/plaintext", dir,
                         "the store in %s is not encrypted, and a key was given; encrypt it first "
                         "or open it without a key",
                         dir);
    case SUPERBLOCK_ENCRYPTED:
        return error_set(err, "store/encrypted", dir,
                         "the store in %s is encrypted, and no key was given", dir);
    case SUPERBLOCK_WRONG_KEY:
        return error_set(err, "store/wrong-key", dir,
                         "the key is not the key of the store in %s (its superblock is intact)",
                         dir);
    case SUPERBLOCK_DAMAGED:
    case SUPERBLOCK_OK:
        break;
    }
    return error_set(err, "store/damaged", dir,
                     "both superblocks in %s are damaged; restore them from a backup", dir);
}

static bool read_copy(const char *dir, unsigned which, struct slice kms_key, struct buf *bytes,
                      enum superblock_state *state, struct superblock *out, struct error *err)
{
    char path[PATH_TEXT_MAX];
    struct error why = {0};
    *state = SUPERBLOCK_MISSING;
    if (!path_join(dir, superblock_names[which], path, err))
        return false;
    if (file_read(path, bytes, &why))
        *state = bytes->len == 0 ? SUPERBLOCK_DAMAGED
                                 : superblock_decode(buf_slice(bytes), kms_key, out);
    else if (error_is(&why, "file/too-large"))
        *state = SUPERBLOCK_DAMAGED;
    else if (!error_is(&why, "file/missing"))
        return error_set(err, why.code, why.field, "%s", why.message);
    return true;
}

static void superblock_wipe(struct superblock *sb)
{
    secret_wipe(sb, sizeof *sb);
}

bool superblock_load(const char *dir, struct slice kms_key, struct superblock *out, bool *repair,
                     struct error *err)
{
    BUF_AUTO struct buf first = BUF_INIT(SUPERBLOCK_LEN_MAX);
    BUF_AUTO struct buf second = BUF_INIT(SUPERBLOCK_LEN_MAX);
    __attribute__((cleanup(superblock_wipe))) struct superblock a = {0};
    __attribute__((cleanup(superblock_wipe))) struct superblock b = {0};
    enum superblock_state state_a, state_b;
    if (!read_copy(dir, 0, kms_key, &first, &state_a, &a, err) ||
        !read_copy(dir, 1, kms_key, &second, &state_b, &b, err))
        return false;
    if (state_a == SUPERBLOCK_TOO_NEW || state_b == SUPERBLOCK_TOO_NEW)
        return refuse(dir, SUPERBLOCK_TOO_NEW, err);
    enum superblock_state best = state_a > state_b ? state_a : state_b;
    if (best != SUPERBLOCK_OK)
        return refuse(dir, best, err);
    bool second_wins =
        state_a != SUPERBLOCK_OK || (state_b == SUPERBLOCK_OK && b.generation > a.generation);
    *out = second_wins ? b : a;
    *repair = !slice_equal(buf_slice(&first), buf_slice(&second));
    return true;
}

bool superblock_save(const char *dir, const struct superblock *sb, struct slice kms_key,
                     struct error *err)
{
    BUF_AUTO struct buf bytes = BUF_INIT(SUPERBLOCK_LEN_MAX);
    if (!superblock_encode(sb, kms_key, &bytes, err))
        return false;
    for (unsigned i = 0; i < SUPERBLOCK_COPIES; i++) {
        char path[PATH_TEXT_MAX];
        if (!path_join(dir, superblock_names[i], path, err) ||
            !file_write_atomic(path, buf_slice(&bytes), 0600, err))
            return false;
    }
    return true;
}
