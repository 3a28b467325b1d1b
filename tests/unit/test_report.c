/* The report: pointers, numbers, escaping, tables, claims; and both kinds over a made-up job. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>
#include "base/file.h"
#include "reports/cells.h"
#include "reports/claims.h"
#include "reports/number.h"
#include "reports/pdf.h"
#include "reports/picture.h"
#include "reports/plain.h"
#include "reports/plots.h"
#include "reports/pointer.h"
#include "reports/program.h"
#include "reports/sources.h"
#include "reports/troff.h"
#include "stages/job.h"

static json_t *parse(const char *text)
{
    json_error_t where;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &where);
    if (!json)
        fail_msg("test's own JSON, line %d: %s", where.line, where.text);
    return json;
}

/* ---- pointers ---- */

static void test_pointer(void **state)
{
    (void)state;
    json_t *root = parse("{\"a\": {\"b\": [10, [20, 30]], \"x/y\": 1, \"m~n\": 2, \"\": 3}}");
    static const struct {
        const char *pointer;
        int value; /* -1: none */
    } cases[] = {
        {"/a/b/0", 10},  {"/a/b/1/1", 30}, {"/a/x~1y", 1},
        {"/a/m~0n", 2},  {"/a/", 3},       {"/a/b/2", -1},
        {"/a/b/01", -1}, {"/a/b/-1", -1},  {"/a/b/", -1},
        {"/a/c", -1},    {"a/b", -1},      {"/a/m~2n", -1},
        {"/a/m~", -1},   {"/a/b/0/0", -1}, {"/a/b/99999999999", -1},
    };
    assert_ptr_equal(pointer_find(root, ""), root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *found = pointer_find(root, cases[i].pointer);
        if (cases[i].value < 0)
            assert_null(found);
        else
            assert_int_equal(json_integer_value(found), cases[i].value);
    }
    json_decref(root);
}

/* ---- numbers ---- */

