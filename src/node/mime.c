/* Magic numbers of the formats that nodes exchange. Spec: compatibility facts E.4. */
#include "node/mime.h"

static const struct {
    size_t at;
    const char *magic;
    size_t len;
    const char *type;
} MAGICS[] = {
    {0, "\0asm", 4, "application/wasm"},
    {0, "\x89PNG\r\n\x1a\n", 8, "image/png"},
    {0, "\xff\xd8\xff", 3, "image/jpeg"},
    {0, "GIF87a", 6, "image/gif"},
    {0, "GIF89a", 6, "image/gif"},
    {8, "WEBP", 4, "image/webp"},
    {0, "BM", 2, "image/bmp"},
    {0, "%PDF-", 5, "application/pdf"},
    {0, "\x1f\x8b", 2, "application/gzip"},
    {0, "PK\x03\x04", 4, "application/zip"},
    {0, "BZh", 3, "application/x-bzip2"},
    {0,
     "\xfd"
     "7zXZ\0",
     6, "application/x-xz"},
    {0, "\x28\xb5\x2f\xfd", 4, "application/zstd"},
    {0, "7z\xbc\xaf\x27\x1c", 6, "application/x-7z-compressed"},
    {257, "ustar", 5, "application/x-tar"},
    {0,
     "\x7f"
     "ELF",
     4, "application/x-executable"},
    {0, "SQLite format 3\0", 16, "application/vnd.sqlite3"},
    {4, "ftyp", 4, "video/mp4"},
    {0, "\x1a\x45\xdf\xa3", 4, "video/webm"},
    {0, "OggS", 4, "audio/ogg"},
    {0, "fLaC", 4, "audio/x-flac"},
    {0, "ID3", 3, "audio/mpeg"},
    {8, "WAVE", 4, "audio/x-wav"},
};

const char *mime_of(struct slice head)
{
    for (size_t i = 0; i < sizeof MAGICS / sizeof MAGICS[0]; i++) {
        struct slice there = slice_cut(head, MAGICS[i].at, MAGICS[i].len);
        if (slice_equal(there, slice_of(MAGICS[i].magic, MAGICS[i].len)))
            return MAGICS[i].type;
    }
    return "application/octet-stream";
}
