/* A document with every kind of block, and the output of its two renderers. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "reports/document.h"
#include "reports/markdown.h"
#include "reports/pdf/pdf.h"
#include "reports/program.h"
#include "reports/renderer.h"
#include "tests/unit/reports/small_report.h"

static void add_table(struct document *doc)
{
    struct doc_table *table = doc_table(doc, 3, 2);
    static const struct doc_column columns[] = {
        {"All", "Public", "ours", ALIGN_DECIMAL, false},
        {"All", "Public", "paper", ALIGN_DECIMAL, true},
        {"", "Key", "", ALIGN_LEFT, false},
    };
    memcpy(table->columns, columns, sizeof columns);
    table->name = "Table 1";
    table->title = "Two rows";
    table->row_header = "Model";
    table->note = "A note.";
    table->rows[0].label = "One | two";
    table->rows[0].detail = "detail1";
    table->rows[0].cells[0].text = "71.23";
    table->rows[0].cells[1] = (struct doc_cell){"70", TONE_MUTED};
    table->rows[0].cells[2] = (struct doc_cell){"0123456789ab", TONE_CODE};
    table->rows[1].group = "Group";
    table->rows[1].label = "Three";
    table->rows[1].cells[0] = (struct doc_cell){"not run", TONE_MISSING};
}

static void add_claim(struct document *doc, bool brief)
{
    struct doc_claim *claim = doc_claims(doc, 1, brief)->items;
    claim->number = 1;
    claim->anchor = "claim-1";
    claim->title = "It works";
    claim->verdict = VERDICT_NO;
    claim->verdict_text = "not reproduced";
    claim->remark = "a check fails";
    if (brief)
        return;
    claim->text = "- The text.";
    struct doc_check *check = doc_checks(doc, claim, 1);
    check->text = "Above";
    check->summary = "1 fails";
    struct doc_comparison *c = doc_comparisons(doc, check, 1);
    c->name = "One";
    c->ours.text = "1 against 2";
    c->p.text = "p 0.004";
    c->result = (struct doc_cell){"fails", TONE_STRONG};
}

static void add_figure(struct document *doc)
{
    static const double x[] = {1, 2}, y[] = {3, 4};
    struct doc_line *line = doc_alloc(doc, 1, sizeof *line);
    struct doc_plot *plot = doc_alloc(doc, 1, sizeof *plot);
    *line = (struct doc_line){"line", x, y, 2};
    *plot = (struct doc_plot){
        .title = "Plot", .x_label = "x", .y_label = "y", .lines = line, .line_count = 1};
    *doc_figures(doc, 1)->items = (struct doc_figure){.name = "plot-1",
                                                      .caption = "Caption.",
                                                      .alternative = "A line",
                                                      .plot = plot,
                                                      .width = 0.5,
                                                      .aspect = 0.7};
}

static struct document *everything(void)
{
    struct document *doc = doc_open("A title", "About");
    doc_paragraph(doc, STYLE_NOTICE, "Read this.");
    doc_paragraph(doc, STYLE_BODY, "  \n");
    struct doc_spans *spans = doc_spans(doc, STYLE_BODY);
    doc_span(doc, spans, 0, NULL, "Plain ");
    doc_span(doc, spans, MARK_BOLD, NULL, "bold");
    doc_span(doc, spans, MARK_ITALIC, NULL, "italic");
    doc_span(doc, spans, MARK_CODE, NULL, "co`de");
    doc_span(doc, spans, 0, "part", "link");
    struct doc_keys *keys = doc_keys(doc, 1);
    keys->items[0] = (struct doc_key){"Accuracy", "71 %", "paper: 70", false};
    add_claim(doc, true);
    doc_new_page(doc);
    doc_heading(doc, 1, "part", "1 Part");
    struct doc_spans *items = doc_list(doc, 2);
    doc_span(doc, &items[0], 0, NULL, "first");
    doc_span(doc, &items[1], 0, NULL, "second");
    doc_keep_together(doc);
    add_table(doc);
    doc_heading(doc, 2, "claim-1", "It works");
    add_claim(doc, false);
    add_figure(doc);
    return doc;
}

static const char expected[] =
    "# A title\n\nAbout\n\n> Read this.\n\nPlain **bold***italic*`` co`de ``[link](#part)\n\n"
    "- Accuracy: **71 %** (paper: 70)\n\n1. [It works](#claim-1): **not reproduced**, a check "
    "fails\n\n"
    "<a id=\"part\"></a>\n\n## 1 Part\n\n- first\n- second\n\n"
    "**Table 1:** Two rows\n\n| Model | All, Public: ours | paper | Key | |\n"
    "|---|---:|---:|---|---|\n| One \\| two | 71.23 | 70 | 0123456789ab | detail1 |\n"
    "| Group, Three | not run |  |  |  |\n\nA note.\n\n"
    "<a id=\"claim-1\"></a>\n\n### It works\n\n**not reproduced**: a check fails\n\n\\- The "
    "text.\n\n"
    "| Above | ours | p | 1 fails | paper |  |\n|---|---|---|---|---|---|\n"
    "| One | 1 against 2 | p 0.004 | fails |  "
    "|  |\n\n"
    "[A line](plots/plot-1.pdf)\n\nCaption.\n";

static void test_markdown(void **state)
{
    (void)state;
    struct document *doc = everything();
    struct text t = {0};
    markdown_write(&t, doc, "some/plots");
    assert_string_equal(text_string(&t), expected);
    text_free(&t);
    doc_close(doc);
}

/* What pdftotext prints of a document's pages; the caller frees it. NULL where a tool is missing.
 */