static void test_numbers(void **state)
{
    (void)state;
    char s[NUMBER_SIZE];
    static const struct {
        double x;
        int digits;
        bool sign, commas;
        const char *shown;
    } cases[] = {
        {71.736, 2, false, false, "71.74"},
        {-0.004, 2, true, false, "0.00"},
        {2.35, 2, true, false, "+2.35"},
        {-28, 0, true, false, "-28"},
        {28709, 0, false, true, "28,709"},
        {-1234567.5, 1, false, true, "-1,234,567.5"},
        {999, 0, false, true, "999"},
        {1e20, 2, false, true, "1.0e+20"},
        {NAN, 2, false, false, ""},
        {INFINITY, 2, true, false, ""},
        {0.5, 99, false, false, "0.500000000000"},
        {100, -3, false, false, "100"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        number_format(s, cases[i].x, cases[i].digits, cases[i].sign, cases[i].commas);
        assert_string_equal(s, cases[i].shown);
    }
    number_seconds(s, 0.417);
    assert_string_equal(s, "0.42 s");
    number_seconds(s, 250);
    assert_string_equal(s, "4 min 10 s");
    number_seconds(s, 59.7);
    assert_string_equal(s, "1 min 00 s");
    number_seconds(s, 7500);
    assert_string_equal(s, "2 h 05 min");
    number_bytes(s, 1536.0 * 1024 * 1024);
    assert_string_equal(s, "1.5 GiB");
    number_bytes(s, 700);
    assert_string_equal(s, "700 B");
}

/* ---- escaping ---- */

static void expect_text(void (*write)(struct text *, const char *), const char *from,
                        const char *to)
{
    struct text t = {0};
    write(&t, from);
    assert_false(t.failed);
    assert_string_equal(text_string(&t), to);
    text_free(&t);
}

static void test_escaping(void **state)
{
    (void)state;
    expect_text(troff_text, ".so /etc\\[f]\n'br", ".so /etc\\[rs][f] \\[cq]br");
    expect_text(troff_text, "a-b -3 (-4.5)", "a-b \\-3 (\\-4.5)");
    expect_text(troff_text, "\"`^~", "\\[dq]\\[ga]\\[ha]\\[ti]");
    expect_text(troff_text, "na\u00efve \u6f22", "na\\[u00EF]ve \\[u6F22]");
    expect_text(troff_text, "bad\xff\xc3", "bad??");
    expect_text(troff_text, "\tx\x7f\x01", " x  ");
    expect_text(troff_text, "\xf4\x90\x80\x80", "????"); /* beyond Unicode */
    expect_text(troff_text, "\xed\xa0\x80", "???");      /* a surrogate */
    expect_text(plot_quote, "it's `id` \"$x\"\n", "'it''s `id` \"$x\" '");
    expect_text(plain_csv_field, "plain", "plain");
    expect_text(plain_csv_field, "a,\"b\"", "\"a,\"\"b\"\"\"");
    expect_text(plain_csv_field, " lead", "\" lead\"");
    expect_text(plain_csv_field, "two\nlines", "\"two\nlines\"");
    expect_text(plain_csv_field, "bell\x07", "bell ");
    expect_text(plain_md_text, "a|b*c_d<e>\n", "a\\|b\\*c\\_d\\<e\\> ");
    struct text t = {0};
    troff_fitted(&t, "a name that is far too long", false, 5000);
    assert_non_null(strstr(text_string(&t), "a name"));
    assert_null(strstr(text_string(&t), "long"));
    text_free(&t);
}

/* ---- a small job: two stages that ran, one that didn't ---- */

static const char tables_json[] =
    "{\"t\": {\"title\": \"Accuracy, all (%)\", \"name\": \"Table X\", \"stub\": \"Model\","
    " \"scale\": 100, \"digits\": 2, \"unit\": \"%\","
    " \"columns\": {\"public\": {\"label\": \"Public\", \"group\": \"Full\"}, \"private\": "
    "{\"label\": \"Private\", \"group\": \"Full\"},"
    "  \"rise\": {\"label\": \"Rise\", \"sum\": [\"private\", \"-public\"]}},"
    " \"rows\": {\"z\": {\"label\": \"Zed | one\"}, \"a\": {\"label\": \"Ay, two\"}, \"gone\": "
    "{\"label\": \"Gone\"},"
    "  \"theirs\": {\"label\": \"Theirs\"}},"
    " \"cells\": {\"z\": {\"public\": \"@score/z.metrics:/public/accuracy\", \"private\": "
    "\"@score/z.metrics:/private/accuracy\", \"rise\": null},"
    "  \"a\": {\"public\": \"@score/a.metrics:/public/accuracy\", \"private\": "
    "\"@score/a.metrics:/text\", \"rise\": null},"
    "  \"gone\": {\"public\": \"@score/gone.metrics:/public/accuracy\", \"private\": "
    "\"@score/z.metrics:/nowhere\", \"rise\": null},"
    "  \"theirs\": {\"public\": null, \"private\": null, \"rise\": null}}}}";

static const char paper_json[] = "{\"t\": {\"z\": {\"public\": 70.0, \"private\": 72.5}, \"a\": "
                                 "{\"public\": 68.0}, \"gone\": {\"public\": 60},"
                                 " \"theirs\": {\"public\": 69.5}}, \"settings\": {\"width\": "
                                 "{\"label\": \"Width\", \"value\": 64},"
                                 " \"batch\": {\"label\": \"Batch\", \"value\": null}}}";

static const char sources_json[] =
    "[{\"path\": \"sources.0\", \"stage\": \"score/z\", \"port\": \"metrics\", \"key\": "
    "\"0123456789abcdef\", \"kind\": \"metrics\","
    "  \"seconds\": 1.5, \"peak_bytes\": 1048576, \"params\": {\"k\": 1}, \"threads\": 1},"
    " {\"path\": \"sources.1\", \"stage\": \"score/a\", \"port\": \"metrics\", \"key\": "
    "\"fedcba9876543210\", \"kind\": \"metrics\","
    "  \"seconds\": 2, \"peak_bytes\": 10, \"params\": {}, \"threads\": 1},"
    " {\"stage\": \"score/gone\", \"port\": \"metrics\", \"missing\": true},"
    " {\"path\": \"sources.3\", \"stage\": \"train\", \"port\": \"metrics\", \"key\": \"77\", "
    "\"kind\": \"train_cnn\","
    "  \"seconds\": 3, \"peak_bytes\": 10, \"params\": {}, \"threads\": 2},"
    " {\"path\": \"sources.4\", \"stage\": \"sheet\", \"port\": \"sheets\", \"key\": \"78\", "
    "\"kind\": \"filter\","
    "  \"seconds\": 3, \"peak_bytes\": 10, \"params\": {}, \"threads\": 2}]";

static const char z_metrics[] =
    "{\"public\": {\"accuracy\": 0.7123, \"n\": 3589, \"confusion\": [[5, 1], [2, 9]]},"
    " \"private\": {\"accuracy\": 0.74, \"n\": 3589}}";
static const char a_metrics[] =
    "{\"public\": {\"accuracy\": 0.65, \"n\": 3589}, \"text\": \"NaN\"}";
static const char train_metrics[] =
    "{\"epoch\": 1, \"public_accuracy\": 0.3}\n{\"epoch\": 2, \"public_accuracy\": 0.4}\n";

static void write_text(const char *path, const char *text)
{
    struct error err = {""};
    assert_int_equal(file_write(path, text, strlen(text), &err), 0);
}

/* A 4 x 2 grey PNG. */
static void write_png(const char *path)
{
    static const unsigned char png[] = {
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x00, 0x00, 0x00, 0x5a,
        0xc3, 0x22, 0xbf, 0x00, 0x00, 0x00, 0x12, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60,
        0x70, 0x68, 0xf8, 0xcf, 0xf0, 0xbf, 0xc1, 0x81, 0x01, 0x00, 0x11, 0x80, 0x03, 0x7f, 0x7b,
        0x78, 0x6e, 0x76, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
    };
    struct error err = {""};
    assert_int_equal(file_write(path, png, sizeof png, &err), 0);
}

static char folder[] = "/tmp/ferdag-report-XXXXXX";
static char *before;

static int set_up(void **state)
{
    (void)state;
    before = getcwd(NULL, 0);
    if (!before || !mkdtemp(folder) || chdir(folder) < 0)
        return -1;
    write_text("sources.0", z_metrics);
    write_text("sources.1", a_metrics);
    write_text("sources.3", train_metrics);
    return file_make_folders("sources.4", NULL);
}

static int tear_down(void **state)
{
    (void)state;
    int rc = chdir(before);
    free(before);
    return rc < 0 ? rc : file_remove_tree(folder, NULL);
}

/* The tables of the small job, evaluated. */
static json_t *evaluate(void)
{
    struct error err = {""};
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", parse(sources_json));
    json_t *section = parse(tables_json), *paper = parse(paper_json), *tables = NULL;
    struct job job = {.root = root};
    struct sources sources;
    sources_open(&sources, &job);
    int rc = cells_evaluate(section, paper, &sources, &tables, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    sources_close(&sources);
    json_decref(root);
    json_decref(section);
    json_decref(paper);
    return tables;
}

static void test_table(void **state)
{
    (void)state;
    json_t *tables = evaluate(), *table = json_array_get(tables, 0);
    struct text csv = {0}, md = {0};
    plain_table_csv(&csv, table);
    plain_table_md(&md, table, "A notice.");
    assert_string_equal(text_string(&csv),
                        "Model,\"Full, Public ours\",\"Full, Public paper\",\"Full, Public "
                        "difference\",\"Full, Private ours\","
                        "\"Full, Private paper\",\"Full, Private difference\",Rise ours,Rise "
                        "paper,Rise difference\n"
                        "Zed | one,71.23,70.00,+1.23,74.00,72.50,+1.50,2.77,2.50,+0.27\n"
                        "\"Ay, two\",65.00,68.00,-3.00,not a number,,,not a number,,\n"
                        "Gone,not run,60.00,,no such value,,,no such value,,\n"
                        "Theirs,,69.50,,,,,not run,,\n");
    assert_string_equal(
        text_string(&md),
        "# Table X: Accuracy, all (%)\n\nA notice.\n\n"
        "| Model | Full, Public: ours | paper | difference | Full, Private: ours | paper | "
        "difference | "
        "Rise: ours | paper | difference |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        "| Zed \\| one | 71.23 | 70.00 | +1.23 | 74.00 | 72.50 | +1.50 | 2.77 | 2.50 | +0.27 |\n"
        "| Ay, two | 65.00 | 68.00 | -3.00 | not a number |  |  | not a number |  |  |\n"
        "| Gone | not run | 60.00 |  | no such value |  |  | no such value |  |  |\n"
        "| Theirs |  | 69.50 |  |  |  |  | not run |  |  |\n");
    const json_t *cell = pointer_find(table, "/rows/0/cells/0");
    assert_true(json_number_value(json_object_get(cell, "n")) == 3589);
    assert_string_equal(json_string_value(pointer_find(cell, "/source/key")), "0123456789abcdef");
    assert_string_equal(json_string_value(pointer_find(cell, "/source/pointer")),
                        "/public/accuracy");
    text_free(&csv);
    text_free(&md);
    json_decref(tables);
}

/* ---- claims ---- */

static const struct claim_setting faithful = {true, true, ""}, smaller = {true, false, ""},
                                  drawn = {false, true, "drawn"};

/* One claim with one check, as the verdict it gets. */
static void expect_flagged(const char *check, const char *flag, const struct claim_setting *setting,
                           const char *verdict, const char *result)
{
    char text[1024];
    struct error err = {""};
    json_t *tables = evaluate(), *claims = NULL;
    snprintf(text, sizeof text, "{\"c\": {\"%s\": true, \"checks\": [%s]}}", flag, check);
    json_t *section = parse(text);
    if (claims_decide(section, tables, setting, &claims, &err) < 0)
        fail_msg("%s: %s", check, err.text);
    const json_t *claim = json_array_get(claims, 0);
    assert_string_equal(cells_string(claim, "verdict"), verdict);
    assert_string_equal(json_string_value(pointer_find(claim, "/checks/0/result")), result);
    json_decref(claims);
    json_decref(section);
    json_decref(tables);
}

static void expect_verdict(const char *check, bool absolute, const struct claim_setting *setting,
                           const char *verdict, const char *result)
{
    expect_flagged(check, absolute ? "absolute" : "plain", setting, verdict, result);
}

static void test_claims(void **state)
{
    (void)state;
    /* z 71.23, a 65.00, error of the difference 1.10 points */
    const char *z_above_a =
        "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/a/public\"}";
    expect_verdict(z_above_a, false, &faithful, "reproduced", "holds");
    expect_verdict(z_above_a, false, &drawn, "not decided", "holds");
    expect_verdict(
        "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/a/public\", \"by\": 6}",
        false, &faithful, "not decided", "open");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/a/public\", \"right\": \"t/z/public\"}",
                   false, &faithful, "not reproduced", "fails");
    expect_verdict(
        "{\"check\": \"below\", \"left\": \"t/a/public\", \"right\": \"t/z/public\", \"by\": 2}",
        false, &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/*/public\"}",
                   false, &faithful, "not decided", "missing");
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\"}", false, &faithful,
                   "not reproduced", "fails");
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\"}", true, &smaller,
                   "not decided", "fails");
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\", \"least\": 1}", true,
                   &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"within\", \"left\": \"t/z/public\", \"right\": 71, \"by\": 0.5}",
                   false, &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 71}", false,
                   &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"mean\", \"left\": \"t/z/private\", \"right\": \"t/z/public\", "
                   "\"from\": 1, \"to\": 2}",
                   false, &faithful, "not decided", "open");
    expect_verdict("{\"check\": \"mean\", \"left\": \"t/z/private\", \"right\": \"t/z/public\", "
                   "\"from\": 2, \"to\": 3}",
                   false, &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"rank\", \"left\": \"t/a/public\", \"among\": "
                   "\"t/z|a|theirs/public\", \"is\": 3}",
                   false, &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"rank\", \"left\": \"t/a/public\", \"among\": "
                   "\"t/z|a|theirs/public\", \"is\": 2}",
                   false, &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/a/public\", \"right\": \"t/z/public\", "
                   "\"informs\": true}",
                   false, &faithful, "reproduced", "fails");
}

/* Narrow nets are fast: that they are fast enough says nothing of the paper's. */
static void test_eased_claims(void **state)
{
    (void)state;
    const char *holds = "{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 72}";
    const char *fails = "{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 71}";
    expect_flagged(holds, "eased", &faithful, "reproduced", "holds");
    expect_flagged(holds, "eased", &smaller, "not decided", "holds");
    expect_flagged(fails, "eased", &smaller, "not reproduced", "fails");
}

static void test_bad_claims(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"c\": {\"checks\": [{\"check\": \"abov\", \"left\": \"t/z/public\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/z\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/q/public\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"u/z/public\", \"right\": 1}]}}",
        ("{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/z/rise|x\", \"right\": "
         "\"t/z/rise\"}]}}"),
        "{\"c\": {\"checks\": []}}",
        "{\"c\": 3}",
    };
    json_t *tables = evaluate();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {""};
        json_t *section = parse(bad[i]), *claims = NULL;
        assert_int_equal(claims_decide(section, tables, &faithful, &claims, &err), -EINVAL);
        assert_null(claims);
        assert_true(strncmp(err.text, "claims.c", 8) == 0);
        json_decref(section);
    }
    json_decref(tables);
}

static void test_answers(void **state)
{
    (void)state;
    struct error err = {""};
    json_t *tables = evaluate();
    json_t *section = parse(
        "{\"t\": {\"asks\": ["
        "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": 60, \"text\": \"Sixty\"},"
        "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": 90, \"text\": \"Ninety\"}]}}");
    assert_int_equal(claims_answer(section, tables, &err), 0);
    const char *note = cells_string(json_array_get(tables, 0), "note");
    const char *first = strstr(note, "Sixty: yes, "), *second = strstr(note, ". Ninety: no, ");
    assert_true(first && second && first < second);
    assert_non_null(strstr(second, " against 90.00 ("));
    assert_string_equal(note + strlen(note) - 2, ").");
    json_decref(section);
    section = parse("{\"t\": {\"asks\": [{\"check\": \"abov\"}]}}");
    assert_int_equal(claims_answer(section, tables, &err), -EINVAL);
    assert_true(strncmp(err.text, "tables.t: asks 1: unknown check 'abov'", 38) == 0);
    json_decref(section);
    json_decref(tables);
}

/* ---- programs ---- */

static void test_programs(void **state)
{
    (void)state;
    struct error err = {""};
    const char *const slow[] = {"sleep", "30", NULL},
                      *const none[] = {"no-such-program-here", NULL},
                      *const bad[] = {"false", NULL};
    assert_int_equal(program_run(slow, NULL, 0.05, "coreutils", &err), -ETIMEDOUT);
    assert_int_equal(program_run(none, NULL, 5, "a-package", &err), -ENOENT);
    assert_non_null(strstr(err.text, "a-package"));
    assert_int_equal(program_run(bad, NULL, 5, "coreutils", &err), -EIO);
}

static void test_bad_pictures(void **state)
{
    (void)state;
    double w, h;
    struct error err = {""};
    write_text("no.png", "this is no PNG");
    assert_int_equal(picture_to_pdf("no.png", "no.pdf", 100, 100, &w, &h, &err), -EINVAL);
    write_text("cut.png", "\x89PNG\r\n\x1a\n");
    assert_int_equal(picture_to_pdf("cut.png", "no.pdf", 100, 100, &w, &h, &err), -EINVAL);
}

/* ---- PDFs that gropdf can place ---- */

/* Writes a PDF whose catalogue and pages are in an object stream, as newer cairo does. */
static void write_packed_pdf(const char *path, const char *objects)
{
    unsigned char packed[512];
    uLongf n = sizeof packed;
    struct text t = {0};
    struct error err = {""};
    assert_int_equal(compress(packed, &n, (const Bytef *)objects, (uLong)strlen(objects)), Z_OK);
    text_print(&t,
               "%%PDF-1.7\n%%\xb5\n7 0 obj\n<< /Type /ObjStm /Length %lu /N 3 /First 15 /Filter "
               "/FlateDecode >>\nstream\n",
               (unsigned long)n);
    text_add_bytes(&t, (const char *)packed, n);
    text_add(&t, "\nendstream\nendobj\n4 0 obj\n<< /Length 9 %  1\n>>\nstream\nend\nobj "
                 "0\nendstream\nendobj\n"
                 "8 0 obj\n<< /Type /XRef /Root 1 0 R /Length 3 "
                 ">>\nstream\nxyz\nendstream\nendobj\nstartxref\n0\n%%EOF\n");
    assert_int_equal(text_write(&t, path, &err), 0);
}

static void test_plain_pdf(void **state)
{
    (void)state;
    static const char objects[] = "1 0 2 34 3 62  << /Type /Catalog /Pages 2 0 R >> "
                                  "<< /Type /Pages /Count 0 >> << /CreationDate (D:2026%) >>";
    struct error err = {""};
    size_t size;
    write_packed_pdf("packed.pdf", objects);
    if (pdf_make_plain("packed.pdf", &err) < 0)
        fail_msg("%s", err.text);
    char *data = NULL;
    assert_int_equal(file_read("packed.pdf", 1 << 20, &data, &size, &err), 0);
    assert_non_null(strstr(data, "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>"));
    assert_non_null(strstr(data, "<< /Type /Pages /Count 0 >>"));
    assert_non_null(strstr(data, "<< /Length 9 \n>>\n\nstream\nend\nobj 0\nendstream"));
    assert_non_null(strstr(data, "/Root 1 0 R"));
    assert_null(strstr(data, "CreationDate"));
    assert_null(strstr(data, "ObjStm"));
    free(data);
    write_packed_pdf("packed.pdf", "1 0 2 99999 3 5 broken");
    assert_int_equal(pdf_make_plain("packed.pdf", &err), -EINVAL);
    write_packed_pdf("packed.pdf", "1 0 2 9223372036854775807 3 5 broken");
    assert_int_equal(pdf_make_plain("packed.pdf", &err), -EINVAL);
    write_text("not.pdf", "hello");
    assert_int_equal(pdf_make_plain("not.pdf", &err), -EINVAL);
    write_text("not.pdf", "%PDF-1.4\n1 0 obj\n<< >>");
    assert_int_equal(pdf_make_plain("not.pdf", &err), -EINVAL);
}

/* ---- both kinds, end to end ---- */

static const char report_json[] =
    "{\"data\": \"made-up numbers\", \"comparable\": false, \"note\": \".so x \\\\ 'br\", "
    "\"classes\": [\"cat\", \"d'og\"],"
    " \"key\": [{\"cell\": \"t/z/public\", \"label\": \"Key number\"}],"
    " \"curves\": [{\"title\": \"Curve's\", \"lines\": {\"full\": \"@train.metrics\", \"one\": "
    "\"@train.metrics:/0\"}}],"
    " \"confusion\": [{\"title\": \"Conf\", \"matrix\": \"@score/z.metrics:/public/confusion\"},"
    "  {\"title\": \"No conf\", \"matrix\": \"@score/gone.metrics:/x\"}],"
    " \"sheets\": [{\"title\": \"Sheet\", \"picture\": \"@sheet.sheets:/one.png\", \"caption\": "
    "\"One of one\"}, {\"title\": "
    "\"No sheet\", \"picture\": \"@sheet.sheets:/two.png\"}]}";

/* The run's order, which is not that of the references. */
static const char stages_json[] =
    "[{\"name\": \"train\", \"kind\": \"train_cnn\"}, {\"name\": \"sheet\", \"kind\": \"filter\"},"
    " {\"name\": \"score/a\", \"kind\": \"metrics\"}, {\"name\": \"score/z\", \"kind\": "
    "\"metrics\"}]";

static void run_kind(const char *name, json_t *params, const char *inputs, int expected,
                     struct error *err)
{
    json_t *job_file = json_pack("{s:s, s:s, s:s, s:o, s:o, s:{}, s:i, s:o}", "stage", name, "kind",
                                 name, "key", "00", "params", params, "inputs", parse(inputs),
                                 "outputs", "threads", 1, "stages", parse(stages_json));
    assert_int_equal(json_dump_file(job_file, "job.json", 0), 0); /* rows keep their order */
    json_decref(job_file);
    const struct kind *kind = kind_find(name);
    struct job job;
    assert_non_null(kind);
    if (job_open(&job, kind, err) < 0)
        fail_msg("%s", err->text);
    int rc = kind->run(&job, err);
    job_close(&job);
    if (rc != expected)
        fail_msg("%s: %d, %s", name, rc, err->text);
}

static json_t *claims_section(void)
{
    return parse("{\"c\": {\"title\": \"Zed wins\", \"text\": \"Text.\", \"rule\": \"Rule.\", "
                 "\"checks\": [{\"check\": \"above\","
                 " \"left\": \"t/z/public\", \"right\": \"t/a/public\", \"text\": \"Above\"}]}}");
}

static const char hostile_title[] = ".ab 'x' \\X`id` $(id) \"q\" %";

static void run_tables_of(json_t *claims, json_t *report)
{
    struct error err = {""};
    char inputs[4096];
    snprintf(inputs, sizeof inputs, "{\"sources\": %s}", sources_json);
    run_kind("report_tables",
             json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:i, s:i}}", "title", hostile_title, "tables",
                       parse(tables_json), "paper", parse(paper_json), "claims", claims, "report",
                       report, "params", "width", 16, "batch", 128),
             inputs, 0, &err);
}

