/* The first page, for somebody who reads nothing else. The data of the run comes before any
 * verdict. */
#include "reports/content/content.h"

#include <string.h>
#include "reports/cells.h"
#include "reports/selector.h"
#include "base/text.h"

enum { KEY_LIMIT = 4 };

static bool is_comparable(const struct content *c)
{
    return !json_is_false(json_object_get(c->cells, "comparable"));
}

static void add_notes(struct document *doc, const struct content *c)
{
    const char *source = cells_string(c->cells, "source"), *data = cells_string(c->cells, "data");
    if (*source)
        doc_paragraph(doc, STYLE_SMALL,
                      doc_text(doc, "Its numbers stand beside those of %s", source));
    if (!is_comparable(c))
        doc_paragraph(doc, STYLE_NOTICE,
                      doc_text(doc,
                               "This run used %s, not the paper\u2019s data. It doesn\u2019t test "
                               "what the paper claims.",
                               *data ? data : "other data"));
    doc_paragraph(doc, STYLE_BODY, cells_string(c->cells, "note"));
}

/* ---- key numbers ---- */

static void fill_key(struct document *doc, const struct content *c, const json_t *item,
                     struct doc_key *key)
{
    struct selection s;
    const json_t *cell = NULL;
    if (selector_find(json_object_get(c->cells, "tables"), cells_string(item, "cell"), &s, NULL) ==
        0)
        cell = s.items[0].cell;
    const json_t *text = json_object_get(cell, "text");
    const char *paper = cells_string(text, "paper"), *difference = cells_string(text, "difference"),
               *unit = cells_string(cell, "unit"),
               *ours = cell ? cells_string(text, "ours") : "not run";
    key->missing = !cell || json_object_get(cell, "missing");
    key->label = doc_text(doc, "%s", cells_string(item, "label"));
    key->value =
        doc_text(doc, "%s%s%s", ours, key->missing || !*unit ? "" : " ", key->missing ? "" : unit);
    if (*paper)
        key->note =
            doc_text(doc, "paper: %s%s%s", paper, *difference ? ", difference " : "", difference);
    selector_free(&s);
}

static void add_keys(struct document *doc, const struct content *c)
{
    const json_t *list = json_object_get(c->section, "headline");
    size_t n = json_array_size(list);
    if (n == 0)
        return;
    n = n > KEY_LIMIT ? KEY_LIMIT : n;
    struct doc_keys *keys = doc_keys(doc, n);
    for (size_t i = 0; i < n; i++)
        fill_key(doc, c, json_array_get(list, i), &keys->items[i]);
}

/* ---- claims, a line each ---- */

