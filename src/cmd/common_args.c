/* Command lines from one table. */
#include "cmd/common_args.h"

#include <string.h>

#include "cmd/common_exit.h"

enum { WORD_MAX = 48, HELP_COLUMN = 30 };

static const struct args_option standard_options[] = {
    {"help", 'h', NULL, "show this help", false},
    {"version", 'V', NULL, "show the version", false},
};
enum { STANDARD_COUNT = sizeof standard_options / sizeof standard_options[0] };

/* Edit distance of two short words; longer words count as far apart. */
static size_t word_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);
    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t insert = row[j - 1] + 1, remove = row[j] + 1;
            diagonal = row[j];
            row[j] = replace < insert ? replace : insert;
            if (remove < row[j])
                row[j] = remove;
        }
    }
    return row[lb];
}

/* Keeps the nearest of the words offered, when it is near enough to be meant. */
struct suggestion {
    const char *word;
    size_t distance;
};

static void suggest(struct suggestion *best, const char *typed, const char *known)
{
    size_t distance = word_distance(typed, known);
    if (distance < best->distance && distance <= 3 && distance < strlen(known)) {
        best->word = known;
        best->distance = distance;
    }
}

/* The three tables an option may stand in, one after the other. */
struct option_tables {
    const struct args_option *table[3];
    size_t count[3];
};

static struct option_tables tables_of(const struct args_program *program,
                                      const struct args_command *command)
{
    return (struct option_tables){
        {command != NULL ? command->options : NULL, program->globals, standard_options},
        {command != NULL ? command->option_count : 0, program->global_count, STANDARD_COUNT}};
}

static const struct args_option *find_option(struct option_tables t, const char *name, size_t len,
                                             char letter)
{
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < t.count[i]; j++) {
            const struct args_option *o = &t.table[i][j];
            if (letter != 0 ? o->letter == letter
                            : strlen(o->name) == len && memcmp(o->name, name, len) == 0)
                return o;
        }
    return NULL;
}