static void run_tables(void)
{
    run_tables_of(claims_section(), parse(report_json));
}

static void run_report(int expected, struct error *err)
{
    char inputs[4096];
    snprintf(inputs, sizeof inputs, "{\"tables\": [{\"path\": \"tables\"}], \"sources\": %s}",
             sources_json);
    run_kind("report_pdf",
             json_pack("{s:s, s:o, s:o}", "title", hostile_title, "report", parse(report_json),
                       "tables", parse(tables_json)),
             inputs, expected, err);
}

static char *read_whole(const char *path, size_t *size)
{
    char *data = NULL;
    struct error err = {""};
    if (file_read(path, 64 << 20, &data, size, &err) < 0)
        fail_msg("%s", err.text);
    return data;
}

static void test_tables_kind(void **state)
{
    (void)state;
    size_t size;
    run_tables();
    char *csv = read_whole("tables/t.csv", &size), *claims = read_whole("tables/claims.csv", &size);
    assert_non_null(strstr(csv, "Zed | one,71.23,70.00,+1.23"));
    assert_non_null(
        strstr(claims,
               "1,Zed wins,not decided,the data is not the paper's,Above,yes,holds,1,1,0,0,0,1,1"));
    free(csv);
    free(claims);
    char *text = read_whole("cells.json", &size), *copy = read_whole("tables/cells.json", &size);
    assert_string_equal(text, copy);
    json_t *cells = parse(text);
    assert_int_equal(json_integer_value(json_object_get(cells, "settings_differ")), 1);
    assert_true(json_is_false(json_object_get(cells, "comparable")));
    json_decref(cells);
    free(text);
    free(copy);
}

