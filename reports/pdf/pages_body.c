/* The tables, and the claims one by one. */
#include "reports/pdf/pages.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/page_table.h"
#include "reports/pdf/troff.h"

int pages_tables(struct report *r, struct error *err)
{
    size_t i;
    json_t *table;
    const json_t *tables = json_object_get(r->cells, "tables");
    if (json_array_size(tables) == 0)
        return 0;
    layout_new_page(&r->page);
    layout_heading(&r->page, 1, "Tables", 200);
    layout_paragraph(
        &r->page,
        "Each column shows what this experiment got, what the paper says, and the difference "
        "where both are known. A number that is missing says why, such as \u201cnot run\u201d.");
    json_array_foreach((json_t *)tables, i, table)
    {
        int rc = page_table(&r->page, table, pages_notice(r), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- claims ---- */

static const struct look *result_look(const char *result)
{
    return strcmp(result, "holds") == 0   ? &look_accent
           : strcmp(result, "fails") == 0 ? &look_strong
                                          : &look_grey;
}

static const char *result_word(const char *result)
{
    return strcmp(result, "open") == 0 ? "within noise" : result;
}

/* Numbers, which are better small than cut. */
static void put_numbers(struct text *t, double x, const struct look *look, const char *s,
                        double limit)
{
    double width = troff_width(s, look->bold) * 7 / 1000;
    layout_put(t, x, ALIGN_LEFT, look, width > limit ? fmax(5, 7 * limit / width) : 7, s, limit);
}

static void put_comparison(struct text *t, const json_t *c)
{
    const char *result = cells_string(c, "result"), *paper = cells_string(c, "paper_result");
    layout_put(t, 10, ALIGN_LEFT, &look_plain, 7, cells_string(c, "text"), 176);
    put_numbers(t, 188, &look_plain, cells_string(c, "ours"), 116);
    layout_put(t, 306, ALIGN_LEFT, result_look(result), 7, result_word(result), 38);
    put_numbers(t, 346, &look_grey, cells_string(c, "paper"), 101);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT, strcmp(paper, "fails") == 0 ? &look_strong : &look_grey,
               7, paper, 24);
    layout_end_line(t);
}

static long long count_of(const json_t *check, const char *name)
{
    return json_integer_value(json_object_get(check, name));
}

static void add_count(struct text *t, long long n, const char *what)
{
    if (n)
        text_print(t, "%s%lld %s", t->size ? ", " : "", n, what);
}

/* "6 hold, 2 within noise; needed 8" */
static void put_check(struct text *t, const json_t *check)
{
    struct text summary = {0}, paper = {0};
    const json_t *comparisons = json_object_get(check, "comparisons");
    size_t i, n = json_array_size(comparisons);
    json_t *comparison;
    bool informs = json_is_true(json_object_get(check, "informational"));
    add_count(&summary, count_of(check, "holds"), count_of(check, "holds") == 1 ? "holds" : "hold");
    add_count(&summary, count_of(check, "open"), "within noise");
    add_count(&summary, count_of(check, "fails"), count_of(check, "fails") == 1 ? "fails" : "fail");
    add_count(&summary, count_of(check, "missing"), "missing");
    if (informs)
        text_add(&summary, " (for information)");
    else if (n > 1)
        text_print(&summary, "; %lld needed", count_of(check, "needed"));
    if (count_of(check, "paper_of"))
        text_print(&paper, "paper: %lld of %lld", count_of(check, "paper_holds"),
                   count_of(check, "paper_of"));
    double rows = (double)(n < 12 ? n : 12);
    layout_begin_lines(t, 7, 9.6, 9.6 * rows + 20);
    text_add(t, ".sp 4p\n");
    layout_put(t, 0, ALIGN_LEFT, &look_strong, 7.5, cells_string(check, "text"), 186);
    layout_put(t, 188, ALIGN_LEFT, &look_plain, 7.5, text_string(&summary), 156);
    layout_put(t, 346, ALIGN_LEFT, &look_grey, 7.5, text_string(&paper), 125);
    layout_end_line(t);
    json_array_foreach((json_t *)comparisons, i, comparison) put_comparison(t, comparison);
    layout_end_lines(t);
    text_free(&summary);
    text_free(&paper);
}

static void put_claim(struct text *t, const json_t *claim)
{
    struct text title = {0}, line = {0};
    const char *verdict = cells_string(claim, "verdict");
    size_t i;
    json_t *check;
    text_print(&title, "%lld. %s", count_of(claim, "number"), cells_string(claim, "title"));
    layout_heading(t, 2, text_string(&title), 150);
    layout_begin_lines(t, 9, 13, 0);
    layout_dot(t, 0, verdict);
    text_print(&line, "%s: %s%s", verdict, cells_string(claim, "reason"),
               json_is_true(json_object_get(claim, "paper_fails"))
                   ? "; the paper\u2019s own numbers contradict it"
                   : "");
    layout_put(t, 11, ALIGN_LEFT, strcmp(verdict, "reproduced") == 0 ? &look_accent : &look_strong,
               9, text_string(&line), PAGE_WIDTH - 11);
    layout_end_line(t);
    layout_end_lines(t);
    layout_space(t, 3);
    layout_paragraph(t, cells_string(claim, "text"));
    text_free(&line);
    if (*cells_string(claim, "rule"))
        text_print(&line, "Decided so: %s", cells_string(claim, "rule"));
    layout_small(t, text_string(&line));
    layout_small(t, cells_string(claim, "note"));
    json_array_foreach(json_object_get(claim, "checks"), i, check) put_check(t, check);
    text_free(&title);
    text_free(&line);
}

void pages_claims(struct report *r)
{
    const json_t *claims = json_object_get(r->cells, "claims");
    size_t i;
    json_t *claim;
    if (json_array_size(claims) == 0)
        return;
    layout_new_page(&r->page);
    layout_heading(&r->page, 1, "The claims one by one", 200);
    layout_paragraph(
        &r->page,
        "An accuracy over n images carries a standard error of \u221a(p(1\u2212p)/n), and a "
        "difference "
        "of two the root of the sum of their squares, shown after \u00b1. A statement that one "
        "accuracy is above another is "
        "left undecided while the difference lies within one standard error. A time is the median "
        "of "
        "repeats; \u00b1 is how far the farther quartiles of both sides lie from their medians, "
        "together. The right-hand column asks the same of the paper\u2019s own numbers, as they "
        "stand.");
    json_array_foreach((json_t *)claims, i, claim) put_claim(&r->page, claim);
}