static char *pdf_text(const struct document *doc)
{
    struct error err = {""};
    const char *const argv[] = {"pdftotext", "-layout", "d.pdf", "d.txt", NULL};
    char *text = NULL;
    size_t size;
    if (file_make_folders("plots", &err) < 0)
        fail_msg("%s", err.text);
    int rc = pdf_render(doc, "d.pdf", "plots", &err);
    rc = rc == 0 ? program_run(argv, NULL, 30, "poppler-utils", &err) : rc;
    if (rc == -ENOENT)
        return NULL;
    if (rc < 0 || file_read("d.txt", 1 << 24, &text, &size, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static void test_pdf(void **state)
{
    (void)state;
    static const char *const words[] = {
        "About",    "A title",   "Read this.", "boldital", "co`de", "link",    "71 %",
        "It works", "not repro", "1 Part",     "first",    "All",   "Public",  "paper",
        "detail1",  "not run",   "A note.",    "The text", "Above", "1 fails", "Caption."};
    struct document *doc = everything();
    char *text = pdf_text(doc), *pdf = NULL;
    size_t size;
    struct error err = {""};
    doc_close(doc);
    if (!text) {
        print_message("skipped: groff, gnuplot or pdftotext is not installed\n");
        skip();
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(text, words[i]))
            fail_msg("expected '%s' in:\n%s", words[i], text);
    free(text);
    assert_int_equal(file_read("d.pdf", 1 << 24, &pdf, &size, &err), 0);
    assert_non_null(memmem(pdf, size, "/Dest /part", 11));
    assert_non_null(memmem(pdf, size, "/Dest /claim-1", 14));
    assert_non_null(memmem(pdf, size, "/Dests", 6));
    free(pdf);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

/* A reference table has its head on each page, and every row once; text that is too wide is cut. */
static void test_long_table(void **state)
{
    (void)state;
    enum { ROWS = 300 };
    struct document *doc = doc_open("Long", "");
    struct doc_table *table = doc_table(doc, 1, ROWS);
    table->reference = true;
    table->row_header = "Rowname";
    table->columns[0].label = "Columnname";
    for (size_t r = 0; r < ROWS; r++) {
        table->rows[r].label = doc_text(doc, "row%03zuend", r);
        table->rows[r].cells[0].text =
            doc_text(doc, "%s%0200zu", r == 7 ? "start" : "x", r == 7 ? (size_t)7 : (size_t)0);
    }
    char *text = pdf_text(doc);
    doc_close(doc);
    if (!text) {
        print_message("skipped: groff, gnuplot or pdftotext is not installed\n");
        skip();
        return;
    }
    size_t pages = count(text, "\f");
    assert_true(pages >= 3);
    assert_int_equal(count(text, "Columnname"), pages);
    assert_int_equal(count(text, "Rowname"), pages);
    for (size_t r = 0; r < ROWS; r++) {
        char row[32];
        snprintf(row, sizeof row, "row%03zuend", r);
        assert_int_equal(count(text, row), 1);
    }
    assert_int_equal(count(text, "start000"), 1);
    free(text);
}

/* Columns that don't fit go into further blocks below, each with the names of the rows. */
static void test_wide_table(void **state)
{
    (void)state;
    enum { COLUMNS = 40 };
    struct document *doc = doc_open("Wide", "");
    doc_keep_together(doc);
    struct doc_table *table = doc_table(doc, COLUMNS, 1);
    table->rows[0].label = "thisrow";
    for (size_t c = 0; c < COLUMNS; c++) {
        table->columns[c] =
            (struct doc_column){"", doc_text(doc, "c%zu", c), "ours", ALIGN_DECIMAL, c % 2 == 1};
        table->rows[0].cells[c].text = doc_text(doc, "%zu.25", 1000 + c);
    }
    char *text = pdf_text(doc);
    doc_close(doc);
    if (!text) {
        print_message("skipped: groff, gnuplot or pdftotext is not installed\n");
        skip();
        return;
    }
    assert_true(count(text, "thisrow") >= 2);
    for (size_t c = 0; c < COLUMNS; c++) {
        char number[32];
        snprintf(number, sizeof number, "%zu.25", 1000 + c);
        assert_int_equal(count(text, number), 1);
    }
    free(text);
}

/* Each port is in the table of renderers once. */
static void test_renderers(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct renderer *r = renderers; r->port; r++, n++)
        for (const struct renderer *q = renderers; q < r; q++)
            assert_string_not_equal(q->port, r->port);
    assert_true(n >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markdown),   cmocka_unit_test(test_pdf),
        cmocka_unit_test(test_long_table), cmocka_unit_test(test_wide_table),
        cmocka_unit_test(test_renderers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
