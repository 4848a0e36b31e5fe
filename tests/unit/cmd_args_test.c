/* The option table: parsing, suggestions, and help that fits a screen. */
#include "cmd/common_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct args_option globals[] = {{"home", 0, "PATH", "where", false},
                                             {"node", 'n', "NAME", "which", false}};
static const struct args_option probe_options[] = {{"kms-url", 0, "URL", "the KMS", false},
                                                   {"json", 0, NULL, "print JSON", false},
                                                   {"secret-switch", 0, NULL, "hidden", true}};
static const struct args_command commands[] = {
    {"run", "up", "start", NULL, 0, 0, NULL, 0, NULL},
    {"config", NULL, "set", "[KEY=VALUE]...", 0, 3, NULL, 0, NULL},
    {"show", NULL, "show", "<FILE>", 1, 1, NULL, 0, NULL},
    {"kms probe", NULL, "probe", NULL, 0, 0, probe_options, 3, "Example:\n"},
};
static const struct args_program program = {"prog", "a program", globals, 2, commands, 4, NULL};

static bool parse(const char *line, struct args *out, struct error *err)
{
    static char words[16][64];
    char *argv[17] = {0};
    int argc = 0;
    for (const char *at = line; *at != 0; argc++) {
        size_t len = strcspn(at, " ");
        assert_true(len < sizeof words[0] && argc < 16);
        memcpy(words[argc], at, len);
        words[argc][len] = 0;
        argv[argc] = words[argc];
        at += len;
        at += strspn(at, " ");
    }
    return args_parse(&program, argc, argv, out, err);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "prog --home H -n N kms probe --kms-url=U --json",
        "prog kms probe --home=H --kms-url U --json -nN",
        "prog -n N kms probe --json --kms-url X --kms-url U --home H",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct args args = {0};
        struct error err = {0};
        assert_true(parse(lines[i], &args, &err));
        assert_string_equal(args.command->name, "kms probe");
        assert_string_equal(args_get(&args, "home", ""), "H");
        assert_string_equal(args_get(&args, "node", ""), "N");
        assert_string_equal(args_get(&args, "kms-url", ""), "U"); /* the last one counts */
        assert_true(args_has(&args, "json"));
        assert_string_equal(args_get(&args, "absent", "fallback"), "fallback");
    }
}

static void mistakes_are_named_with_the_nearest_word(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"prog", "a command is needed"},
        {"prog rum", "unknown command 'rum': did you mean 'run'?"},
        {"prog kms prob", "unknown command 'kms prob': did you mean 'kms probe'?"},
        {"prog kms", "'kms' needs one more word: probe"},
        {"prog kms -n N", "'kms' needs one more word: probe"},
        {"prog --nod", "unknown option '--nod': did you mean '--node'?"},
        {"prog zzzzzz", "unknown command 'zzzzzz'"},
        {"prog kms probe --jsn", "unknown option '--jsn': did you mean '--json'?"},
        {"prog kms probe --kms-ur=x", "unknown option '--kms-ur=x': did you mean '--kms-url'?"},
        {"prog kms probe --secret-switc", "unknown option '--secret-switc'"},
        {"prog run -x", "unknown option '-x'"},
        {"prog run --json", "unknown option '--json'"},
        {"prog kms probe --kms-url", "option '--kms-url' needs a value <URL>"},
        {"prog kms probe --json=1", "option '--json' takes no value"},
        {"prog run extra", "unexpected argument 'extra'"},
        {"prog config a b c d", "unexpected argument 'd'"},
        {"prog show", "prog show needs <FILE>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct args args = {0};
        struct error err = {0};
        assert_false(parse(cases[i].line, &args, &err));
        assert_string_equal(err.code, "usage");
        assert_string_equal(err.message, cases[i].text);
    }
}

static void positionals_aliases_and_the_end_of_options(void **state)
{
    (void)state;
    struct args args = {0};
    struct error err = {0};
    assert_true(parse("prog up", &args, &err));
    assert_string_equal(args.command->name, "run");
    assert_true(parse("prog config a=1 -- --b=2 -", &args, &err));
    assert_int_equal(args.positional_count, 3);
    assert_string_equal(args.positionals[1], "--b=2");
    assert_string_equal(args.positionals[2], "-");
    assert_true(parse("prog --version", &args, &err));
    assert_true(args.version);
    assert_true(parse("prog show -h", &args, &err)); /* help needs no arguments */
    assert_true(args.help);
    assert_true(parse("prog kms --help", &args, &err)); /* the program's: it lists "kms probe" */
    assert_true(args.help && args.command == NULL);
}

static void numbers_have_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {{"1", true}, {"10", true},  {"0", false},  {"11", false},
                 {"", false}, {"1x", false}, {"-1", false}, {"99999999999999999999", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct args args = {.value_count = 1, .values = {{&probe_options[0], cases[i].text}}};
        struct error err = {0};
        unsigned long value = 7;
        assert_int_equal(args_get_number(&args, "kms-url", 1, 10, &value, &err), cases[i].ok);
        assert_true(cases[i].ok || value == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(mistakes_are_named_with_the_nearest_word),
        cmocka_unit_test(positionals_aliases_and_the_end_of_options),
        cmocka_unit_test(numbers_have_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
