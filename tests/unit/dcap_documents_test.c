/* The parsers of TCB info and QE identity, on texts of our own: forms, limits, and every member
 * missing, repeated or of another kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "dcap/qe_identity.h"
#include "dcap/tcb_info.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MRSIGNER                                                                                   \
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "0000"
#define MODULE_MEMBERS                                                                             \
    "\"mrsigner\":\"" MRSIGNER                                                                     \
    "\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\""
#define DATES "\"issueDate\":\"2026-01-01T00:00:00Z\",\"nextUpdate\":\"2026-01-31T00:00:00Z\""

static void put_components(struct buf *out, const char *name, unsigned first)
{
    buf_printf(out, "\"%s\":[{\"svn\":%u,\"category\":\"BIOS\"}", name, first);
    for (int i = 1; i < TCB_COMPONENTS; i++)
        buf_append_str(out, ",{\"svn\":0}");
    buf_append_str(out, "]");
}

static void put_advisories(struct buf *out, size_t count)
{
    if (count == 0)
        return;
    buf_append_str(out, ",\"advisoryIDs\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s\"INTEL-SA-%05zu\"", i > 0 ? "," : "", i);
    buf_append_str(out, "]");
}

static void put_isv_levels(struct buf *out, size_t count, size_t advisories)
{
    buf_append_str(out, "\"tcbLevels\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out,
                   "%s{\"tcb\":{\"isvsvn\":%zu},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":"
                   "\"UpToDate\"",
                   i > 0 ? "," : "", count - i);
        put_advisories(out, advisories);
        buf_append_str(out, "}");
    }
    buf_append_str(out, "]");
}

struct shape {
    size_t levels, modules, module_levels, advisories;
};
static const struct shape plain = {3, 2, 2, 1};

static void tdx_text(struct buf *out, struct shape shape)
{
    *out = BUF_INIT(1 << 22);
    buf_append_str(out, "{\"id\":\"TDX\",\"version\":3," DATES ",\"fmspc\":\"B0C06F000000\","
                        "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":21,"
                        "\"tdxModule\":{" MODULE_MEMBERS "},\"tdxModuleIdentities\":[");
    for (size_t i = 0; i < shape.modules; i++) {
        buf_printf(out, "%s{\"id\":\"TDX_%02zX\"," MODULE_MEMBERS ",", i > 0 ? "," : "", i + 1);
        put_isv_levels(out, shape.module_levels, 0);
        buf_append_str(out, "}");
    }
    buf_append_str(out, "],\"tcbLevels\":[");
    for (size_t i = 0; i < shape.levels; i++) {
        buf_append_str(out, i > 0 ? ",{\"tcb\":{" : "{\"tcb\":{");
        put_components(out, "sgxtcbcomponents", (unsigned)(shape.levels - i));
        buf_append_str(out, ",\"pcesvn\":11,");
        put_components(out, "tdxtcbcomponents", 5);
        buf_append_str(out, "},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"");
        put_advisories(out, shape.advisories);
        buf_append_str(out, "}");
    }
    buf_append_str(out, "]}");
    assert_false(out->failed);
}

static void identity_text(struct buf *out, size_t levels, size_t advisories)
{
    *out = BUF_INIT(1 << 20);
    buf_append_str(out,
                   "{\"id\":\"TD_QE\",\"version\":2," DATES ",\"tcbEvaluationDataNumber\":20,"
                   "\"miscselect\":\"00000001\",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":"
                   "\"11000000000000000000000000000000\",\"attributesMask\":"
                   "\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":"
                   "\"DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5\","
                   "\"isvprodid\":2,");
    put_isv_levels(out, levels, advisories);
    buf_append_str(out, "}");
    assert_false(out->failed);
}

static struct tcb_info info; /* large */
static struct qe_identity identity;

static void takes_tcb_info(struct slice text)
{
    struct error err;
    if (!tcb_info_parse(text, &info, &err))
        fail_msg("%s: %s", err.field, err.message);
}

static void refuses_tcb_info(struct slice text, const char *field)
{
    struct error err = {.code = ""};
    if (tcb_info_parse(text, &info, &err))
        fail_msg("taken: %.*s", (int)text.len, (const char *)text.data);
    assert_string_equal(err.code, "collateral/format");
    if (field != NULL)
        assert_string_equal(err.field, field);
}