static bool unknown_option(struct option_tables t, const char *word, struct error *err)
{
    struct suggestion best = {NULL, WORD_MAX};
    char name[WORD_MAX + 1];
    const char *start = word + strspn(word, "-");
    size_t len = strcspn(start, "=");
    snprintf(name, sizeof name, "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), start);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < t.count[i]; j++)
            if (!t.table[i][j].hidden)
                suggest(&best, name, t.table[i][j].name);
    if (best.word != NULL)
        return error_set(err, "usage", word, "unknown option '%s': did you mean '--%s'?", word,
                         best.word);
    return error_set(err, "usage", word, "unknown option '%s'", word);
}

static bool store_value(struct args *out, const struct args_option *o, const char *text,
                        struct error *err)
{
    if (strcmp(o->name, "help") == 0)
        out->help = true;
    if (strcmp(o->name, "version") == 0)
        out->version = true;
    if (out->value_count == ARGS_VALUES_MAX)
        return error_set(err, "usage", o->name, "more than %d options", ARGS_VALUES_MAX);
    out->values[out->value_count++] = (struct args_value){o, text};
    return true;
}

/* One option word; takes the next word as its value where it needs one. */
static bool parse_option(struct option_tables t, int argc, char *const *argv, int *at,
                         struct args *out, struct error *err)
{
    const char *word = argv[*at], *value = NULL;
    const struct args_option *o = NULL;
    if (word[1] == '-') {
        const char *equals = strchr(word, '=');
        size_t len = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        value = equals != NULL ? equals + 1 : NULL;
        o = find_option(t, word + 2, len, 0);
    } else {
        o = find_option(t, NULL, 0, word[1]);
        value = word[2] != 0 ? word + 2 : NULL;
    }
    if (o == NULL)
        return unknown_option(t, word, err);
    if (o->value == NULL && value != NULL)
        return error_set(err, "usage", o->name, "option '--%s' takes no value", o->name);
    if (o->value != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return error_set(err, "usage", o->name, "option '--%s' needs a value <%s>", o->name,
                             o->value);
        value = argv[++*at];
    }
    return store_value(out, o, value, err);
}

/* Words of a command name ("kms probe" has two) matched at argv[at]; 0 when it does not match. */
static int match_command(const char *name, int argc, char *const *argv, int at)
{
    int words = 0;
    while (*name != 0) {
        size_t len = strcspn(name, " ");
        if (at + words >= argc || strlen(argv[at + words]) != len ||
            memcmp(argv[at + words], name, len) != 0)
            return 0;
        words++;
        name += len;
        name += strspn(name, " ");
    }
    return words;
}

/* "kms probe" starts with the word "kms". */
static bool starts_command(const char *name, const char *word)
{
    size_t len = strlen(word);
    return strncmp(name, word, len) == 0 && name[len] == ' ';
}

static bool unknown_command(const struct args_program *program, const char *first,
                            const char *second, struct error *err)
{
    struct suggestion best = {NULL, WORD_MAX};
    char two[2 * WORD_MAX + 2];
    const char *typed = first;
    snprintf(two, sizeof two, "%.40s %.40s", first, second);
    for (size_t i = 0; i < program->command_count; i++) {
        const struct args_command *c = &program->commands[i];
        if (second[0] != 0 && starts_command(c->name, first))
            typed = two;
        suggest(&best, strchr(c->name, ' ') != NULL ? two : first, c->name);
    }
    if (best.word != NULL)
        return error_set(err, "usage", first, "unknown command '%s': did you mean '%s'?", typed,
                         best.word);
    return error_set(err, "usage", first, "unknown command '%s'", typed);
}

/* The first word of commands of two, alone: which words may follow? */
static bool incomplete_command(const struct args_program *program, const char *first,
                               struct error *err)
{
    char words[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < program->command_count; i++) {
        const char *name = program->commands[i].name;
        if (!starts_command(name, first) || used >= sizeof words)
            continue;
        int len = snprintf(&words[used], sizeof words - used, "%s%s", used > 0 ? ", " : "",
                           &name[strlen(first) + 1]);
        used += len > 0 ? (size_t)len : 0;
    }
    return error_set(err, "usage", first, "'%s' needs one more word: %s", first, words);
}

static bool is_group(const struct args_program *program, const char *word)
{
    for (size_t i = 0; i < program->command_count; i++)
        if (starts_command(program->commands[i].name, word))
            return true;
    return false;
}

static bool find_command(const struct args_program *program, int argc, char *const *argv, int *at,
                         struct args *out, struct error *err)
{
    for (size_t i = 0; i < program->command_count; i++) {
        const struct args_command *c = &program->commands[i];
        int words = match_command(c->name, argc, argv, *at);
        if (words == 0 && c->alias != NULL)
            words = match_command(c->alias, argc, argv, *at);
        if (words > 0) {
            out->command = c;
            *at += words - 1;
            return true;
        }
    }
    bool alone = *at + 1 >= argc || argv[*at + 1][0] == '-';
    if (alone && is_group(program, argv[*at])) {
        out->group = argv[*at];
        return true;
    }
    return unknown_command(program, argv[*at], alone ? "" : argv[*at + 1], err);
}

static bool parse_word(const struct args_program *program, int argc, char *const *argv, int *at,
                       struct args *out, struct error *err)
{
    if (out->command == NULL)
        return find_command(program, argc, argv, at, out, err);
    if (out->positional_count >= out->command->positionals_max ||
        out->positional_count == ARGS_POSITIONALS_MAX)
        return error_set(err, "usage", argv[*at], "unexpected argument '%s'", argv[*at]);
    out->positionals[out->positional_count++] = argv[*at];
    return true;
}

static bool check_complete(const struct args_program *program, const struct args *out,
                           struct error *err)
{
    if (out->help || out->version)
        return true;
    if (out->command == NULL && out->group != NULL)
        return incomplete_command(program, out->group, err);
    if (out->command == NULL)
        return error_set(err, "usage", NULL, "a command is needed");
    if (out->positional_count < out->command->positionals_min)
        return error_set(err, "usage", NULL, "%s %s needs %s", program->name, out->command->name,
                         out->command->positionals);
    return true;
}

bool args_parse(const struct args_program *program, int argc, char *const *argv, struct args *out,
                struct error *err)
{
    struct args made = {0};
    bool options_end = false;
    if (program->command_count == 1 && program->commands[0].name[0] == 0)
        made.command = &program->commands[0];
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        bool ok;
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
            continue;
        }
        if (!options_end && word[0] == '-' && word[1] != 0)
            ok = parse_option(tables_of(program, made.command), argc, argv, &at, &made, err);
        else
            ok = parse_word(program, argc, argv, &at, &made, err);
        if (!ok) {
            out->command = made.command;
            return false;
        }
    }
    *out = made;
    return check_complete(program, out, err);
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->value_count; i++)
        if (strcmp(args->values[i].option->name, name) == 0)
            return true;
    return false;
}

