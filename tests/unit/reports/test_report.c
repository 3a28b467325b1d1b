/* The report's kinds on a small job, and the programs, pictures and PDFs that they use. */
#define _GNU_SOURCE
#include <errno.h>
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
#include "reports/pdf/simplify.h"
#include "reports/pdf/picture_page.h"
#include "reports/program.h"
#include "base/text.h"
#include "stages/job.h"
#include "tests/unit/reports/small_report.h"

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
    if (pdf_simplify("packed.pdf", &err) < 0)
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
    assert_int_equal(pdf_simplify("packed.pdf", &err), -EINVAL);
    write_packed_pdf("packed.pdf", "1 0 2 9223372036854775807 3 5 broken");
    assert_int_equal(pdf_simplify("packed.pdf", &err), -EINVAL);
    write_text("not.pdf", "hello");
    assert_int_equal(pdf_simplify("not.pdf", &err), -EINVAL);
    write_text("not.pdf", "%PDF-1.4\n1 0 obj\n<< >>");
    assert_int_equal(pdf_simplify("not.pdf", &err), -EINVAL);
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

/* ---- both kinds, end to end ---- */

static const char report_json[] =
    "{\"data\": \"made-up numbers\", \"comparable\": false, \"note\": \".so x \\\\ 'br\", "
    "\"classes\": [\"cat\", \"d'og\"],"
    " \"headline\": [{\"cell\": \"t/z/public\", \"label\": \"Key number\"}],"
    " \"curves\": [{\"title\": \"Curve's\", \"lines\": {\"full\": \"@train.metrics\", \"one\": "
    "\"@train.metrics:/0\"}}],"
    " \"confusion_matrices\": [{\"title\": \"Conf\", \"matrix\": "
    "\"@score/z.metrics:/public/confusion\"},"
    "  {\"title\": \"No conf\", \"matrix\": \"@score/gone.metrics:/x\"}],"
    " \"pictures\": [{\"title\": \"Sheet\", \"file\": \"@sheet.sheets:/one.png\", \"caption\": "
    "\"One of one\"}, {\"title\": "
    "\"No sheet\", \"file\": \"@sheet.sheets:/two.png\"}]}";

/* The order of the run, not that of the references. */
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
    char *text = read_whole("tables/cells.json", &size);
    json_t *cells = parse(text);
    assert_int_equal(json_integer_value(json_object_get(cells, "settings_differ")), 1);
    assert_true(json_is_false(json_object_get(cells, "comparable")));
    json_decref(cells);
    free(text);
}

static bool installed(const char *name)
{
    const char *path_setting = getenv("PATH");
    char *paths = path_setting ? strdup(path_setting) : NULL, *rest = paths;
    bool found = false;
    for (char *path; !found && paths && (path = strsep(&rest, ":"));) {
        char *file = format_string("%s/%s", path, name);
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

/* The position of the words in the text, after `from`. */
static const char *after(const char *from, const char *words)
{
    const char *found = strstr(from, words);
    if (!found)
        fail_msg("expected '%s' in:\n%s", words, from);
    return found + strlen(words);
}

/* The first page has the comparisons that failed a claim; stages are in the order of the run; no
 * cell's name is cut. */
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
    p = after(p, "71.23 - 10000.25 = -9929.02 [-9930.54, -9927.57]");
    p = after(p, "70.00 - 10000.25 = -9930.25");
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
    sleep(1); /* a date in the file would differ now */
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

/* The first page names the data before anything about claims, and counts no verdicts. */
static void test_other_data_comes_first(void **state)
{
    (void)state;
    need_tools();
    write_png("sources.4/one.png");
    run_tables();
    char *text = report_text(), *page = strndup(text, strcspn(text, "\f"));
    assert_non_null(page);
    const char *p = after(page, "This run used made-up numbers, not the paper\u2019s data.");
    p = after(p, "The paper\u2019s claim is not decided, since the data is not the paper\u2019s.");
    after(p, "Zed wins");
    assert_null(strstr(page, "reproduced"));
    free(page);
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
        cmocka_unit_test(test_programs),      cmocka_unit_test(test_bad_pictures),
        cmocka_unit_test(test_plain_pdf),     cmocka_unit_test(test_tables_kind),
        cmocka_unit_test(test_missing_tools), cmocka_unit_test(test_report_kind),
        cmocka_unit_test(test_pages),         cmocka_unit_test(test_other_data_comes_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
