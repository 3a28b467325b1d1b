/* See markdown.h. */
#include "reports/markdown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

void markdown_text(struct text *t, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (strchr("\\`*_[]<>|#&~", c))
            text_add(t, "\\");
        text_add_bytes(t, c < 0x20 || c == 0x7f ? " " : s, 1);
    }
}

/* Escapes what would begin a list or a heading at the start of a paragraph; returns what follows.
 */
static const char *start_paragraph(struct text *t, const char *s)
{
    size_t digits = strspn(s, "0123456789");
    text_add_bytes(t, s, digits);
    s += digits;
    if (*s && strchr(digits ? ".)" : "-+=", *s))
        text_add(t, "\\");
    return s;
}

/* Inline code: between more backquotes than the text has in a row. */
static void add_code(struct text *t, const char *s)
{
    size_t longest = 0;
    for (const char *p = s; *p; p += strcspn(p, "`")) {
        size_t n = strspn(p, "`");
        longest = n > longest ? n : longest;
        p += n;
    }
    for (size_t i = 0; i <= longest; i++)
        text_add(t, "`");
    text_add(t, longest ? " " : "");
    for (; *s; s++)
        text_add_bytes(t, (unsigned char)*s < 0x20 ? " " : s, 1);
    text_add(t, longest ? " " : "");
    for (size_t i = 0; i <= longest; i++)
        text_add(t, "`");
}

static void add_spans(struct text *t, const struct doc_spans *spans)
{
    for (const struct doc_span *s = spans->first; s; s = s->next) {
        const char *mark = s->marks & MARK_BOLD ? "**" : s->marks & MARK_ITALIC ? "*" : "";
        text_print(t, "%s%s", s->target ? "[" : "", mark);
        if (s->marks & MARK_CODE)
            add_code(t, s->text);
        else
            markdown_text(t, s == spans->first ? start_paragraph(t, s->text) : s->text);
        text_add(t, mark);
        if (s->target)
            text_print(t, "](#%s)", s->target);
    }
}

/* Nothing for "". */
static void add_paragraph(struct text *t, const char *s)
{
    if (!*s)
        return;
    markdown_text(t, start_paragraph(t, s));
    text_add(t, "\n\n");
}

static void add_heading(struct text *t, const struct doc_heading *heading)
{
    if (heading->anchor)
        text_print(t, "<a id=\"%s\"></a>\n\n", heading->anchor);
    text_add(t, heading->level == 1 ? "## " : "### ");
    markdown_text(t, heading->text);
    text_add(t, "\n\n");
}

/* ---- tables ---- */

/* "Full data set, Public: ours"; of what is joined to it the last part alone. */
static void add_column_name(struct text *t, const struct doc_column *c)
{
    if (!c->joined || !*c->part) {
        markdown_text(t, c->group);
        text_add(t, *c->group && *c->label ? ", " : "");
        markdown_text(t, c->label);
        text_add(t, (*c->group || *c->label) && *c->part ? ": " : "");
    }
    markdown_text(t, c->part);
}

static void add_row(struct text *t, const struct doc_table *table, const struct doc_row *row,
                    bool details)
{
    text_add(t, "| ");
    markdown_text(t, row->group);
    text_add(t, *row->group && *row->label ? ", " : "");
    markdown_text(t, row->label);
    for (size_t c = 0; c < table->column_count; c++) {
        text_add(t, " | ");
        markdown_text(t, row->cells[c].text);
    }
    if (details) {
        text_add(t, " | ");
        markdown_text(t, row->detail);
    }
    text_add(t, " |\n");
}

static void add_table(struct text *t, const struct doc_table *table)
{
    bool details = false;
    for (size_t r = 0; r < table->row_count; r++)
        details = details || *table->rows[r].detail;
    if (*table->name || *table->title) {
        text_add(t, "**");
        markdown_text(t, table->name);
        text_add(t, *table->name && *table->title ? ":** " : "");
        markdown_text(t, table->title);
        text_add(t, *table->name && *table->title ? "\n\n" : "**\n\n");
    }
    text_add(t, "| ");
    markdown_text(t, table->row_header);
    for (size_t c = 0; c < table->column_count; c++) {
        text_add(t, " | ");
        add_column_name(t, &table->columns[c]);
    }
    text_add(t, details ? " | |\n|---" : " |\n|---");
    for (size_t c = 0; c < table->column_count; c++)
        text_add(t, table->columns[c].align == ALIGN_LEFT ? "|---" : "|---:");
    text_add(t, details ? "|---|\n" : "|\n");
    for (size_t r = 0; r < table->row_count; r++)
        add_row(t, table, &table->rows[r], details);
    text_add(t, "\n");
    add_paragraph(t, table->note);
}

/* ---- claims ---- */

static void add_brief_claims(struct text *t, const struct doc_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        const struct doc_claim *claim = &claims->items[i];
        text_print(t, "%lld. [", claim->number);
        markdown_text(t, claim->title);
        text_print(t, "](#%s): **", claim->anchor);
        markdown_text(t, claim->verdict_text);
        text_add(t, *claim->remark ? "**, " : "**");
        markdown_text(t, claim->remark);
        text_add(t, "\n");
    }
    text_add(t, "\n");
}

