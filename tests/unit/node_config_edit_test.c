/* `merod config KEY=VALUE...`: all or nothing, everything else kept, nobody's edit lost
 * (compatibility facts A.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "node/config_edit.h"
#include "support/node_dir.h"

#define ATT "tee.kms.phala.attestation."
#define HEX_A                                                                                      \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaa"

static void write_sample(const char *dir)
{
    write_test_file(dir, NODE_CONFIG_FILE, slice_str(node_sample_config), NULL);
}

static void read_file_text(const char *dir, struct buf *text)
{
    char path[PATH_TEXT_MAX];
    struct error err = {0};
    assert_true(path_join(dir, NODE_CONFIG_FILE, path, &err));
    buf_reset(text);
    assert_true(file_read(path, text, &err));
}

static void assert_file(const char *dir, const char *expected)
{
    BUF_AUTO struct buf text = BUF_INIT(65536);
    read_file_text(dir, &text);
    assert_string_equal(buf_cstr(&text), expected);
}

static void assert_only_config_in(const char *dir)
{
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;)
        if (e->d_name[0] != '.' && strcmp(e->d_name, NODE_CONFIG_FILE) != 0)
            fail_msg("left behind: %s", e->d_name);
    closedir(entries);
}

/* The commands of the compatibility facts B.3, in one call. */
static void the_tee_section_is_added(void **state)
{
    static const char *const assignments[] = {
        "tee.kms.phala.url=\"https://kms:8443/\"",
        ATT "allowed_mrtd=[\"" HEX_A "\"]",
        ATT "allowed_rtmr0=[\"" HEX_A "\"]",
        ATT "allowed_rtmr1=[\"" HEX_A "\"]",
        ATT "allowed_rtmr2=[\"" HEX_A "\"]",
        ATT "allowed_rtmr3=[\"" HEX_A "\"]",
        ATT "enabled=true",
    };
    BUF_AUTO struct buf expected = BUF_INIT(65536);
    struct error err = {0};
    write_sample(*state);
    if (!node_config_edit(*state, assignments, 7, &err))
        fail_msg("%s", err.message);
    buf_append_str(&expected, node_sample_config);
    buf_append_str(&expected, "\n[tee.kms.phala]\nurl = \"https://kms:8443/\"\n"
                              "\n[tee.kms.phala.attestation]\n");
    for (size_t r = 0; r < 5; r++) {
        static const char *const keys[] = {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"};
        buf_printf(&expected, "allowed_%s = [\"" HEX_A "\"]\n", keys[r]);
    }
    buf_append_str(&expected, "enabled = true\n");
    assert_file(*state, buf_cstr(&expected));
    assert_only_config_in(*state);

    NODE_CONFIG_AUTO struct node_config *c = NULL;
    assert_true(node_config_load(*state, &c, &err));
    assert_true(c->tee.attestation.enabled);
}

static void comments_and_order_stay(void **state)
{
    BUF_AUTO struct buf expected = BUF_INIT(65536);
    struct error err = {0};
    write_sample(*state);
    assert_true(
        node_config_edit(*state, (const char *[]){"sync.session_deadline_ms=40000"}, 1, &err));
    const char *at = strstr(node_sample_config, "30000             #");
    buf_append(&expected, slice_of(node_sample_config, (size_t)(at - node_sample_config)));
    buf_append_str(&expected, "40000");
    buf_append_str(&expected, at + 5);
    assert_file(*state, buf_cstr(&expected));
}

static void no_assignment_rewrites_the_same(void **state)
{
    struct error err = {0};
    char path[PATH_TEXT_MAX];
    struct stat st;
    write_sample(*state);
    assert_true(path_join(*state, NODE_CONFIG_FILE, path, &err));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(node_config_edit(*state, NULL, 0, &err));
    assert_file(*state, node_sample_config);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* the private key is in it */
}

/* Nothing is written unless everything is good; what was there stays, byte for byte. */
static void bad_edits_change_nothing(void **state)
{
    static const struct {
        const char *assignments[3];
        const char *code, *message;
    } cases[] = {
        {{"mode"}, "usage", "invalid value 'mode' for '[KEY=VALUE]...': Missing value"},
        {{"mode=standard"},
         "usage",
         "invalid value for 'mode': line 1, column 1: not a TOML value (strings need quotes): "
         "standard"},
        {{"mode="},
         "usage",
         "invalid value for 'mode': line 1, column 1: expected a value, found the end of the text"},
        {{"sync.timeout_ms=40000", "x"},
         "usage",
         "invalid value 'x' for '[KEY=VALUE]...': Missing "
         "value"},
        {{"mode.x=1"}, "toml/type", "cannot set 'mode.x': parent of 'x' is not a table"},
        {{"mode.x.y=1"}, "toml/type", "cannot set 'mode.x.y': 'mode' is not a table"},
        {{"=1"}, "toml/type", "cannot set '': empty key segment"},
        {{"mode=1"}, "config/type", "line 1, column 8: mode must be a string, not an integer"},
        {{"sync.timeout_ms=40000", "sync.interval_ms=1"},
         "config/validation",
         "Limit values validation failed: sync.interval (1ms) is below minimum allowed value "
         "(100ms)"},
        {{ATT "enabled=true", "tee.kms.phala.url='https://k'"},
         "config/value",
         "Credentials validation failed: tee.kms.phala.attestation.enabled is true, but "
         "allowed_mrtd is empty. Configure at least one trusted KMS MRTD."},
        {{"server.listen=['/ip4/127.0.0.1/tcp/2428']"},
         "config/validation",
         "Port conflict validation failed: Port conflicts detected:\n  - Server TCP port 2428 "
         "conflicts with swarm on 127.0.0.1"},
        {{"server.auth_mode=\"embedded\""},
         "config/validation",
         "Credentials validation failed: Auth mode is set to 'embedded' but no embedded_auth "
         "configuration is provided. Either provide embedded_auth configuration or change "
         "auth_mode to 'proxy'."},
        {{"sync=1"}, "config/type", "line 1, column 8: sync must be a table, not an integer"},
    };
    write_sample(*state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        size_t count = cases[i].assignments[1] != NULL ? 2 : 1;
        assert_false(node_config_edit(*state, cases[i].assignments, count, &err));
        if (strcmp(err.code, "config/type") != 0) /* its position is that of the candidate */
            assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.code, cases[i].code);
        assert_file(*state, node_sample_config);
    }
    assert_only_config_in(*state);
}

