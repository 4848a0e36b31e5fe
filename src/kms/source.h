/* Who is asking, and how often: limits per source (an IPv4 address, an IPv6 /64). Behind trusted
 * proxies the source is the last hop of X-Forwarded-For that is not one of them, so that a gateway
 * is not one source for all. Spec: settings.md. Thread-safe. */
#ifndef KMS_SOURCE_H
#define KMS_SOURCE_H

#include "kms/config.h"

struct kms_source {
    uint8_t key[16];    /* IPv6 with the lower half zeroed; IPv4 mapped */
    bool known;         /* false: a unix socket, or nothing readable; never limited */
    bool forwarded;     /* taken from X-Forwarded-For */
    bool untrusted_xff; /* there was such a header, from somebody who is not trusted */
    char text[48];      /* for logs */
};

/* peer: the address of the connection; forwarded: the header's value or NULL. */
struct kms_source kms_source_of(const struct kms_cidr_list *trusted, const char *peer,
                                const char *forwarded);
bool kms_cidr_list_has(const struct kms_cidr_list *list, const uint8_t address[16]);

/* Token buckets in a table of fixed size: who is remembered least is forgotten first. */
struct kms_source_limiter;
bool kms_source_limiter_open(uint32_t rate, uint32_t burst, struct kms_source_limiter **out,
                             struct error *err) MUST_USE;
void kms_source_limiter_close(struct kms_source_limiter **limiter);
/* Takes one token. False: too many; *retry_after_s says when there will be one. */
bool kms_source_limiter_take(struct kms_source_limiter *limiter, const struct kms_source *source,
                             int64_t now_ms, unsigned *retry_after_s);
/* How many sources are out of tokens at this moment. */
size_t kms_source_limiter_penalised(struct kms_source_limiter *limiter, int64_t now_ms);

#endif
