/* See claims.h. */
#include "reports/pdf/claims.h"

#include <math.h>
#include <stdio.h>
#include "reports/pdf/layout.h"
#include "reports/pdf/troff.h"

/* Points from the left edge: of what is checked, our numbers, their p-value and result, the paper's
 * numbers. */
static const double OURS = 147, P = 263, RESULT = 299, PAPER = 342;

static enum doc_tone verdict_tone(enum doc_verdict verdict)
{
    return verdict == VERDICT_YES ? TONE_ACCENT : verdict == VERDICT_NO ? TONE_STRONG : TONE_MUTED;
}

/* ---- a line or two for each ---- */

static void put_line(struct text *t, const struct doc_claim *claim)
{
    char number[32];
    snprintf(number, sizeof number, "%lld", claim->number);
    layout_dot(t, 0, claim->verdict);
    layout_put(t, 24, ALIGN_RIGHT, &look_grey, 9, number, 0);
    layout_put_link(t, 31, &look_plain, 9, claim->title, 330, claim->anchor);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT, layout_look(verdict_tone(claim->verdict)), 9,
               claim->verdict_text, 0);
    layout_end_line(t);
    if (*claim->remark) {
        layout_space(t, -2.5);
        layout_put(t, 31, ALIGN_LEFT, &look_grey, 8, claim->remark, PAGE_WIDTH - 31);
        layout_end_line(t);
    }
    layout_space(t, 3.5);
}

static void put_brief(struct text *t, const struct doc_claims *claims)
{
    layout_begin_lines(t, 9, 13, 0);
    for (size_t i = 0; i < claims->count; i++)
        put_line(t, &claims->items[i]);
    layout_end_lines(t);
}

/* ---- with their checks ---- */

/* Numbers, which are better small than cut. */
static void put_numbers(struct text *t, double x, const struct doc_cell *cell, double limit)
{
    const struct text_look *look = layout_look(cell->tone);
    /* a hyphen may become a minus, which is wider */
    double width = troff_width(cell->text, look->bold) * 1.06 * 7 / 1000;
    layout_put(t, x, ALIGN_LEFT, look, width > limit ? fmax(4, 7 * limit / width) : 7, cell->text,
               limit);
}

static void put_comparison(struct text *t, const struct doc_comparison *c)
{
    layout_put(t, 10, ALIGN_LEFT, &look_plain, 7, c->name, OURS - 12);
    put_numbers(t, OURS, &c->ours, P - OURS - 4);
    layout_put(t, P, ALIGN_LEFT, layout_look(c->p.tone), 7, c->p.text, RESULT - P - 1);
    layout_put(t, RESULT, ALIGN_LEFT, layout_look(c->result.tone), 7, c->result.text,
               PAPER - RESULT - 1);
    put_numbers(t, PAPER, &c->paper, PAGE_WIDTH - PAPER - 42);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT, layout_look(c->paper_result.tone), 7,
               c->paper_result.text, 40);
    layout_end_line(t);
}

static void put_check(struct text *t, const struct doc_check *check)
{
    enum { KEPT = 12 };
    double rows = (double)(check->count < KEPT ? check->count : KEPT);
    layout_begin_lines(t, 7, 9.6, 9.6 * rows + 20);
    layout_space(t, 4);
    layout_put(t, 0, ALIGN_LEFT, &look_strong, 7.5, check->text, OURS - 2);
    layout_put(t, OURS, ALIGN_LEFT, &look_plain, 7.5, check->summary, PAPER - OURS - 2);
    layout_put(t, PAPER, ALIGN_LEFT, &look_grey, 7.5, check->paper, PAGE_WIDTH - PAPER);
    layout_end_line(t);
    for (size_t i = 0; i < check->count; i++)
        put_comparison(t, &check->comparisons[i]);
    if (*check->remark) {
        layout_put(t, 10, ALIGN_LEFT, &look_grey, 7, check->remark, PAGE_WIDTH - 10);
        layout_end_line(t);
    }
    layout_end_lines(t);
}

static void put_claim(struct text *t, const struct doc_claim *claim)
{
    struct text line = {0};
    text_print(&line, "%s%s%s", claim->verdict_text, *claim->remark ? ": " : "", claim->remark);
    layout_begin_lines(t, 9, 13, 0);
    layout_dot(t, 0, claim->verdict);
    layout_put(t, 11, ALIGN_LEFT, claim->verdict == VERDICT_YES ? &look_accent : &look_strong, 9,
               text_string(&line), PAGE_WIDTH - 11);
    layout_end_line(t);
    layout_end_lines(t);
    layout_space(t, 3);
    layout_plain(t, STYLE_BODY, claim->text);
    layout_plain(t, STYLE_SMALL, claim->rule);
    layout_plain(t, STYLE_SMALL, claim->note);
    for (size_t i = 0; i < claim->check_count; i++)
        put_check(t, &claim->checks[i]);
    t->failed = t->failed || line.failed;
    text_free(&line);
}

void claims_render(struct text *t, const struct doc_claims *claims)
{
    if (claims->brief)
        put_brief(t, claims);
    else
        for (size_t i = 0; i < claims->count; i++)
            put_claim(t, &claims->items[i]);
}
