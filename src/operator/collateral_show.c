/* `mero-tee collateral show`: every document of a file, who signed it, and how long it counts. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include "dcap/documents.h"
#include "operator/collateral_command.h"

enum { ROWS_MAX = 4, DETAIL_MAX = 128 };

/* One document as it is shown. */
struct row {
    const char *name;
    bool signature_checked; /* CRLs are checked against the chain of a quote only */
    struct validity span;
    char detail[DETAIL_MAX];
};

struct listing {
    struct row row[ROWS_MAX];
    size_t count;
};

static struct row *add_row(struct listing *list, const char *name, bool checked,
                           struct validity span)
{
    struct row *row = &list->row[list->count++];
    *row = (struct row){.name = name, .signature_checked = checked, .span = span};
    return row;
}

static bool list_tcb_info(const struct collateral *c, const struct dcap_root *root,
                          struct listing *list, struct error *err)
{
    DOCUMENT_SIGNER_AUTO struct document_signer signer = {0};
    struct tcb_info *info = malloc(sizeof *info); /* too large for the stack */
    if (info == NULL)
        return error_set(err, "memory", NULL, "out of memory");
    bool ok = document_signer_open(c, SIGNED_TCB_INFO, root, &signer, err) &&
              document_tcb_info(c, &signer, info, err);
    if (ok) {
        char fmspc[13];
        hex_encode(slice_of(info->fmspc, 6), fmspc);
        struct row *row = add_row(list, "TCB info", true, document_span_tcb_info(info));
        snprintf(row->detail, sizeof row->detail, "%s, FMSPC %s, evaluation number %u",
                 info->tee == TEE_TDX ? "TDX" : "SGX", fmspc, info->evaluation_number);
    }
    free(info);
    return ok;
}

static bool list_qe_identity(const struct collateral *c, const struct dcap_root *root,
                             struct listing *list, struct error *err)
{
    DOCUMENT_SIGNER_AUTO struct document_signer signer = {0};
    struct qe_identity identity;
    if (!document_signer_open(c, SIGNED_QE_IDENTITY, root, &signer, err) ||
        !document_qe_identity(c, &signer, &identity, err))
        return false;
    struct row *row = add_row(list, "QE identity", true, document_span_qe_identity(&identity));
    snprintf(row->detail, sizeof row->detail, "evaluation number %u", identity.evaluation_number);
    return true;
}

static bool list_crl(const struct collateral *c, enum collateral_part part, const char *name,
                     struct listing *list, struct error *err)
{
    struct x509_crl crl;
    if (!x509_crl_parse(collateral_part(c, part), &crl, err))
        return error_prefix(err, "%s", name);
    struct row *row = add_row(list, name, false, document_span_crl(&crl, part));
    snprintf(row->detail, sizeof row->detail, "%zu revoked", crl.revoked_count);
    return true;
}

static bool counts(const struct row *row, int64_t at_s)
{
    return row->span.from_s <= at_s && at_s <= row->span.to_s;
}

static void write_text(const struct listing *list, int64_t at_s, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct row *row = &list->row[i];
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
        time_format_utc(row->span.from_s, from);
        time_format_utc(row->span.to_s, to);
        buf_printf(out, "%-12s %s .. %s  %s  %s%s\n", row->name, from, to,
                   counts(row, at_s)       ? "counts "
                   : at_s > row->span.to_s ? "EXPIRED"
                                           : "NOT YET",
                   row->detail,
                   row->signature_checked ? "" : " (signature: checked with a quote only)");
    }
}

static bool write_json(const struct listing *list, int64_t at_s, struct buf *out, struct error *err)
{
    JSON_AUTO json_t *root = json_object();
    json_t *documents = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct row *row = &list->row[i];
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
        time_format_utc(row->span.from_s, from);
        time_format_utc(row->span.to_s, to);
        json_array_append_new(documents, json_pack("{s:s, s:s, s:s, s:b, s:b, s:s}", "document",
                                                   row->name, "issued", from, "expires", to,
                                                   "counts", counts(row, at_s), "signature_checked",
                                                   row->signature_checked, "detail", row->detail));
    }
    json_object_set_new(root, "schema", json_string("mero.collateral/1"));
    json_object_set_new(root, "documents", documents);
    return json_write_pretty(root, out, err);
}

/* The first document that does not count is the answer for scripts. */
static bool all_count(const struct listing *list, int64_t at_s, struct error *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (!validity_check(&list->row[i].span, 1, VALIDITY_OF_COLLATERAL, at_s, err))
            return false;
    return true;
}

bool collateral_command_show(const struct collateral_options *options, struct buf *out,
                             struct error *err)
{
    COLLATERAL_AUTO struct collateral c;
    DCAP_ROOT_AUTO struct dcap_root root = {0};
    struct listing list = {0};
    int64_t at_s = clock_unix_s();
    if (options->at != NULL && !time_parse(slice_str(options->at), &at_s))
        return error_set(err, "usage", "--at", "--at is '%s': give RFC 3339 in UTC or Unix seconds",
                         options->at);
    if (!collateral_source_read(options->file_path, &c, err) ||
        !collateral_source_root(&options->source, &root, err) ||
        !list_tcb_info(&c, &root, &list, err) || !list_qe_identity(&c, &root, &list, err) ||
        !list_crl(&c, COLLATERAL_PCK_CRL, "PCK CRL", &list, err) ||
        !list_crl(&c, COLLATERAL_ROOT_CRL, "root CRL", &list, err))
        return false;
    if (!options->json)
        write_text(&list, at_s, out);
    else if (!write_json(&list, at_s, out, err))
        return false;
    return all_count(&list, at_s, err);
}
