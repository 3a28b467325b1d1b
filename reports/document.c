/* See document.h. */
#include "reports/document.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct document *doc_open(const char *title, const char *about)
{
    struct arena *arena = arena_create();
    struct document *doc = arena_alloc(arena, sizeof *doc);
    doc->arena = arena;
    doc->title = doc_text(doc, "%s", title);
    doc->about = doc_text(doc, "%s", about);
    return doc;
}

void doc_close(struct document *doc)
{
    if (doc)
        arena_destroy(doc->arena);
}

const char *doc_text(struct document *doc, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n > 0 ? arena_alloc(doc->arena, (size_t)n + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text ? text : "";
}

void *doc_alloc(struct document *doc, size_t count, size_t size)
{
    return arena_alloc(doc->arena, size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void doc_new_page(struct document *doc)
{
    doc->new_page = true;
}

void doc_keep_together(struct document *doc)
{
    doc->keep_together = true;
}

static struct doc_block *add_block(struct document *doc, enum doc_block_type type)
{
    struct doc_block *block = doc_alloc(doc, 1, sizeof *block);
    block->type = type;
    block->new_page = doc->new_page;
    block->keep_together = doc->keep_together;
    doc->new_page = doc->keep_together = false;
    if (doc->last)
        doc->last->next = block;
    else
        doc->first = block;
    doc->last = block;
    return block;
}

void doc_heading(struct document *doc, int level, const char *anchor, const char *text)
{
    add_block(doc, BLOCK_HEADING)->heading = (struct doc_heading){
        .level = level,
        .anchor = anchor ? doc_text(doc, "%s", anchor) : NULL,
        .text = doc_text(doc, "%s", text),
    };
}

struct doc_spans *doc_spans(struct document *doc, enum doc_style style)
{
    struct doc_paragraph *paragraph = &add_block(doc, BLOCK_PARAGRAPH)->paragraph;
    paragraph->style = style;
    return &paragraph->spans;
}

void doc_span(struct document *doc, struct doc_spans *spans, unsigned marks, const char *target,
              const char *text)
{
    struct doc_span *span = doc_alloc(doc, 1, sizeof *span);
    *span = (struct doc_span){
        .text = doc_text(doc, "%s", text),
        .marks = marks,
        .target = target ? doc_text(doc, "%s", target) : NULL,
    };
    if (spans->last)
        spans->last->next = span;
    else
        spans->first = span;
    spans->last = span;
}

void doc_paragraph(struct document *doc, enum doc_style style, const char *text)
{
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\n'))
        n--;
    if (n)
        doc_span(doc, doc_spans(doc, style), 0, NULL, doc_text(doc, "%.*s", (int)n, text));
}

struct doc_spans *doc_list(struct document *doc, size_t count)
{
    struct doc_list *list = &add_block(doc, BLOCK_LIST)->list;
    list->items = doc_alloc(doc, count, sizeof *list->items);
    list->count = count;
    return list->items;
}

struct doc_table *doc_table(struct document *doc, size_t columns, size_t rows)
{
    struct doc_table *table = &add_block(doc, BLOCK_TABLE)->table;
    struct doc_cell *cells =
        doc_alloc(doc, rows, columns * sizeof *cells); /* checked against overflow */
    *table = (struct doc_table){
        .name = "",
        .title = "",
        .row_header = "",
        .note = "",
        .columns = doc_alloc(doc, columns, sizeof *table->columns),
        .column_count = columns,
        .rows = doc_alloc(doc, rows, sizeof *table->rows),
        .row_count = rows,
    };
    for (size_t c = 0; c < columns; c++)
        table->columns[c] = (struct doc_column){.group = "", .label = "", .part = ""};
    for (size_t i = 0; i < columns * rows; i++)
        cells[i].text = "";
    for (size_t r = 0; r < rows; r++)
        table->rows[r] =
            (struct doc_row){.group = "", .label = "", .detail = "", .cells = cells + r * columns};
    return table;
}

struct doc_figures *doc_figures(struct document *doc, size_t count)
{
    struct doc_figures *figures = &add_block(doc, BLOCK_FIGURES)->figures;
    *figures = (struct doc_figures){
        .items = doc_alloc(doc, count, sizeof *figures->items), .count = count, .note = ""};
    for (size_t i = 0; i < count; i++)
        figures->items[i] =
            (struct doc_figure){.name = "", .caption = "", .alternative = "", .width = 1};
    return figures;
}

struct doc_claims *doc_claims(struct document *doc, size_t count, bool brief)
{
    struct doc_claims *claims = &add_block(doc, BLOCK_CLAIMS)->claims;
    *claims = (struct doc_claims){
        .brief = brief, .items = doc_alloc(doc, count, sizeof *claims->items), .count = count};
    for (size_t i = 0; i < count; i++)
        claims->items[i] = (struct doc_claim){.anchor = "",
                                              .title = "",
                                              .verdict_text = "",
                                              .remark = "",
                                              .text = "",
                                              .rule = "",
                                              .note = ""};
    return claims;
}

struct doc_check *doc_checks(struct document *doc, struct doc_claim *claim, size_t count)
{
    claim->checks = doc_alloc(doc, count, sizeof *claim->checks);
    claim->check_count = count;
    for (size_t i = 0; i < count; i++)
        claim->checks[i] = (struct doc_check){.text = "", .summary = "", .paper = "", .remark = ""};
    return claim->checks;
}

struct doc_comparison *doc_comparisons(struct document *doc, struct doc_check *check, size_t count)
{
    check->comparisons = doc_alloc(doc, count, sizeof *check->comparisons);
    check->count = count;
    for (size_t i = 0; i < count; i++)
        check->comparisons[i] = (struct doc_comparison){
            .name = "",
            .ours.text = "",
            .p.text = "",
            .result.text = "",
            .paper.text = "",
            .paper_result.text = "",
        };
    return check->comparisons;
}

struct doc_keys *doc_keys(struct document *doc, size_t count)
{
    struct doc_keys *keys = &add_block(doc, BLOCK_KEYS)->keys;
    *keys = (struct doc_keys){.items = doc_alloc(doc, count, sizeof *keys->items), .count = count};
    for (size_t i = 0; i < count; i++)
        keys->items[i] = (struct doc_key){.label = "", .value = "", .note = ""};
    return keys;
}