static void the_value_may_hold_equals_signs(void **state)
{
    struct error err = {0};
    NODE_CONFIG_AUTO struct node_config *c = NULL;
    write_sample(*state);
    assert_true(node_config_edit(*state, (const char *[]){"tee.kms.phala.url=\"https://k/?a=b\""},
                                 1, &err));
    assert_true(node_config_load(*state, &c, &err));
    assert_string_equal(c->tee.url, "https://k/?a=b");
}

/* Validation asks about the real directory: a data path that is a file there is refused. */
static void the_real_directory_is_what_counts(void **state)
{
    struct error err = {0};
    write_sample(*state);
    write_test_file(*state, "a-file", slice_str("x"), NULL);
    assert_false(node_config_edit(*state, (const char *[]){"datastore.path=\"a-file\""}, 1, &err));
    assert_non_null(strstr(err.message, "exists but is not a directory"));
    assert_file(*state, node_sample_config);
}

static void a_missing_node_is_named(void **state)
{
    char expected[PATH_TEXT_MAX + 64];
    struct error err = {0};
    assert_false(node_config_edit(*state, NULL, 0, &err));
    snprintf(expected, sizeof expected, "Node is not initialized in \"%s\"", (char *)*state);
    assert_string_equal(err.message, expected);
    assert_string_equal(err.code, "config/not-initialized");
}

static void a_damaged_file_is_not_replaced(void **state)
{
    struct error err = {0};
    write_test_file(*state, NODE_CONFIG_FILE, slice_str("mode = \n"), NULL);
    assert_false(node_config_edit(*state, (const char *[]){"mode=\"standard\""}, 1, &err));
    assert_string_equal(err.code, "toml/syntax");
    assert_file(*state, "mode = \n");
}

/* The disk is full (here: files may have 100 bytes) in the middle of the write. */
static void a_failed_write_keeps_the_old_file(void **state)
{
    struct rlimit before, small;
    struct error err = {0};
    write_sample(*state);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool ok = node_config_edit(*state, (const char *[]){"sync.timeout_ms=40000"}, 1, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    assert_true(error_is(&err, "file/"));
    assert_file(*state, node_sample_config);
    assert_only_config_in(*state);
}

enum { EDITORS = 4, EDITS_EACH = 15 };

struct editor {
    const char *dir;
    unsigned number;
    bool ok;
    struct error err;
};

static void *edit_often(void *arg)
{
    struct editor *e = arg;
    e->ok = true;
    for (unsigned i = 0; e->ok && i < EDITS_EACH; i++) {
        char assignment[64];
        snprintf(assignment, sizeof assignment, "notes.e%u_%u=%u", e->number, i, i);
        e->ok = node_config_edit(e->dir, (const char *[]){assignment}, 1, &e->err);
    }
    return NULL;
}

static void edits_at_the_same_time_are_all_kept(void **state)
{
    struct editor editors[EDITORS];
    pthread_t threads[EDITORS];
    BUF_AUTO struct buf text = BUF_INIT(65536);
    write_sample(*state);
    for (unsigned i = 0; i < EDITORS; i++) {
        editors[i] = (struct editor){.dir = *state, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, edit_often, &editors[i]), 0);
    }
    for (unsigned i = 0; i < EDITORS; i++)
        pthread_join(threads[i], NULL);
    read_file_text(*state, &text);
    for (unsigned i = 0; i < EDITORS; i++) {
        if (!editors[i].ok)
            fail_msg("%s", editors[i].err.message);
        for (unsigned n = 0; n < EDITS_EACH; n++) {
            char line[64];
            snprintf(line, sizeof line, "\ne%u_%u = %u\n", i, n, n);
            if (strstr(buf_cstr(&text), line) == NULL)
                fail_msg("lost: %s", line);
        }
    }
    assert_only_config_in(*state);
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, node_dir_setup, node_dir_teardown)
    const struct CMUnitTest tests[] = {
        WITH_DIR(the_tee_section_is_added),          WITH_DIR(comments_and_order_stay),
        WITH_DIR(no_assignment_rewrites_the_same),   WITH_DIR(bad_edits_change_nothing),
        WITH_DIR(the_value_may_hold_equals_signs),   WITH_DIR(the_real_directory_is_what_counts),
        WITH_DIR(a_missing_node_is_named),           WITH_DIR(a_damaged_file_is_not_replaced),
        WITH_DIR(a_failed_write_keeps_the_old_file), WITH_DIR(edits_at_the_same_time_are_all_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
