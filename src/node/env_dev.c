/* Development builds only: another clock. Spec: settings.md, last section. */
#include "base/bytes.h"
#include "base/clock.h"
#include "node/env.h"

bool node_env_apply_dev(const struct node_env *env, struct error *err)
{
    int64_t now_s;
    if (env->dev_now == NULL)
        return true;
    if (!time_parse(slice_str(env->dev_now), &now_s))
        return error_set(err, "config/value", "MERO_DEV_NOW",
                         "MERO_DEV_NOW is '%s', wanted are Unix seconds or YYYY-MM-DDThh:mm:ssZ",
                         env->dev_now);
    clock_dev_set(now_s);
    return true;
}
