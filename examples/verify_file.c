/* Verifies one quote from a file and prints what it proves.
 *
 *   cc -o verify_file verify_file.c $(pkg-config --cflags --libs merotee)
 *   verify_file QUOTE                             collateral from Intel
 *   verify_file QUOTE COLLATERAL [UNIX_SECONDS]   no network, perhaps as of another time
 *
 * QUOTE is raw bytes, COLLATERAL the JSON object of merotee/collateral.h. Ends with 0 when the
 * quote is genuine and its platform up to date and not in debug mode.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <merotee/merotee.h>
#ifdef MEROTEE_DEV
#include <merotee/dev.h>
#endif

/* A file in memory of its own; NULL when it cannot be read or is larger than max. */
static unsigned char *read_file(const char *path, size_t max, size_t *len)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(max + 1);
    *len = file != NULL && bytes != NULL ? fread(bytes, 1, max + 1, file) : 0;
    if (file != NULL && !ferror(file) && *len > 0 && *len <= max) {
        fclose(file);
        return bytes;
    }
    fprintf(stderr, "%s: cannot be read, empty, or too large\n", path);
    if (file != NULL)
        fclose(file);
    free(bytes);
    *len = 0;
    return NULL;
}

/* Development builds of the library may trust a root of their own; releases trust Intel's. */
static bool open_verifier(struct merotee_verifier **out, struct merotee_error *err)
{
    const struct merotee_verifier_options options = {.size = sizeof options};
#ifdef MEROTEE_DEV
    if (getenv("MERO_DEV_ROOT") != NULL)
        return merotee_dev_verifier_open(getenv("MERO_DEV_ROOT"), &options, out, err);
#endif
    return merotee_verifier_open(&options, out, err);
}

static bool verify_online(const unsigned char *quote, size_t len, struct merotee_verdict *verdict,
                          struct merotee_error *err)
{
    struct merotee_verifier *verifier = NULL;
    bool ok = open_verifier(&verifier, err) &&
              merotee_verifier_check(verifier, quote, len, time(NULL), verdict, err);
    merotee_verifier_close(verifier);
    return ok;
}

static bool verify_with(const unsigned char *quote, size_t len,
                        const struct merotee_collateral *collateral, int64_t at,
                        struct merotee_verdict *verdict, struct merotee_error *err)
{
#ifdef MEROTEE_DEV
    size_t root_len;
    const char *root_path = getenv("MERO_DEV_ROOT");
    if (root_path != NULL) {
        unsigned char *root = read_file(root_path, MEROTEE_COLLATERAL_CHAIN_MAX, &root_len);
        bool ok =
            merotee_dev_verify(root, root_len, quote, len, collateral, NULL, at, verdict, err);
        free(root);
        return ok;
    }
#endif
    return merotee_verify(quote, len, collateral, NULL, at, verdict, err);
}

static bool verify_offline(const unsigned char *quote, size_t len, const char *path, int64_t at,
                           struct merotee_verdict *verdict, struct merotee_error *err)
{
    struct merotee_collateral *collateral = NULL;
    size_t text_len;
    unsigned char *text = read_file(path, MEROTEE_COLLATERAL_FILE_MAX, &text_len);
    bool ok = merotee_collateral_read(text, text_len, &collateral, err) &&
              verify_with(quote, len, collateral, at, verdict, err);
    merotee_collateral_free(collateral);
    free(text);
    return ok;
}

static bool decide(const struct merotee_verdict *verdict, struct merotee_error *err)
{
    struct merotee_policy *policy = NULL;
    bool ok = merotee_policy_new(MEROTEE_POLICY_INSPECT, &policy, err) &&
              merotee_policy_decide(policy, verdict, NULL, NULL, err);
    merotee_policy_free(policy);
    return ok;
}

static void print_field(const struct merotee_verdict *verdict, const char *name,
                        enum merotee_field field)
{
    size_t len;
    const uint8_t *bytes = merotee_verdict_field(verdict, field, &len);
    if (bytes == NULL) /* not in this kind of quote */
        return;
    printf("%-12s", name);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static void print_verdict(const struct merotee_verdict *verdict)
{
    const char *text;
    uint32_t has, needs;
    printf("%-12s%s\n", "status",
           merotee_tcb_status_name(merotee_verdict_status(verdict, MEROTEE_STATUS_OF_ALL)));
    for (size_t i = 0; (text = merotee_verdict_advisory(verdict, i)) != NULL; i++)
        printf("%-12s%s\n", "advisory", text);
    for (size_t i = 0; merotee_verdict_gap(verdict, i, &text, &has, &needs); i++)
        printf("%-12s%s is %" PRIu32 ", needs %" PRIu32 "\n", "behind", text, has, needs);
    print_field(verdict, "fmspc", MEROTEE_FIELD_FMSPC);
    print_field(verdict, "mrtd", MEROTEE_FIELD_MRTD);
    print_field(verdict, "rtmr0", MEROTEE_FIELD_RTMR0);
    print_field(verdict, "rtmr1", MEROTEE_FIELD_RTMR1);
    print_field(verdict, "rtmr2", MEROTEE_FIELD_RTMR2);
    print_field(verdict, "rtmr3", MEROTEE_FIELD_RTMR3);
    print_field(verdict, "mrenclave", MEROTEE_FIELD_MRENCLAVE);
    print_field(verdict, "mrsigner", MEROTEE_FIELD_MRSIGNER);
    print_field(verdict, "reportdata", MEROTEE_FIELD_REPORT_DATA);
}

int main(int argc, char **argv)
{
    struct merotee_error err;
    struct merotee_verdict *verdict = merotee_verdict_new();
    unsigned char *quote = NULL;
    size_t len = 0;
    bool ok = false;
    if (argc < 2 || argc > 4)
        fprintf(stderr, "usage: verify_file QUOTE [COLLATERAL [UNIX_SECONDS]]\n");
    else if (verdict != NULL && (quote = read_file(argv[1], MEROTEE_QUOTE_LEN_MAX, &len)) != NULL) {
        int64_t at = argc == 4 ? strtoimax(argv[3], NULL, 10) : (int64_t)time(NULL);
        ok = argc == 2 ? verify_online(quote, len, verdict, &err)
                       : verify_offline(quote, len, argv[2], at, verdict, &err);
        if (ok)
            print_verdict(verdict);
        ok = ok && decide(verdict, &err);
        if (!ok)
            fprintf(stderr, "refused: %s (%s)\n", err.message, err.code);
    }
    merotee_verdict_free(verdict);
    free(quote);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
