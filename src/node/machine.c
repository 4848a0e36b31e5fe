/* Quote source and verifier from settings. Spec: settings.md; platform facts 1, 3. */
#include "node/machine.h"

#include <stdio.h>
#include <string.h>

enum { COLLATERAL_URLS_TEXT_MAX = 4096 };

/* Splits a csv of URLs in place; blanks around entries and empty entries are dropped. */
static bool split_urls(char *text, struct dcap_verifier_options *out, struct error *err)
{
    while (*text != 0) {
        text += strspn(text, " \t,");
        size_t len = strcspn(text, ", \t");
        if (len == 0)
            break;
        if (out->endpoint_count == DCAP_ENDPOINTS_MAX)
            return error_set(err, "config/value", "MERO_COLLATERAL_URLS",
                             "MERO_COLLATERAL_URLS names more than %d URLs", DCAP_ENDPOINTS_MAX);
        out->endpoints[out->endpoint_count++] = text;
        bool last = text[len] == 0;
        text[len] = 0;
        if (last)
            break;
        text += len + 1;
    }
    return true;
}

static bool set_endpoints(const struct node_config *config, const char *env_urls,
                          char text[COLLATERAL_URLS_TEXT_MAX], struct dcap_verifier_options *out,
                          struct error *err)
{
    if (env_urls != NULL && env_urls[0] != 0) {
        int len = snprintf(text, COLLATERAL_URLS_TEXT_MAX, "%s", env_urls);
        if (len < 0 || len >= COLLATERAL_URLS_TEXT_MAX)
            return error_set(err, "config/value", "MERO_COLLATERAL_URLS",
                             "MERO_COLLATERAL_URLS is longer than %d characters",
                             COLLATERAL_URLS_TEXT_MAX - 1);
        return split_urls(text, out, err);
    }
    for (size_t i = 0; i < config->tee.collateral_url_count; i++)
        out->endpoints[out->endpoint_count++] = config->tee.collateral_urls[i];
    return true;
}

bool machine_open_verifier(const struct node_config *config, const struct node_env *env,
                           struct dcap_verifier **out, struct error *err)
{
    char urls[COLLATERAL_URLS_TEXT_MAX];
    const char *cache_dir = config->tee.collateral_dir;
    struct dcap_verifier_options options = {.cache_dir = cache_dir[0] != 0 ? cache_dir : NULL};
    if (!set_endpoints(config, env->collateral_urls, urls, &options, err))
        return false;
#ifdef MERO_DEV
    options.root_pem_path = env->dev_root;
#endif
    return dcap_verifier_open(&options, out, err);
}

bool machine_open_quotes(const struct node_config *config, const struct node_env *env, bool mock,
                         const atomic_bool *cancel, struct quote_source **out, struct error *err)
{
    struct quote_source_options options = {.kind = config->tee.quote_source,
                                           .dstack_socket = config->tee.dstack_socket,
                                           .cancel = cancel};
#ifdef MERO_DEV
    if (options.dstack_socket == NULL)
        options.dstack_socket = env->simulator_socket;
#else
    (void)env;
#endif
    if (mock)
        options.kind = QUOTE_SOURCE_MOCK;
    return quote_source_open(&options, out, err);
}