static void add_check(struct text *t, const struct doc_check *check)
{
    text_add(t, "| ");
    markdown_text(t, check->text);
    text_add(t, " | ours | p | ");
    markdown_text(t, check->summary);
    text_add(t, " | paper | ");
    markdown_text(t, check->paper);
    text_add(t, " |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < check->count; i++) {
        const struct doc_comparison *c = &check->comparisons[i];
        const char *const cells[] = {c->name,        c->ours.text,  c->p.text,
                                     c->result.text, c->paper.text, c->paper_result.text};
        for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
            text_add(t, "| ");
            markdown_text(t, cells[k]);
            text_add(t, " ");
        }
        text_add(t, "|\n");
    }
    text_add(t, "\n");
    add_paragraph(t, check->remark);
}

static void add_claims(struct text *t, const struct doc_claims *claims)
{
    if (claims->brief) {
        add_brief_claims(t, claims);
        return;
    }
    for (size_t i = 0; i < claims->count; i++) {
        const struct doc_claim *claim = &claims->items[i];
        text_add(t, "**");
        markdown_text(t, claim->verdict_text);
        text_add(t, *claim->remark ? "**: " : "**");
        markdown_text(t, claim->remark);
        text_add(t, "\n\n");
        add_paragraph(t, claim->text);
        add_paragraph(t, claim->rule);
        add_paragraph(t, claim->note);
        for (size_t k = 0; k < claim->check_count; k++)
            add_check(t, &claim->checks[k]);
    }
}

/* ---- other blocks ---- */

static void add_figures(struct text *t, const struct doc_figures *figures, const char *folder)
{
    const char *slash = strrchr(folder, '/'), *link = slash ? slash + 1 : folder;
    for (size_t i = 0; i < figures->count; i++) {
        const struct doc_figure *figure = &figures->items[i];
        text_add(t, figure->png ? "![" : "[");
        markdown_text(t, figure->alternative);
        text_print(t, "](%s/%s.%s)\n\n", link, figure->name, figure->png ? "png" : "pdf");
        add_paragraph(t, figure->caption);
    }
    add_paragraph(t, figures->note);
}

static void add_keys(struct text *t, const struct doc_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct doc_key *key = &keys->items[i];
        text_add(t, "- ");
        markdown_text(t, key->label);
        text_add(t, ": **");
        markdown_text(t, key->value);
        text_add(t, *key->note ? "** (" : "**");
        markdown_text(t, key->note);
        text_add(t, *key->note ? ")\n" : "\n");
    }
    text_add(t, "\n");
}

static void add_list(struct text *t, const struct doc_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        text_add(t, "- ");
        add_spans(t, &list->items[i]);
        text_add(t, "\n");
    }
    text_add(t, "\n");
}

static void add_block(struct text *t, const struct doc_block *b, const char *figures)
{
    switch (b->type) {
    case BLOCK_HEADING:
        add_heading(t, &b->heading);
        break;
    case BLOCK_PARAGRAPH:
        text_add(t, b->paragraph.style == STYLE_NOTICE ? "> " : "");
        add_spans(t, &b->paragraph.spans);
        text_add(t, "\n\n");
        break;
    case BLOCK_LIST:
        add_list(t, &b->list);
        break;
    case BLOCK_TABLE:
        add_table(t, &b->table);
        break;
    case BLOCK_FIGURES:
        add_figures(t, &b->figures, figures);
        break;
    case BLOCK_CLAIMS:
        add_claims(t, &b->claims);
        break;
    case BLOCK_KEYS:
        add_keys(t, &b->keys);
        break;
    }
}

void markdown_write(struct text *t, const struct document *doc, const char *figures)
{
    text_add(t, "# ");
    markdown_text(t, doc->title);
    text_add(t, "\n\n");
    add_paragraph(t, doc->about);
    for (const struct doc_block *b = doc->first; b; b = b->next)
        add_block(t, b, figures);
    while (t->size > 1 && t->data[t->size - 1] == '\n' && t->data[t->size - 2] == '\n')
        t->data[--t->size] = 0;
}

static int copy_pictures(const struct doc_figures *figures, const char *folder, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < figures->count; i++) {
        const struct doc_figure *figure = &figures->items[i];
        char *path = figure->png ? format_string("%s/%s.png", folder, figure->name) : NULL;
        if (figure->png)
            rc = path ? file_copy(figure->png, path, err) : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    return rc;
}

int markdown_render(const struct document *doc, const char *path, const char *figures,
                    struct error *err)
{
    struct text t = {0};
    int rc = 0;
    for (const struct doc_block *b = doc->first; rc == 0 && b; b = b->next)
        if (b->type == BLOCK_FIGURES)
            rc = copy_pictures(&b->figures, figures, err);
    markdown_write(&t, doc, figures);
    if (rc == 0)
        rc = text_write(&t, path, err);
    text_free(&t);
    return rc;
}
