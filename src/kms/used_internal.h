/* The two kinds of used-set behind one interface. */
#ifndef KMS_USED_INTERNAL_H
#define KMS_USED_INTERNAL_H

#include "kms/used_set.h"

struct kms_used_set {
    void (*close)(struct kms_used_set *set);
    enum kms_used_result (*mark)(struct kms_used_set *set, const uint8_t id[USED_ID_LEN],
                                 int64_t expires_at_s, int64_t now_s, struct error *err);
    bool (*seen)(struct kms_used_set *set, const uint8_t id[USED_ID_LEN], int64_t expires_at_s);
    size_t (*count)(struct kms_used_set *set);
    bool (*check)(struct kms_used_set *set, struct error *err);
};

#endif
