/* The two kinds of used-set behind one interface. */
#ifndef KMS_USED_INTERNAL_H
#define KMS_USED_INTERNAL_H

#include "kms/used_set.h"

struct used_set {
    void (*close)(struct used_set *set);
    enum used_result (*mark)(struct used_set *set, const uint8_t id[USED_ID_LEN],
                             int64_t expires_at_s, int64_t now_s, struct error *err);
    bool (*seen)(struct used_set *set, const uint8_t id[USED_ID_LEN], int64_t expires_at_s);
    size_t (*count)(struct used_set *set);
    bool (*check)(struct used_set *set, struct error *err);
};

#endif