static void reads_tdx(void **state)
{
    BUF_AUTO struct buf text;
    (void)state;
    tdx_text(&text, plain);
    takes_tcb_info(buf_slice(&text));
    assert_int_equal(info.tee, TEE_TDX);
    assert_int_equal(info.version, 3);
    assert_int_equal(info.issue_s, 1767225600);
    assert_int_equal(info.next_s, 1767225600 + 30 * 86400);
    assert_memory_equal(info.fmspc, "\xb0\xc0\x6f\0\0\0", 6);
    assert_int_equal(info.evaluation_number, 21);
    assert_int_equal(info.levels.count, 3);
    assert_int_equal(info.levels.level[0].tcb.sgx[0], 3);
    assert_int_equal(info.levels.level[2].tcb.sgx[0], 1);
    assert_int_equal(info.levels.level[0].tcb.pcesvn, 11);
    assert_int_equal(info.levels.level[0].tcb.tdx[0], 5);
    assert_int_equal(info.levels.level[0].says.status, TCB_OUT_OF_DATE);
    assert_true(slice_equal_str(info.levels.level[0].says.advisories, "[\"INTEL-SA-00000\"]"));
    assert_ptr_equal(tcb_info_module(&info, 0), &info.base);
    assert_int_equal(tcb_info_module(&info, 2)->levels.level[0].isvsvn, 2);
    assert_null(tcb_info_module(&info, 3));
}

static void reads_identity(void **state)
{
    BUF_AUTO struct buf text;
    struct error err;
    (void)state;
    identity_text(&text, 3, 2);
    if (!qe_identity_parse(buf_slice(&text), &identity, &err))
        fail_msg("%s", err.message);
    assert_string_equal(identity.id, "TD_QE");
    assert_int_equal(identity.evaluation_number, 20);
    assert_memory_equal(identity.miscselect, "\0\0\0\1", 4);
    assert_int_equal(identity.isvprodid, 2);
    assert_int_equal(identity.levels.count, 3);
    assert_int_equal(isv_levels_find(&identity.levels, 9)->isvsvn, 3);
    assert_int_equal(isv_levels_find(&identity.levels, 2)->isvsvn, 2);
    assert_null(isv_levels_find(&identity.levels, 0));
}

static void sorts_levels(void **state)
{
    BUF_AUTO struct buf text;
    JSON_AUTO json_t *doc = NULL;
    BUF_AUTO struct buf reversed = BUF_INIT(1 << 22);
    struct error err;
    (void)state;
    tdx_text(&text, (struct shape){20, 3, 5, 0});
    assert_true(json_parse(buf_slice(&text), text.len, 0, &doc, &err));
    json_t *levels = json_object_get(doc, "tcbLevels"), *backwards = json_array();
    for (size_t i = json_array_size(levels); i-- > 0;)
        json_array_append(backwards, json_array_get(levels, i));
    json_object_set_new(doc, "tcbLevels", backwards);
    assert_true(json_write_compact(doc, &reversed, &err));
    takes_tcb_info(buf_slice(&reversed));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(info.levels.level[i].tcb.sgx[0], 20 - i);
}