static bool installed(const char *name)
{
    const char *path_setting = getenv("PATH");
    char *paths = path_setting ? strdup(path_setting) : NULL, *rest = paths;
    bool found = false;
    for (char *path; !found && paths && (path = strsep(&rest, ":"));) {
        char *file = file_path("%s/%s", path, name);
        found = file && access(file, X_OK) == 0;
        free(file);
    }
    free(paths);
    return found;
}

/* The report's text, in lines as on the page. The caller frees it. */
static char *report_text(void)
{
    struct error err = {""};
    const char *const argv[] = {"pdftotext", "-layout", "report.pdf", "report.txt", NULL};
    size_t size;
    run_report(0, &err);
    assert_int_equal(program_run(argv, NULL, 30, "poppler-utils", &err), 0);
    return read_whole("report.txt", &size);
}

static void need_tools(void)
{
    if (!installed("groff") || !installed("gnuplot") || !installed("pdftotext")) {
        print_message("skipped: groff, gnuplot or pdftotext is not installed\n");
        skip();
    }
}

/* Where in the text, after `from`, the words stand. */
static const char *after(const char *from, const char *words)
{
    const char *found = strstr(from, words);
    if (!found)
        fail_msg("expected '%s' in:\n%s", words, from);
    return found + strlen(words);
}

