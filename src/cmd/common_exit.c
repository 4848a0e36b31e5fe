/* Errors to exit statuses. */
#include "cmd/common_exit.h"

#include <stdio.h>

/* First match counts; a code that ends in '/' stands for its whole area. */
static const struct {
    const char *code;
    enum exit_status status;
} exit_table[] = {
    {"usage", EXIT_STATUS_USAGE},
    {"config/", EXIT_STATUS_USAGE},
    {"toml/", EXIT_STATUS_USAGE},
    {"interrupted", EXIT_STATUS_INTERRUPTED},
    {"quote/", EXIT_STATUS_QUOTE},
    {"evidence/", EXIT_STATUS_QUOTE},
    {"chain/", EXIT_STATUS_QUOTE},
    {"signature/", EXIT_STATUS_QUOTE},
    {"cert/", EXIT_STATUS_QUOTE},
    {"crl/", EXIT_STATUS_QUOTE},
    {"qe/", EXIT_STATUS_QUOTE},
    {"eventlog/", EXIT_STATUS_QUOTE},
    {"collateral/", EXIT_STATUS_COLLATERAL},
    {"tcb/", EXIT_STATUS_TCB},
    {"measurement/", EXIT_STATUS_MEASUREMENT},
    {"keyrelease/binding", EXIT_STATUS_BINDING},
    {"binding/", EXIT_STATUS_BINDING},
    {"platform/", EXIT_STATUS_PLATFORM},
    {"policy/", EXIT_STATUS_POLICY},
    {"release/", EXIT_STATUS_RELEASE},
    {"sigstore/", EXIT_STATUS_RELEASE},
    {"keyrelease/unreachable", EXIT_STATUS_KMS_UNREACHABLE},
    {"http/", EXIT_STATUS_KMS_UNREACHABLE},
    {"keyrelease/", EXIT_STATUS_KMS_REFUSED},
    {"store/wrong-key", EXIT_STATUS_WRONG_KEY},
    {"store/damaged", EXIT_STATUS_STORE_DAMAGED},
    {"store/rolled-back", EXIT_STATUS_STORE_ROLLED_BACK},
    {"store/too-new", EXIT_STATUS_STORE_TOO_NEW},
};

int exit_status_of(const struct error *err)
{
    for (size_t i = 0; i < sizeof exit_table / sizeof exit_table[0]; i++)
        if (error_is(err, exit_table[i].code))
            return (int)exit_table[i].status;
    return EXIT_STATUS_FAILED;
}

int exit_fail(const char *program, const struct error *err)
{
    int status = exit_status_of(err);
    fprintf(stderr, "%s: %s\n", program, err->message);
    if (err->field[0] != 0)
        fprintf(stderr, "  field: %s\n", err->field);
    fprintf(stderr, "  code: %s (exit %d)\n", err->code != NULL ? err->code : "unknown", status);
    return status;
}