static void keeps_to_limits(void **state)
{
    static const struct {
        struct shape shape;
        bool fits;
    } cases[] = {
        {{TCB_LEVELS_MAX - 1, 1, 1, 0}, true},
        {{TCB_LEVELS_MAX, 1, 1, 0}, true},
        {{TCB_LEVELS_MAX + 1, 1, 1, 0}, false},
        {{1, TCB_MODULES_MAX - 1, 1, 0}, true},
        {{1, TCB_MODULES_MAX, 1, 0}, true},
        {{1, TCB_MODULES_MAX + 1, 1, 0}, false},
        {{1, 1, ISV_LEVELS_MAX - 1, 0}, true},
        {{1, 1, ISV_LEVELS_MAX, 0}, true},
        {{1, 1, ISV_LEVELS_MAX + 1, 0}, false},
        {{1, 1, 1, LEVEL_ADVISORIES_MAX - 1}, true},
        {{1, 1, 1, LEVEL_ADVISORIES_MAX}, true},
        {{1, 1, 1, LEVEL_ADVISORIES_MAX + 1}, false},
        {{0, 1, 1, 0}, false},
        {{1, 0, 1, 0}, true},
        {{1, 1, 0, 0}, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUF_AUTO struct buf text;
        tdx_text(&text, cases[i].shape);
        if (cases[i].fits)
            takes_tcb_info(buf_slice(&text));
        else
            refuses_tcb_info(buf_slice(&text), NULL);
    }
    for (size_t levels = ISV_LEVELS_MAX - 1; levels <= ISV_LEVELS_MAX + 1; levels++) {
        BUF_AUTO struct buf text;
        identity_text(&text, levels, 0);
        assert_int_equal(qe_identity_parse(buf_slice(&text), &identity, NULL),
                         levels <= ISV_LEVELS_MAX);
    }
}

/* What to do to one member of a document. */
typedef json_t *change(const json_t *old);

static json_t *to_null(const json_t *old)
{
    (void)old;
    return json_null();
}

static json_t *to_other_kind(const json_t *old)
{
    return json_is_string(old) ? json_integer(7) : json_string("x");
}

static json_t *to_negative(const json_t *old)
{
    return json_is_integer(old) ? json_integer(-1) : json_null();
}

static json_t *to_fraction(const json_t *old)
{
    return json_is_integer(old) ? json_real((double)json_integer_value(old) + 0.5) : json_null();
}

static json_t *to_huge(const json_t *old)
{
    return json_is_integer(old) ? json_integer(4294967296) : json_null();
}

static json_t *to_longer(const json_t *old)
{
    if (!json_is_string(old))
        return json_null();
    return json_sprintf("%s0", json_string_value(old));
}

static json_t *to_shorter(const json_t *old)
{
    if (!json_is_string(old) || json_string_length(old) == 0)
        return json_null();
    return json_stringn(json_string_value(old), json_string_length(old) - 1);
}

/* NULL: the member is taken away. */
static change *const changes[] = {NULL,        to_null, to_other_kind, to_negative,
                                  to_fraction, to_huge, to_longer,     to_shorter};

/* Members that may be missing, and those that are not looked at. */
static const char *const optional[] = {"advisoryIDs", "tdxModuleIdentities"};
static const char *const ignored[] = {"category", "type"};

static bool is_in(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

struct sweep {
    const json_t *document;
    bool (*parse)(struct slice text);
    size_t tried, refused;
};

static void try_text(struct sweep *s, const char *name, bool gone)
{
    BUF_AUTO struct buf text = BUF_INIT(1 << 22);
    assert_true(json_write_compact(s->document, &text, NULL));
    bool ok = s->parse(buf_slice(&text));
    bool harmless =
        is_in(name, ignored, COUNT(ignored)) || (gone && is_in(name, optional, COUNT(optional)));
    s->tried++;
    s->refused += !ok;
    if (ok != harmless)
        fail_msg("%s of %s was %s: %s", gone ? "loss" : "change", name, ok ? "taken" : "refused",
                 buf_cstr(&text));
}

static void sweep_members(struct sweep *s, json_t *object);

static void sweep_value(struct sweep *s, json_t *value)
{
    size_t index;
    json_t *element;
    if (json_is_object(value))
        sweep_members(s, value);
    /* All elements are alike: the first and the last stand for them. */
    json_array_foreach(value, index, element)
    {
        if (index == 0 || index + 1 == json_array_size(value))
            sweep_value(s, element);
    }
}

static void sweep_member(struct sweep *s, json_t *object, const char *name)
{
    json_t *kept = json_incref(json_object_get(object, name));
    for (size_t c = 0; c < COUNT(changes); c++) {
        if (changes[c] == NULL)
            json_object_del(object, name);
        else
            json_object_set_new(object, name, changes[c](kept));
        try_text(s, name, changes[c] == NULL);
        json_object_set(object, name, kept);
    }
    sweep_value(s, kept);
    json_decref(kept);
}

/* Every member, at every depth, with every change. Losing and regaining a member moves it, so the
 * names are taken down first. */
static void sweep_members(struct sweep *s, json_t *object)
{
    char names[JSON_FIELDS_MAX][64];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        assert_true(count < JSON_FIELDS_MAX && strlen(name) < sizeof names[0]);
        memcpy(names[count++], name, strlen(name) + 1);
    }
    for (size_t i = 0; i < count; i++)
        sweep_member(s, object, names[i]);
}

static bool parse_info(struct slice text)
{
    return tcb_info_parse(text, &info, NULL);
}

static bool parse_identity(struct slice text)
{
    return qe_identity_parse(text, &identity, NULL);
}

static void every_member_counts(void **state)
{
    BUF_AUTO struct buf tdx = BUF_INIT(0);
    BUF_AUTO struct buf qe = BUF_INIT(0);
    JSON_AUTO json_t *tdx_doc = NULL, *qe_doc = NULL;
    (void)state;
    tdx_text(&tdx, plain);
    identity_text(&qe, 2, 1);
    assert_true(json_parse(buf_slice(&tdx), tdx.len, 0, &tdx_doc, NULL));
    assert_true(json_parse(buf_slice(&qe), qe.len, 0, &qe_doc, NULL));
    struct sweep info_sweep = {.document = tdx_doc, .parse = parse_info};
    struct sweep qe_sweep = {.document = qe_doc, .parse = parse_identity};
    sweep_members(&info_sweep, tdx_doc);
    sweep_members(&qe_sweep, qe_doc);
    assert_true(info_sweep.refused > 300 && qe_sweep.refused > 100);
    assert_true(parse_info(buf_slice(&tdx)) && parse_identity(buf_slice(&qe)));
}

/* Replaces the first `from` by `to` and parses. */
static bool edited(const struct buf *text, const char *from, const char *to,
                   bool (*parse)(struct slice))
{
    BUF_AUTO struct buf out = BUF_INIT(1 << 22);
    struct slice all = buf_slice(text);
    size_t at = 0, len = strlen(from);
    while (at + len <= all.len && memcmp(&all.data[at], from, len) != 0)
        at++;
    if (at + len > all.len)
        fail_msg("%s is not in the text", from);
    buf_append(&out, slice_cut(all, 0, at));
    buf_append_str(&out, to);
    buf_append(&out, slice_cut(all, at + len, all.len));
    return parse(buf_slice(&out));
}

static void knows_what_it_reads(void **state)
{
    static const struct {
        const char *from, *to;
        bool ok;
    } cases[] = {
        {"\"id\":\"TDX\"", "\"id\":\"SGX\"", true}, /* TDX members are then nobody's */
        {"\"id\":\"TDX\"", "\"id\":\"tdx\"", false},
        {"\"id\":\"TDX\"", "\"id\":\"\"", false},
        {"\"id\":\"TDX\",", "", false},
        {"\"id\":\"TDX\"", "\"id\":\"TDX\",\"id\":\"TDX\"", false},
        {"\"id\":\"TDX\"", "\"id\":\"TDX\",\"\\u0069d\":\"TDX\"", false},
        {"\"id\":\"TDX\"", "\"\\u0069d\":\"\\u0054DX\"", true},
        {"\"version\":3", "\"version\":2", false},
        {"\"version\":3", "\"version\":4", false},
        {"\"tcbType\":0", "\"tcbType\":1", false},
        {"\"fmspc\":\"B0C06F000000\"", "\"fmspc\":\"b0c06F000000\"", true},
        {"TDX_01", "tdx_01", true},
        {"TDX_01", "TDX_1", false},
        {"TDX_01", "TDX_0g", false},
        {"TDX_01", "TDX_02", false}, /* twice */
        {"TDX_01", "TDX_1a", true},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"SWHardeningNeeded\"", true},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"Revoked\"", true},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"outofdate\"", false},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"TDRelaunchAdvised\"", false},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"Mock\"", false},
        /* of a module */
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"OutOfDate\"", true},
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"ConfigurationNeeded\"", false},
        {"\"isvsvn\":2", "\"isvsvn\":1", false}, /* two alike */
        {"\"isvsvn\":2", "\"isvsvn\":0", true},  /* sorted */
        {"\"isvsvn\":2", "\"isvsvn\":65535", true},
        {"\"isvsvn\":2", "\"isvsvn\":65536", false},
        {"\"svn\":3", "\"svn\":255", true},
        {"\"svn\":3", "\"svn\":256", false},
        {"\"svn\":3", "\"svn\":2", false}, /* two levels alike */
        {"\"svn\":3", "\"svn\":3.0", false},
        {"\"svn\":3", "\"svn\":3e0", false},
        {"\"svn\":3", "\"svn\":03", false},
        {"\"pcesvn\":11", "\"pcesvn\":65535", true},
        {"\"pcesvn\":11", "\"pcesvn\":65536", false},
        {"{\"svn\":0},", "", false},                         /* fifteen */
        {"{\"svn\":0},", "{\"svn\":0},{\"svn\":0},", false}, /* seventeen */
        {"\"sgxtcbcomponents\"", "\"sgxtcbcomp01svn\":1,\"sgxtcbcomponents\"", false},
        {"T00:00:00Z", "T00:00:00+00:00", false},
        {"T00:00:00Z", "T00:00:00.000Z", false},
        {"T00:00:00Z", " 00:00:00Z", false},
        {"2026-01-31", "2026-02-30", false},
        {"[\"INTEL-SA-00000\"]", "[]", true},
        {"[\"INTEL-SA-00000\"]", "[1]", false},
        {"[\"INTEL-SA-00000\"]", "[\"1234567890123456789012345678901\"]", true},
        {"[\"INTEL-SA-00000\"]", "[\"12345678901234567890123456789012\"]", false},
        {"{\"id\"", "{\"new\":[[[[]]],{\"a\":null}],\"id\"", true},
        {"{\"id\"", " { \"id\" ", true},
        {"{\"id\"", "x{\"id\"", false},
    };
    BUF_AUTO struct buf text;
    (void)state;
    tdx_text(&text, plain);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (edited(&text, cases[i].from, cases[i].to, parse_info) != cases[i].ok)
            fail_msg("%s -> %s: %s", cases[i].from, cases[i].to, cases[i].ok ? "refused" : "taken");
    buf_append_str(&text, "\n");
    assert_true(parse_info(buf_slice(&text)));
    buf_append_str(&text, "{}");
    refuses_tcb_info(buf_slice(&text), "tcbInfo");
}

