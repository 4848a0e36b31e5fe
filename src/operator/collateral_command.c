/* `mero-tee collateral`. */
#include "operator/collateral_command.h"

#include "base/clock.h"
#include "base/codec.h"
#include "operator/evidence.h"

static bool judge_time(const struct collateral_options *options, int64_t *out, struct error *err)
{
    *out = clock_unix_s();
    return options->at == NULL || time_parse(slice_str(options->at), out) ||
           error_set(err, "usage", "--at", "--at is '%s': give RFC 3339 in UTC or Unix seconds",
                     options->at);
}

/* Opens the verifier and takes the documents of the quote's platform; refresh asks the services
 * even for what counts. */
static bool take(const struct collateral_options *options, bool refresh,
                 struct collateral *documents, struct error *err)
{
    EVIDENCE_AUTO struct evidence e = {0};
    DCAP_VERIFIER_AUTO struct dcap_verifier *verifier = NULL;
    int64_t at_s;
    if (!judge_time(options, &at_s, err) || !evidence_read(options->quote_path, &e, err) ||
        !collateral_source_open(&options->source, &verifier, err) ||
        !dcap_verifier_collateral(verifier, buf_slice(&e.quote), at_s, documents, err))
        return false;
    if (!refresh)
        return true;
    collateral_free(documents);
    return dcap_verifier_refresh(verifier, at_s, err) &&
           dcap_verifier_collateral(verifier, buf_slice(&e.quote), at_s, documents, err);
}

bool collateral_command_fetch(const struct collateral_options *options, struct buf *out,
                              struct error *err)
{
    COLLATERAL_AUTO struct collateral documents;
    collateral_init(&documents);
    return take(options, options->source.cache_dir != NULL, &documents, err) &&
           collateral_write(&documents, out, err);
}

bool collateral_command_export(const struct collateral_options *options, struct buf *out,
                               struct error *err)
{
    COLLATERAL_AUTO struct collateral documents;
    collateral_init(&documents);
    struct collateral_options offline = *options;
    offline.source.offline = true;
    return take(&offline, false, &documents, err) && collateral_write(&documents, out, err);
}

bool collateral_command_import(const struct collateral_options *options, struct buf *out,
                               struct error *err)
{
    COLLATERAL_AUTO struct collateral documents;
    EVIDENCE_AUTO struct evidence e = {0};
    DCAP_VERIFIER_AUTO struct dcap_verifier *verifier = NULL;
    struct collateral_source source = options->source;
    int64_t at_s;
    source.offline = true;
    if (!collateral_source_read(options->file_path, &documents, err) ||
        !judge_time(options, &at_s, err) || !evidence_read(options->quote_path, &e, err) ||
        !collateral_source_open(&source, &verifier, err) ||
        !dcap_verifier_import(verifier, buf_slice(&e.quote), &documents, at_s, err))
        return false;
    return buf_printf(out, "imported into %s\n", options->source.cache_dir) ||
           error_set(err, "memory", NULL, "out of memory");
}

bool collateral_command_forget(const struct collateral_options *options, struct buf *out,
                               struct error *err)
{
    return dcap_cache_forget(options->source.cache_dir, err) &&
           (buf_printf(out, "forgotten: %s\n", options->source.cache_dir) ||
            error_set(err, "memory", NULL, "out of memory"));
}