/* What failed a claim stands on the first page; stages stand in the order of the run; no cell's
 * name is cut. */
static void test_pages(void **state)
{
    (void)state;
    need_tools();
    json_t *claims = parse("{\"c\": {\"title\": \"Ay wins\", \"checks\": ["
                           "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": "
                           "\"t/a/public\", \"text\": \"Zed above\"},"
                           "{\"check\": \"above\", \"left\": \"t/a/public\", \"right\": "
                           "\"t/z/public\", \"text\": \"Ay above\"},"
                           "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": "
                           "10000.25, \"text\": \"Above a million\"}]}}"),
           *report = parse(report_json);
    json_object_set_new(report, "comparable", json_true());
    write_png("sources.4/one.png");
    run_tables_of(claims, report);
    char *text = report_text();
    const char *p = after(text, "not reproduced");
    p = after(p, "fails: Ay above; Above a million; the paper");
    p = after(p, "One of one");
    p = after(p, "71.23 against 10000.25 (-9929.02 \u00b1 0.76)");
    p = after(p, "70.00 against 10000.25 (-9930.25)");
    p = after(p, "Every stage whose results are shown");
    p = after(p, "\ntrain ");
    p = after(p, "\nscore/a ");
    p = after(p, "\nscore/z ");
    p = after(p, "Every number");
    after(p, "Zed | one, Full, Public ");
    free(text);
}

