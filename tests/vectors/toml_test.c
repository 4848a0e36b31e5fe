/* The public toml-test cases for TOML 1.0.0: valid documents compared by value, invalid ones
 * refused with a position. Prints how many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "toml/toml.h"

static char vectors[PATH_TEXT_MAX];

static bool same(const struct toml *got, const json_t *want);

static bool same_float(double got, const char *want)
{
    if (strstr(want, "nan") != NULL)
        return isnan(got);
    return got == strtod(want, NULL);
}

static bool same_scalar(const struct toml *got, const char *type, const char *want)
{
    static const char *const types[] = {"string",   "integer",        "float",      "bool",
                                        "datetime", "datetime-local", "date-local", "time-local"};
    struct slice text = {NULL, 0};
    int64_t integer;
    double number;
    bool truth;
    char digits[32];
    if (toml_kind(got) > TOML_LOCAL_TIME || strcmp(types[toml_kind(got)], type) != 0)
        return false;
    if (toml_integer(got, &integer)) {
        snprintf(digits, sizeof digits, "%lld", (long long)integer);
        return strcmp(digits, want) == 0;
    }
    if (toml_float(got, &number))
        return same_float(number, want);
    if (toml_bool(got, &truth))
        return strcmp(truth ? "true" : "false", want) == 0;
    return toml_datetime_text(got, &text) && slice_equal_str(text, want);
}

static bool same_string(const struct toml *got, const json_t *want)
{
    struct slice text;
    return toml_string(got, &text) &&
           slice_equal(text, slice_of(json_string_value(want), json_string_length(want)));
}

/* jansson has no NUL in member names; one case has a key that is nothing else. */
static const char nul_in_json[] = "\"\\u0000\":", nul_stand_in[] = "\"<NUL>\": ";

static const json_t *member_of(const json_t *want, const char *key, size_t len)
{
    if (len == 1 && key[0] == 0)
        return json_object_get(want, "<NUL>");
    return json_object_getn(want, key, len);
}

static json_t *load_expected(const char *path)
{
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    struct error err = {0};
    if (!file_read(path, &text, &err))
        fail_msg("%s", err.message);
    char *found = strstr(buf_cstr(&text), nul_in_json);
    if (found != NULL)
        memcpy(found, nul_stand_in, sizeof nul_stand_in - 1);
    json_error_t why;
    json_t *want = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, &why);
    if (want == NULL)
        fail_msg("%s: %s", path, why.text);
    return want;
}

static bool same_table(const struct toml *got, const json_t *want)
{
    if (toml_kind(got) != TOML_TABLE || toml_count(got) != json_object_size(want))
        return false;
    for (size_t i = 0; i < toml_count(got); i++) {
        size_t len;
        const char *key = toml_key_at(got, i, &len);
        const json_t *member = member_of(want, key, len);
        if (member == NULL || !same(toml_at(got, i), member))
            return false;
    }
    return true;
}

static bool same(const struct toml *got, const json_t *want)
{
    if (json_is_array(want)) {
        if (toml_kind(got) != TOML_ARRAY || toml_count(got) != json_array_size(want))
            return false;
        for (size_t i = 0; i < toml_count(got); i++)
            if (!same(toml_at(got, i), json_array_get(want, i)))
                return false;
        return true;
    }
    const char *type = json_string_value(json_object_get(want, "type"));
    const json_t *value = json_object_get(want, "value");
    if (type == NULL || !json_is_string(value) || json_object_size(want) != 2)
        return same_table(got, want);
    return strcmp(type, "string") == 0 ? same_string(got, value)
                                       : same_scalar(got, type, json_string_value(value));
}

static void read_case(const char *path, struct buf *text)
{
    struct error err = {0};
    if (!file_read(path, text, &err))
        fail_msg("%s", err.message);
}

static void check_valid(const char *path)
{
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    read_case(path, &text);
    char expected[PATH_TEXT_MAX];
    snprintf(expected, sizeof expected, "%.*s.json", (int)strlen(path) - 5, path);
    json_t *want = load_expected(expected);
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    if (!toml_parse(buf_slice(&text), &doc, &err))
        fail_msg("%s: refused: %s", path, err.message);
    if (!same(toml_root(doc), want))
        fail_msg("%s: read with other values than expected", path);
    json_decref(want);
}

static void check_invalid(const char *path)
{
    BUF_AUTO struct buf text = BUF_INIT(TOML_LEN_MAX);
    read_case(path, &text);
    TOML_AUTO struct toml_document *doc = NULL;
    struct error err = {0};
    if (toml_parse(buf_slice(&text), &doc, &err))
        fail_msg("%s: accepted", path);
    assert_null(doc);
    if (strncmp(err.code, "toml/", 5) != 0 || strncmp(err.message, "line ", 5) != 0)
        fail_msg("%s: refused without a position: %s %s", path, err.code, err.message);
}

static size_t for_each_case(const char *dir, void (*check)(const char *path))
{
    size_t count = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        char path[PATH_TEXT_MAX];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        size_t len = strlen(path);
        if (e->d_name[0] == '.')
            continue;
        if (file_is_dir(path))
            count += for_each_case(path, check);
        else if (len > 5 && strcmp(path + len - 5, ".toml") == 0) {
            check(path);
            count++;
        }
    }
    closedir(entries);
    return count;
}

static void valid_documents_read_by_value(void **state)
{
    (void)state;
    char dir[PATH_TEXT_MAX + 8];
    snprintf(dir, sizeof dir, "%s/valid", vectors);
    size_t count = for_each_case(dir, check_valid);
    print_message("%zu valid documents read with the expected values\n", count);
    assert_true(count >= 150);
}

static void invalid_documents_are_refused(void **state)
{
    (void)state;
    char dir[PATH_TEXT_MAX + 8];
    snprintf(dir, sizeof dir, "%s/invalid", vectors);
    size_t count = for_each_case(dir, check_invalid);
    print_message("%zu invalid documents refused with a position\n", count);
    assert_true(count >= 300);
}

int main(void)
{
    const char *root = getenv("MERO_VECTORS");
    snprintf(vectors, sizeof vectors, "%s/toml-test", root != NULL ? root : "../shared/vectors");
    if (!file_is_dir(vectors)) {
        printf("skipped: no vectors in %s (set MERO_VECTORS)\n", vectors);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_documents_read_by_value),
        cmocka_unit_test(invalid_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
