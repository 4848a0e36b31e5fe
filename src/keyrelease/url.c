/* The transport rule for the KMS's URL (compatibility facts B.7). */
#include <stdio.h>
#include <string.h>

#include "http/client.h"
#include "keyrelease/client.h"

enum { SCHEME_MAX = 32 };

/* The scheme as written, lower-cased; false when there is none. */
static bool scheme_of(const char *url, char out[SCHEME_MAX])
{
    size_t len = 0;
    for (; url[len] != ':' && url[len] != '\0'; len++) {
        char c = url[len];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool letter = c >= 'a' && c <= 'z';
        bool other = len > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.');
        if ((!letter && !other) || len + 1 >= SCHEME_MAX)
            return false;
        out[len] = c;
    }
    out[len] = '\0';
    return len > 0 && url[len] == ':';
}

bool keyrelease_check_url(const char *url, bool strict, bool *plain_http_warning, struct error *err)
{
    struct http_url parts;
    char scheme[SCHEME_MAX];
    bool plain = false;
    if (!scheme_of(url, scheme))
        return error_set(err, "keyrelease/url", "tee.kms.phala.url",
                         "tee.kms.phala.url is not an absolute URL: %s", url);
    if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        return error_set(err, "keyrelease/transport", "tee.kms.phala.url",
                         "Unsupported KMS URL scheme '%s'; expected https:// (or http:// for "
                         "loopback development only)",
                         scheme);
    if (!http_url_parse(url, &parts, err)) {
        if (err != NULL)
            err->code = "keyrelease/url";
        return error_prefix(err, "tee.kms.phala.url is not usable");
    }
    if (strcmp(scheme, "http") == 0 && !http_host_is_loopback(parts.host)) {
        if (strict)
            return error_set(err, "keyrelease/transport", "tee.kms.phala.url",
                             "In production attestation mode, tee.kms.phala.url must use HTTPS or "
                             "loopback HTTP to prevent KMS spoofing: %s",
                             url);
        plain = true;
    }
    if (plain_http_warning != NULL)
        *plain_http_warning = plain;
    return true;
}