const char *args_get(const struct args *args, const char *name, const char *fallback)
{
    for (size_t i = args->value_count; i > 0; i--)
        if (strcmp(args->values[i - 1].option->name, name) == 0)
            return args->values[i - 1].text;
    return fallback;
}

const char *args_get_nth(const struct args *args, const char *name, size_t i)
{
    for (size_t at = 0; at < args->value_count; at++)
        if (strcmp(args->values[at].option->name, name) == 0 && i-- == 0)
            return args->values[at].text;
    return NULL;
}

bool args_get_number(const struct args *args, const char *name, unsigned long min,
                     unsigned long max, unsigned long *out, struct error *err)
{
    const char *text = args_get(args, name, NULL);
    if (text == NULL)
        return true;
    unsigned long value = 0;
    bool ok = text[0] != 0 && strlen(text) <= 10;
    for (const char *c = text; ok && *c != 0; c++) {
        ok = *c >= '0' && *c <= '9';
        value = value * 10 + (unsigned long)(*c - '0');
    }
    if (!ok || value < min || value > max)
        return error_set(err, "usage", name, "--%s is '%s', allowed are %lu to %lu", name, text,
                         min, max);
    *out = value;
    return true;
}

static void print_options(const char *title, const struct args_option *options, size_t count,
                          FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct args_option *o = &options[i];
        char left[128];
        if (o->hidden)
            continue;
        if (!any && title != NULL)
            fprintf(out, "\n%s:\n", title);
        any = true;
        int len = o->letter != 0 ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                                 : snprintf(left, sizeof left, "    --%s", o->name);
        if (o->value != NULL && len > 0)
            snprintf(left + len, sizeof left - (size_t)len, " <%s>", o->value);
        if (strlen(left) > HELP_COLUMN)
            fprintf(out, "  %s\n  %-*s %s\n", left, HELP_COLUMN, "", o->help);
        else
            fprintf(out, "  %-*s %s\n", HELP_COLUMN, left, o->help);
    }
}

static void print_program_help(const struct args_program *program, FILE *out)
{
    fprintf(out, "%s - %s\n\nUsage: %s [options] <command> [arguments]\n\nCommands:\n",
            program->name, program->summary, program->name);
    for (size_t i = 0; i < program->command_count; i++)
        fprintf(out, "  %-*s %s\n", 18, program->commands[i].name, program->commands[i].summary);
    print_options("Options", program->globals, program->global_count, out);
    print_options(program->global_count == 0 ? "Options" : NULL, standard_options, STANDARD_COUNT,
                  out);
    if (program->notes != NULL)
        fprintf(out, "\n%s", program->notes);
}

void args_print_help(const struct args_program *program, const struct args_command *command,
                     FILE *out)
{
    if (command == NULL) {
        print_program_help(program, out);
        return;
    }
    bool named = command->name[0] != 0;
    fprintf(out, "%s%s%s - %s\n\nUsage: %s%s%s [options]%s%s\n", program->name, named ? " " : "",
            command->name, command->summary, program->name, named ? " " : "", command->name,
            command->positionals != NULL ? " " : "",
            command->positionals != NULL ? command->positionals : "");
    print_options("Options", command->options, command->option_count, out);
    print_options(command->option_count == 0 ? "Options" : NULL, program->globals,
                  program->global_count, out);
    print_options(command->option_count + program->global_count == 0 ? "Options" : NULL,
                  standard_options, STANDARD_COUNT, out);
    if (command->notes != NULL)
        fprintf(out, "\n%s", command->notes);
}

int args_fail_usage(const struct args_program *program, const struct args *args,
                    const struct error *err)
{
    bool in_command = args != NULL && args->command != NULL && args->command->name[0] != 0;
    fprintf(stderr, "%s: %s\nTry '%s%s%s --help'.\n", program->name, err->message, program->name,
            in_command ? " " : "", in_command ? args->command->name : "");
    return EXIT_STATUS_USAGE;
}
