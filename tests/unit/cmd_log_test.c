/* RUST_LOG as operators of the existing programs write it. */
#include "cmd/common_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void levels(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum log_level level;
    } cases[] = {
        {NULL, LOG_LEVEL_INFO},
        {"", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},
        {"TRACE", LOG_LEVEL_DEBUG},
        {"warn", LOG_LEVEL_WARN},
        {"off", LOG_LEVEL_ERROR},
        {"rubbish", LOG_LEVEL_INFO},
        {"merod=info,calimero_=info,mero_auth=info", LOG_LEVEL_INFO},
        {"merod=debug", LOG_LEVEL_DEBUG},
        {"warn,merod=debug", LOG_LEVEL_DEBUG},
        {"merod=debug,warn", LOG_LEVEL_DEBUG},
        {"libp2p=trace", LOG_LEVEL_INFO},
        {"libp2p=trace,error", LOG_LEVEL_ERROR},
        {"calimero_store=warn,merod=error", LOG_LEVEL_ERROR},
        {"merod=rubbish", LOG_LEVEL_INFO},
        {"merod=", LOG_LEVEL_INFO},
        {"=debug", LOG_LEVEL_INFO},
        {",,,debug,", LOG_LEVEL_DEBUG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(log_level_of_env(cases[i].text, "merod"), cases[i].level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