/* The checks that made a claim fail, the first ones by name, else the reason of its verdict. */
static void add_reason(struct text *t, const json_t *claim)
{
    enum { NAMED = 2 };
    size_t i, failing = 0;
    json_t *check;
    bool no = content_verdict(claim) == VERDICT_NO;
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

/* The reason for a claim's verdict, unless it is the same for all and was given above them. */
static const char *remark(struct document *doc, const struct content *c, const json_t *claim)
{
    struct text line = {0};
    if (is_comparable(c) && content_verdict(claim) != VERDICT_YES)
        add_reason(&line, claim);
    if (json_is_true(json_object_get(claim, "paper_fails")))
        text_print(&line, "%sthe paper\u2019s own numbers contradict it", line.size ? "; " : "");
    const char *copy = doc_text(doc, "%s", text_string(&line));
    text_free(&line);
    return copy;
}

static void add_count_line(struct document *doc, const struct content *c, const json_t *claims)
{
    size_t counts[VERDICTS] = {0}, i, n = json_array_size(claims);
    json_t *claim;
    if (!is_comparable(c)) {
        doc_paragraph(doc, STYLE_BODY,
                      n == 1 ? "The paper\u2019s claim is not decided, since the data is not the "
                               "paper\u2019s."
                             : doc_text(doc,
                                        "None of the paper\u2019s %zu claims is decided, since the "
                                        "data is not the paper\u2019s.",
                                        n));
        return;
    }
    json_array_foreach((json_t *)claims, i, claim) counts[content_verdict(claim)]++;
    doc_paragraph(
        doc, STYLE_BODY,
        doc_text(
            doc,
            "Of %zu claim%s, %zu reproduced, %zu not reproduced, %zu not decided, %zu not run.", n,
            n == 1 ? "" : "s", counts[VERDICT_YES], counts[VERDICT_NO], counts[VERDICT_OPEN],
            counts[VERDICT_NOT_RUN]));
}

static void add_claims(struct document *doc, const struct content *c)
{
    const json_t *list = json_object_get(c->cells, "claims");
    size_t i;
    json_t *claim;
    if (json_array_size(list) == 0)
        return;
    doc_heading(doc, 2, NULL, "The paper\u2019s claims");
    add_count_line(doc, c, list);
    struct doc_claims *claims = doc_claims(doc, json_array_size(list), true);
    json_array_foreach((json_t *)list, i, claim) claims->items[i] = (struct doc_claim){
        .number = json_integer_value(json_object_get(claim, "number")),
        .anchor = content_claim_anchor(doc, claim),
        .title = doc_text(doc, "%s", cells_string(claim, "title")),
        .verdict = content_verdict(claim),
        .verdict_text = doc_text(doc, "%s", cells_string(claim, "verdict")),
        .remark = remark(doc, c, claim),
    };
}

/* ---- settings ---- */

static bool is_stated(const json_t *setting)
{
    return json_is_true(json_object_get(setting, "stated"));
}

/* What the paper states, beside what was run. */
static void add_stated(struct document *doc, const json_t *settings)
{
    size_t i, n = 0, r = 0;
    json_t *setting;
    json_array_foreach((json_t *)settings, i, setting) n += is_stated(setting);
    doc_keep_together(doc);
    struct doc_table *table = doc_table(doc, 2, n);
    table->columns[0] =
        (struct doc_column){.group = "", .label = "", .part = "this run", .align = ALIGN_RIGHT};
    table->columns[1] =
        (struct doc_column){.group = "", .label = "", .part = "paper", .align = ALIGN_RIGHT};
    json_array_foreach((json_t *)settings, i, setting)
    {
        if (!is_stated(setting))
            continue;
        struct doc_row *row = &table->rows[r++];
        bool same = json_is_true(json_object_get(setting, "same"));
        row->label = doc_text(doc, "%s", cells_string(setting, "label"));
        row->cells[0] = (struct doc_cell){doc_text(doc, "%s", cells_string(setting, "ours")),
                                          same ? TONE_NORMAL : TONE_ACCENT};
        row->cells[1] =
            (struct doc_cell){doc_text(doc, "%s", cells_string(setting, "paper")), TONE_MUTED};
    }
}

/* What the paper leaves open, as one sentence. */
static void add_open(struct document *doc, const json_t *settings)
{
    struct text line = {0};
    size_t i;
    json_t *setting;
    const char *separator = "The paper leaves open, and this run takes: ";
    json_array_foreach((json_t *)settings, i, setting)
    {
        if (is_stated(setting))
            continue;
        text_print(&line, "%s%s: %s", separator, cells_string(setting, "label"),
                   cells_string(setting, "ours"));
        separator = "; ";
    }
    if (line.size)
        text_add(&line, ".");
    doc_paragraph(doc, STYLE_SMALL, text_string(&line));
    text_free(&line);
}

static void add_settings(struct document *doc, const struct content *c)
{
    const json_t *settings = json_object_get(c->cells, "settings");
    long long differ = json_integer_value(json_object_get(c->cells, "settings_differ"));
    if (json_array_size(settings) == 0)
        return;
    doc_heading(doc, 2, NULL, "Settings beside the paper\u2019s");
    if (differ == 0)
        doc_paragraph(doc, STYLE_BODY,
                      "Every setting that the paper states is the paper\u2019s own.");
    else if (differ == 1)
        doc_paragraph(doc, STYLE_BODY,
                      "One setting differs from what the paper states; differences in the results "
                      "include that.");
    else
        doc_paragraph(doc, STYLE_BODY,
                      doc_text(doc,
                               "%lld settings differ from what the paper states; differences in "
                               "the results include those.",
                               differ));
    add_stated(doc, settings);
    add_open(doc, settings);
}

void content_front(struct document *doc, const struct content *c)
{
    add_notes(doc, c);
    add_keys(doc, c);
    add_claims(doc, c);
    add_settings(doc, c);
}
