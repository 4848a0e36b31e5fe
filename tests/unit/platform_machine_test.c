/* MRTD, cloud and RTMR3 over directories and servers that stand in for the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "platform/quote_source.h"
#include "platform/rtmr.h"
#include "platform/tee_info.h"
#include "quote/eventlog.h"
#include "support/scripted_server.h"

static char root[] = "/tmp/mero-machine-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL) ? 0 : -1;
}

static char *path_of(const char *name, char out[PATH_TEXT_MAX])
{
    snprintf(out, PATH_TEXT_MAX, "%s/%s", root, name);
    return out;
}

static void put(const char *name, const void *bytes, size_t len)
{
    char path[PATH_TEXT_MAX];
    char parent[PATH_TEXT_MAX];
    struct error err = {0};
    assert_true(path_dirname(path_of(name, path), parent, &err));
    assert_true(file_make_dirs(parent, 0700, &err));
    assert_true(file_write_atomic(path, slice_of(bytes, len), 0600, &err));
}

static void wipe(void)
{
    char path[PATH_TEXT_MAX];
    assert_true(file_remove_tree(path_of("class", path), NULL));
}

static void test_measurement_read(void **state)
{
    (void)state;
    char class_dir[PATH_TEXT_MAX];
    uint8_t value[49];
    uint8_t got[48] = {0};
    struct error err = {0};
    memset(value, 0xab, sizeof value);
    path_of("class", class_dir);
    wipe();
    assert_false(tdx_measurement_read(class_dir, "mrtd:sha384", got, &err));
    assert_string_equal(err.code, "platform/measurement");
    for (size_t len = 47; len <= 49; len++) {
        put("class/measurements/mrtd:sha384", value, len);
        assert_int_equal(tdx_measurement_read(class_dir, "mrtd:sha384", got, &err), len == 48);
    }
    assert_memory_equal(got, value, 48);
    wipe();
    put("class/mr/mrtd:sha384", value, 48);
    assert_true(tdx_measurement_read(class_dir, "mrtd:sha384", got, &err));
    wipe();
}

static void test_mrtd_ways(void **state)
{
    (void)state;
    char class_dir[PATH_TEXT_MAX];
    uint8_t value[48];
    uint8_t got[48];
    const char *from = NULL;
    struct error err = {0};
    memset(value, 0x5a, sizeof value);
    struct tee_places places = {.tdx_class = path_of("class", class_dir),
                                .tdx_device = "/dev/null"};
    wipe();
    put("class/measurements/mrtd:sha384", value, 48);
    assert_true(tee_read_mrtd(&places, NULL, got, &from, &err));
    assert_string_equal(from, "sysfs");
    assert_memory_equal(got, value, 48);
    wipe();
    assert_false(tee_read_mrtd(&places, NULL, got, &from, &err));
    assert_string_equal(err.code, "platform/no-tee");
    assert_non_null(strstr(err.message, "/dev/null"));
    assert_non_null(strstr(err.message, "measurements"));
    assert_non_null(strstr(err.message, "no source of quotes"));
    places.tdx_device = "/nowhere/tdx_guest";
    assert_false(tee_read_mrtd(&places, NULL, got, NULL, &err));
}

static void test_mrtd_of_report(void **state)
{
    (void)state;
    uint8_t report[1025];
    uint8_t got[48] = {0};
    for (size_t i = 0; i < sizeof report; i++)
        report[i] = (uint8_t)(i * 7);
    assert_false(tee_mrtd_of_report(slice_of(report, 1023), got));
    assert_false(tee_mrtd_of_report(slice_of(report, 1025), got));
    assert_true(tee_mrtd_of_report(slice_of(report, 1024), got));
    assert_memory_equal(got, &report[528], 48);
}

static void test_cloud(void **state)
{
    (void)state;
    static const struct {
        struct script script;
        const char *provider, *image;
    } cases[] = {
        {{.reply = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 30\r\n\r\n"
                   "projects/p/global/images/img-1"},
         "gcp",
         "projects/p/global/images/img-1"},
        {{.reply =
              "HTTP/1.1 200 OK\r\nmetadata-flavor: Google\r\nContent-Length: 6\r\n\r\na\x1b\nb\"c"},
         "gcp",
         "ab\"c"},
        {{.reply = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 0\r\n\r\n"},
         "gcp",
         "unknown"},
        {{.reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nimg"}, "unknown", "unknown"},
        {{.reply = "HTTP/1.1 404 X\r\nMetadata-Flavor: Google\r\nContent-Length: 3\r\n\r\nimg"},
         "unknown",
         "unknown"},
        {{.reply = "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 5000\r\n\r\nimg"},
         "unknown",
         "unknown"},
        {{.reply = NULL}, "unknown", "unknown"},
        {{.reply = NULL, .keep_open = true}, "unknown", "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scripted_server *s = scripted_start(&cases[i].script, 1, NULL);
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%u/image", scripted_port(s));
        int64_t began = clock_monotonic_ms();
        struct tee_cloud cloud = tee_read_cloud(&(struct tee_places){.metadata_url = url}, NULL);
        assert_true(clock_monotonic_ms() - began < 8000);
        assert_string_equal(cloud.provider, cases[i].provider);
        assert_string_equal(cloud.os_image, cases[i].image);
        assert_non_null(strstr(scripted_last_request(s), "Metadata-Flavor: Google\r\n"));
        scripted_stop(&s);
    }
}

/* The vector of reference facts H.1. */
static void test_rtmr3_vector(void **state)
{
    (void)state;
    uint8_t digest[48];
    uint8_t rtmr[48] = {0};
    char hex[97];
    struct error err = {0};
    assert_true(rtmr3_boot_digest("node", "locked-read-only", NULL, digest, &err));
    hex_encode(slice_of(digest, 48), hex);
    assert_string_equal(hex,
                        "9d246b4500028210148cf196ec4e57bc981bfb39e75f09f4d6b3452ef290705e4f98ed5"
                        "276d6d1de738d8e4597b5668c");
    rtmr_extend(rtmr, digest);
    hex_encode(slice_of(rtmr, 48), hex);
    assert_string_equal(hex,
                        "c2d8071a0c1fc9c0a62fcc50d7e1f1a7504366eb9e89ff88469760b170d6c9fc2681774"
                        "fec468c1e2178e7e03c441a74");
    uint8_t same[48];
    assert_true(rtmr3_boot_digest("node", "locked-read-only", "", same, &err));
    assert_memory_equal(same, digest, 48);
    static const char *const bad[][3] = {
        {"", "p", "h"}, {"r", "", "h"}, {"r:", "p", "h"}, {"r", "p:q", "h"}, {"r", "p", ":"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(rtmr3_boot_digest(bad[i][0], bad[i][1], bad[i][2], same, &err));
}

static void test_rtmr3_extend_once(void **state)
{
    (void)state;
    char class_dir[PATH_TEXT_MAX];
    uint8_t digest[48];
    uint8_t value[48] = {0};
    bool extended = false;
    struct error err = {0};
    path_of("class", class_dir);
    wipe();
    memset(digest, 7, sizeof digest);
    assert_false(rtmr3_extend_once(class_dir, digest, &extended, &err));

    put("class/measurements/rtmr3:sha384", value, 48);
    assert_true(rtmr3_extend_once(class_dir, digest, &extended, &err));
    assert_true(extended);
    /* a plain file keeps what was written: the 48 bytes that a kernel would have hashed */
    assert_true(tdx_measurement_read(class_dir, "rtmr3:sha384", value, &err));
    assert_memory_equal(value, digest, 48);
    assert_false(rtmr3_extend_once(class_dir, digest, &extended, &err));
    assert_non_null(strstr(err.message, "something else"));

    memset(value, 0, sizeof value);
    rtmr_extend(value, digest);
    put("class/measurements/rtmr3:sha384", value, 48);
    assert_true(rtmr3_extend_once(class_dir, digest, &extended, &err));
    assert_false(extended);
    uint8_t after[48];
    assert_true(tdx_measurement_read(class_dir, "rtmr3:sha384", after, &err));
    assert_memory_equal(after, value, 48);
    wipe();
}

static void test_mock_source(void **state)
{
    (void)state;
    struct quote_source *s = NULL;
    struct error err = {0};
    uint8_t report_data[64];
    struct buf quote BUF_AUTO = BUF_INIT(1000);
    memset(report_data, 9, sizeof report_data);
    assert_true(
        quote_source_open(&(struct quote_source_options){.kind = QUOTE_SOURCE_MOCK}, &s, &err));
    assert_string_equal(quote_source_name(s), "mock");
    assert_int_equal(quote_source_kind(s), QUOTE_SOURCE_MOCK);
    assert_true(quote_source_take(s, report_data, &quote, NULL, &err));
    assert_int_equal(quote.len, 256);
    assert_memory_equal(quote.data, "MOCK_TDX_QUOTE_V1", 17);
    assert_memory_equal(&quote.data[17], report_data, 64);
    assert_true(slice_is_zero(slice_cut(buf_slice(&quote), 81, 175)));
    quote_source_close(&s);
}

static void test_automatic_choice(void **state)
{
    (void)state;
    struct quote_source *s = NULL;
    struct error err = {0};
    char sock[PATH_TEXT_MAX];
    struct quote_source_options o = {.tsm_root = "/nowhere/report"};
    assert_false(quote_source_open(&o, &s, &err));
    assert_string_equal(err.code, "platform/no-tee");
    assert_non_null(strstr(err.message, "/nowhere/report"));
    assert_non_null(strstr(err.message, "dstack"));
    o.kind = QUOTE_SOURCE_CONFIGFS;
    assert_false(quote_source_open(&o, &s, &err));
    assert_string_equal(err.code, "platform/no-tee");
    o.kind = QUOTE_SOURCE_AUTO;
    o.dstack_socket = path_of("dstack.sock", sock);
    assert_true(quote_source_open(&o, &s, &err));
    assert_string_equal(quote_source_name(s), "dstack");
    quote_source_close(&s);
    o.tsm_root = root; /* both are there: the kernel's own way first */
    assert_true(quote_source_open(&o, &s, &err));
    assert_string_equal(quote_source_name(s), "configfs-tsm");
    quote_source_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measurement_read), cmocka_unit_test(test_mrtd_ways),
        cmocka_unit_test(test_mrtd_of_report),   cmocka_unit_test(test_cloud),
        cmocka_unit_test(test_rtmr3_vector),     cmocka_unit_test(test_rtmr3_extend_once),
        cmocka_unit_test(test_mock_source),      cmocka_unit_test(test_automatic_choice),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
