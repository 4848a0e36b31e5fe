/* config.toml from anywhere: read, and its policy built. Nothing is looked up on disk. */
#include <stdlib.h>

#include "node/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    NODE_CONFIG_AUTO struct node_config *config = NULL;
    struct error err = {0};
    if (!node_config_parse(slice_of(data, len), "/nowhere", &config, &err)) {
        if (config != NULL || err.code == NULL)
            abort();
        return 0;
    }
    struct policy p POLICY_AUTO = {0};
    if (config->has_tee && config_policy_of_file(config, true, &p, &err))
        for (unsigned r = 0; r < POLICY_REGISTERS; r++)
            if (p.lists[r].count == 0)
                abort();
    if (!config_validate_before_dirs(config, &err) && err.code == NULL)
        abort();
    return 0;
}
