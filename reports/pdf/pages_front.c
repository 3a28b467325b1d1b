/* The first page: what somebody who reads nothing else should know. */
#include "reports/pdf/pages.h"

#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/pdf/layout.h"
#include "reports/selector.h"
#include "reports/pdf/troff.h"

static const char *const verdicts[] = {"reproduced", "not reproduced", "not decided"};
enum { VERDICTS = 3, KEY_LIMIT = 4 };

const char *pages_notice(const struct report *r)
{
    return cells_string(r->cells, "notice");
}

static void put_title(struct report *r)
{
    struct text *t = &r->page;
    const char *title = cells_string(r->cells, "title"), *data = cells_string(r->cells, "data");
    const char *source = cells_string(r->cells, "source");
    text_add(t, ".sp 6p\n.ft HR\n.ps 8.5p\n.vs 12p\n.gcolor grey\n\\&Report of an experiment");
    if (*data) {
        text_add(t, ", on ");
        troff_text(t, data);
    }
    text_add(t, "\n.br\n.sp 8p\n.ft B\n.ps 21p\n.vs 25p\n.gcolor accent\n.nh\n\\&");
    troff_text(t, *title ? title : "Untitled experiment");
    text_add(t, "\n.br\n.hy 4\n.BODY\n.pdfbookmark 1 Summary\n.sp 6p\n");
    if (*source) {
        struct text line = {0};
        text_print(&line, "Its numbers stand beside those of %s", source);
        layout_small(t, text_string(&line));
        text_free(&line);
    }
    text_add(t, ".BODY\n.sp 3p\n");
}

/* A tinted box with the notice, and the experiment's own note below. */
static void put_notes(struct report *r)
{
    struct text *t = &r->page;
    const char *notice = pages_notice(r);
    if (*notice) {
        text_add(t, ".BODY\n.sp 7p\n.nf\n.ps 10p\n.vs 14p\n"
                    "\\&\\v'6p'\\M[faint]\\D'P 471p 0 0 -24p -471p "
                    "0'\\M[]\\v'18p'\\h'|9p'\\f[B]\\m[accent]");
        troff_fitted(t, notice, false, (PAGE_WIDTH - 20) / 10 * 1000);
        text_add(t, "\\m[]\\f[]\n.BODY\n.sp 12p\n");
    }
    layout_paragraph(t, cells_string(r->cells, "note"));
}

static void put_key(struct report *r, const json_t *key, double x, double width)
{
    struct text *t = &r->page;
    struct selection s;
    const char *label = cells_string(key, "label");
    const json_t *cell = NULL;
    if (selector_find(json_object_get(r->cells, "tables"), cells_string(key, "cell"), &s, NULL) ==
        0)
        cell = s.items[0].cell;
    const json_t *text = json_object_get(cell, "text");
    const char *paper = cells_string(text, "paper"), *difference = cells_string(text, "difference");
    bool missing = !cell || json_object_get(cell, "missing");
    const char *ours = cell ? cells_string(text, "ours") : "not run",
               *unit = cells_string(cell, "unit");
    struct text number = {0}, below = {0};
    text_print(&number, "%s%s%s", ours, missing || !*unit ? "" : " ", missing ? "" : unit);
    if (*paper)
        text_print(&below, "paper: %s", paper);
    if (*difference)
        text_print(&below, ", difference %s", difference);
    layout_put(t, x, ALIGN_LEFT, &look_grey, 8.5, label, width - 8);
    text_add(t, "\\v'24p'");
    layout_put(t, x, ALIGN_LEFT, missing ? &look_missing : &look_accent, missing ? 14 : 21,
               text_string(&number), width - 8);
    text_add(t, "\\v'14p'");
    layout_put(t, x, ALIGN_LEFT, &look_grey, 8.5, text_string(&below), width - 8);
    text_add(t, "\\v'-38p'");
    text_free(&number);
    text_free(&below);
    selector_free(&s);
}

static void put_keys(struct report *r)
{
    const json_t *keys = json_object_get(r->section, "headline");
    size_t n = json_array_size(keys), i;
    json_t *key;
    if (n == 0)
        return;
    n = n > KEY_LIMIT ? KEY_LIMIT : n;
    layout_space(&r->page, 6);
    layout_begin_lines(&r->page, 8.5, 12, 60);
    json_array_foreach((json_t *)keys, i, key) if (i < n)
        put_key(r, key, PAGE_WIDTH / (double)n * (double)i, PAGE_WIDTH / (double)n);
    layout_end_line(&r->page);
    layout_end_lines(&r->page);
    layout_space(&r->page, 44);
}

static void count_verdicts(const json_t *claims, size_t counts[VERDICTS])
{
    size_t i;
    json_t *claim;
    json_array_foreach((json_t *)claims, i, claim) for (size_t v = 0; v < VERDICTS; v++)
        counts[v] += strcmp(cells_string(claim, "verdict"), verdicts[v]) == 0;
}

/* The checks that made a claim fail, the first ones by name, else the reason of its verdict. */
static void add_reason(struct text *t, const json_t *claim)
{
    enum { NAMED = 2 };
    size_t i, failing = 0;
    json_t *check;
    bool no = strcmp(cells_string(claim, "verdict"), verdicts[1]) == 0;
    json_array_foreach(json_object_get(claim, "checks"), i, check)
    {
        if (!no || strcmp(cells_string(check, "result"), "fails") != 0 ||
            json_is_true(json_object_get(check, "informational")))
            continue;
        if (failing++ < NAMED)
            text_print(t, "%s%s", t->size ? "; " : "fails: ", cells_string(check, "text"));
    }
    if (failing > NAMED)
        text_print(t, "; and %zu more", failing - NAMED);
    if (!t->size)
        text_add(t, cells_string(claim, "reason"));
}

