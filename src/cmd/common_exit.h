/* Exit statuses of every program, and how an error becomes one. The table in docs/exit-codes.md is
 * made from this file. */
#ifndef CMD_COMMON_EXIT_H
#define CMD_COMMON_EXIT_H

#include "base/error.h"

enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_FAILED = 1,       /* failed for a reason that has no row here */
    EXIT_STATUS_USAGE = 2,        /* command line or configuration */
    EXIT_STATUS_QUOTE = 10,       /* quote format, signature or certificate chain */
    EXIT_STATUS_COLLATERAL = 11,  /* collateral missing, expired or older than known */
    EXIT_STATUS_TCB = 12,         /* TCB status not accepted */
    EXIT_STATUS_MEASUREMENT = 13, /* a measurement is in no allowed set */
    EXIT_STATUS_BINDING = 14,     /* nonce or binding mismatch */
    EXIT_STATUS_PLATFORM = 15,    /* platform not allowed (TD attributes, floors) or no TEE here */
    EXIT_STATUS_POLICY = 16,      /* policy signature, serial or expiry */
    EXIT_STATUS_RELEASE = 17,     /* release signature or provenance */
    EXIT_STATUS_KMS_UNREACHABLE = 20, /* retry may help */
    EXIT_STATUS_KMS_REFUSED = 21,     /* retry will not help */
    EXIT_STATUS_WRONG_KEY = 30,
    EXIT_STATUS_STORE_DAMAGED = 31,
    EXIT_STATUS_STORE_ROLLED_BACK = 32,
    EXIT_STATUS_STORE_TOO_NEW = 33,
    EXIT_STATUS_INTERRUPTED = 130,
};

int exit_status_of(const struct error *err);

/* Tells an error once, on stderr: "prog: message", and below it the field and "code: area/what
 * (exit N)". Returns the exit status. */
int exit_fail(const char *program, const struct error *err);

#endif