static void test_report_kind(void **state)
{
    (void)state;
    static const char *const expected[] = {"71.23",
                                           "74.00",
                                           "70.00",
                                           "+1.23",
                                           "not run",
                                           "Zed | one",
                                           "Key number",
                                           "Zed wins",
                                           "not decided",
                                           "0123456789ab",
                                           "Not comparable with the paper",
                                           ".ab",
                                           "$(id)",
                                           "Width",
                                           "no such file",
                                           "score/gone",
                                           "Curve's",
                                           "d'og"};
    struct error err = {""};
    need_tools();
    write_png("sources.4/one.png");
    run_tables();
    run_report(0, &err);
    size_t size, again_size;
    char *first = read_whole("report.pdf", &size),
         *plot = read_whole("plots/curves-1.pdf", &again_size);
    free(plot);
    sleep(1); /* a date in the file would now be another one */
    char *text = report_text();
    char *again = read_whole("report.pdf", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(first, again, size);
    free(first);
    free(again);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i]))
            fail_msg("the report lacks '%s':\n%s", expected[i], text);
    free(text);
}

static void test_missing_tools(void **state)
{
    (void)state;
    struct error err = {""};
    const char *setting = getenv("PATH");
    char *path = setting ? strdup(setting) : NULL;
    run_tables();
    setenv("PATH", "/nonexistent", 1);
    run_report(-ENOENT, &err);
    if (path)
        setenv("PATH", path, 1);
    free(path);
    assert_non_null(strstr(err.text, "apt-get install"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer),     cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_escaping),    cmocka_unit_test(test_table),
        cmocka_unit_test(test_claims),      cmocka_unit_test(test_bad_claims),
        cmocka_unit_test(test_answers),     cmocka_unit_test(test_eased_claims),
        cmocka_unit_test(test_programs),    cmocka_unit_test(test_bad_pictures),
        cmocka_unit_test(test_tables_kind), cmocka_unit_test(test_missing_tools),
        cmocka_unit_test(test_report_kind), cmocka_unit_test(test_plain_pdf),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