static void put_claim_line(struct text *t, const json_t *claim)
{
    const char *verdict = cells_string(claim, "verdict");
    char number[32];
    snprintf(number, sizeof number, "%lld",
             (long long)json_integer_value(json_object_get(claim, "number")));
    bool yes = strcmp(verdict, verdicts[0]) == 0, no = strcmp(verdict, verdicts[1]) == 0;
    layout_dot(t, 0, verdict);
    layout_put(t, 24, ALIGN_RIGHT, &look_grey, 9, number, 0);
    layout_put(t, 31, ALIGN_LEFT, &look_plain, 9, cells_string(claim, "title"), 330);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT,
               yes  ? &look_accent
               : no ? &look_strong
                    : &look_grey,
               9, verdict, 0);
    layout_end_line(t);
    bool paper_fails = json_is_true(json_object_get(claim, "paper_fails"));
    if (!yes || paper_fails) {
        struct text line = {0};
        if (!yes)
            add_reason(&line, claim);
        if (paper_fails)
            text_print(&line, "%sthe paper\u2019s own numbers contradict it",
                       line.size ? "; " : "");
        text_add(t, ".vs 10.5p\n");
        layout_put(t, 31, ALIGN_LEFT, &look_grey, 8, text_string(&line), PAGE_WIDTH - 31);
        layout_end_line(t);
        text_free(&line);
    }
    text_add(t, ".sp 3.5p\n.vs 13p\n");
}

static void put_claims(struct report *r)
{
    struct text *t = &r->page, line = {0};
    const json_t *claims = json_object_get(r->cells, "claims");
    size_t counts[VERDICTS] = {0}, i;
    json_t *claim;
    if (json_array_size(claims) == 0)
        return;
    count_verdicts(claims, counts);
    layout_heading(t, 2, "The paper\u2019s claims", 160);
    text_print(&line, "Of %zu claim%s, %zu reproduced, %zu not reproduced, %zu not decided.",
               json_array_size(claims), json_array_size(claims) == 1 ? "" : "s", counts[0],
               counts[1], counts[2]);
    layout_paragraph(t, text_string(&line));
    text_free(&line);
    layout_begin_lines(t, 9, 13, 0);
    json_array_foreach((json_t *)claims, i, claim) put_claim_line(t, claim);
    layout_end_lines(t);
}

static void put_setting(struct text *t, const json_t *setting)
{
    const char *label = cells_string(setting, "label");
    bool same = json_is_true(json_object_get(setting, "same"));
    double used = troff_width(label, false) / 1000 * 8.5;
    layout_put(t, 0, ALIGN_LEFT, &look_plain, 8.5, label, 210);
    layout_put(t, 300, ALIGN_RIGHT, same ? &look_plain : &look_accent, 8.5,
               cells_string(setting, "ours"), used < 210 ? 290 - used : 80);
    layout_put(t, 380, ALIGN_RIGHT, &look_grey, 8.5, cells_string(setting, "paper"), 70);
    layout_end_line(t);
}

/* What the paper states, beside what was run. */
static void put_stated(struct text *t, const json_t *settings)
{
    size_t i, n = 3;
    json_t *setting;
    json_array_foreach((json_t *)settings, i, setting) n +=
        json_is_true(json_object_get(setting, "stated"));
    layout_begin_lines(t, 8.5, 12.5, 12.5 * (double)n);
    layout_put(t, 300, ALIGN_RIGHT, &look_grey, 7.5, "this run", 0);
    layout_put(t, 380, ALIGN_RIGHT, &look_grey, 7.5, "paper", 0);
    layout_end_line(t);
    layout_rule(t, 0, 380, 0.6, "ink", 4);
    text_add(t, ".sp 1p\n");
    json_array_foreach((json_t *)settings, i,
                       setting) if (json_is_true(json_object_get(setting, "stated")))
        put_setting(t, setting);
    layout_rule(t, 0, 380, 0.6, "ink", 5);
    layout_end_lines(t);
    layout_space(t, 8);
}

/* What the paper leaves open, as one sentence. */
static void put_silent(struct text *t, const json_t *settings)
{
    struct text line = {0};
    size_t i;
    json_t *setting;
    const char *separator = "The paper leaves open, and this run takes: ";
    json_array_foreach((json_t *)settings, i, setting)
    {
        if (json_is_true(json_object_get(setting, "stated")))
            continue;
        text_print(&line, "%s%s: %s", separator, cells_string(setting, "label"),
                   cells_string(setting, "ours"));
        separator = "; ";
    }
    if (line.size)
        text_add(&line, ".");
    layout_small(t, text_string(&line));
    text_free(&line);
}

static void put_settings(struct report *r)
{
    struct text line = {0};
    const json_t *settings = json_object_get(r->cells, "settings");
    long long differ = json_integer_value(json_object_get(r->cells, "settings_differ"));
    if (json_array_size(settings) == 0)
        return;
    layout_heading(&r->page, 2, "Settings beside the paper\u2019s", 120);
    if (differ == 0)
        text_add(&line, "Every setting that the paper states is the paper\u2019s own.");
    else if (differ == 1)
        text_add(&line, "One setting differs from what the paper states; differences in the "
                        "results include that.");
    else
        text_print(&line,
                   "%lld settings differ from what the paper states; differences in the results "
                   "include those.",
                   differ);
    layout_paragraph(&r->page, text_string(&line));
    text_free(&line);
    put_stated(&r->page, settings);
    put_silent(&r->page, settings);
}

void pages_front(struct report *r)
{
    put_title(r);
    put_notes(r);
    put_keys(r);
    put_claims(r);
    put_settings(r);
}