static void bounds_depth(void **state)
{
    (void)state;
    for (int depth = 30; depth <= 32; depth++) {
        BUF_AUTO struct buf text = BUF_INIT(0);
        BUF_AUTO struct buf nested = BUF_INIT(4096);
        tdx_text(&text, plain);
        buf_append_str(&nested, "{\"deep\":");
        for (int i = 0; i < depth; i++)
            buf_append_byte(&nested, '[');
        for (int i = 0; i < depth; i++)
            buf_append_byte(&nested, ']');
        buf_append_str(&nested, ",\"id\"");
        assert_int_equal(edited(&text, "{\"id\"", buf_cstr(&nested), parse_info), depth <= 31);
    }
}

/* Version 2: sixteen names instead of a list, no id. */
static void reads_version_2(void **state)
{
    BUF_AUTO struct buf text = BUF_INIT(1 << 16);
    (void)state;
    buf_append_str(&text, "{\"version\":2," DATES ",\"fmspc\":\"00707F000000\",\"pceId\":\"0000\","
                          "\"tcbType\":0,\"tcbEvaluationDataNumber\":3,\"tcbLevels\":[{\"tcb\":{");
    for (int i = 1; i <= TCB_COMPONENTS; i++)
        buf_printf(&text, "\"sgxtcbcomp%02dsvn\":%d,", i, i);
    buf_append_str(&text, "\"pcesvn\":3},\"tcbDate\":\"2019-09-01T00:00:00Z\",\"tcbStatus\":"
                          "\"UpToDate\"}]}");
    takes_tcb_info(buf_slice(&text));
    assert_int_equal(info.tee, TEE_SGX);
    for (int i = 0; i < TCB_COMPONENTS; i++)
        assert_int_equal(info.levels.level[0].tcb.sgx[i], i + 1);
    assert_false(edited(&text, "\"sgxtcbcomp07svn\":7,", "", parse_info));
    assert_false(edited(&text, "\"version\":2", "\"version\":3", parse_info));
    assert_false(edited(&text, "\"version\":2", "\"version\":1", parse_info));
    assert_false(edited(&text, "\"version\":2", "\"version\":2,\"id\":\"TDX\"", parse_info));
    assert_true(edited(&text, "\"version\":2", "\"version\":2,\"id\":\"SGX\"", parse_info));
}

static void names_the_place(void **state)
{
    static const struct {
        const char *from, *to, *field;
    } cases[] = {
        {"\"pcesvn\":11", "\"pcesvn\":-1", "tcbInfo.tcbLevels[0].tcb.pcesvn"},
        {"\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"",
         "\"tcbStatus\":\"OutOfDate\"", "tcbInfo.tcbLevels[0].tcbDate"},
        {"\"nextUpdate\":\"2026-01-31T00:00:00Z\"", "\"nextUpdate\":7", "tcbInfo.nextUpdate"},
        {"\"isvsvn\":1", "\"isvsvn\":\"1\"",
         "tcbInfo.tdxModuleIdentities[0].tcbLevels[1].tcb.isvsvn"},
    };
    BUF_AUTO struct buf text;
    (void)state;
    tdx_text(&text, plain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {.code = ""};
        BUF_AUTO struct buf out = BUF_INIT(1 << 22);
        const char *all = buf_cstr(&text), *at = strstr(all, cases[i].from);
        assert_non_null(at);
        buf_append(&out, slice_of(all, (size_t)(at - all)));
        buf_append_str(&out, cases[i].to);
        buf_append_str(&out, &at[strlen(cases[i].from)]);
        assert_false(tcb_info_parse(buf_slice(&out), &info, &err));
        assert_string_equal(err.field, cases[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tdx),           cmocka_unit_test(reads_identity),
        cmocka_unit_test(sorts_levels),        cmocka_unit_test(keeps_to_limits),
        cmocka_unit_test(every_member_counts), cmocka_unit_test(knows_what_it_reads),
        cmocka_unit_test(bounds_depth),        cmocka_unit_test(reads_version_2),
        cmocka_unit_test(names_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
