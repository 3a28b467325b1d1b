/* A document as data: headings, paragraphs, lists, tables, figures, claims and key numbers, in
 * order.
 *
 * The files in content/ build one from the results. A renderer (renderer.h) walks its blocks and
 * writes a format. So there are no lengths, fonts or markup here, and every text is plain UTF-8:
 * a renderer must escape it.
 *
 * All memory belongs to the document's arena. Functions that take texts copy them; where a struct
 * is filled by the caller, its texts come from doc_text or live at least as long as the document.
 */
#ifndef FERDAG_REPORTS_DOCUMENT_H
#define FERDAG_REPORTS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"

/* ---- text ---- */

/* Marks of a span, or'ed. */
enum { MARK_BOLD = 1, MARK_ITALIC = 2, MARK_CODE = 4 };

/* A run of text with the same marks. */
struct doc_span {
    const char *text;
    unsigned marks;
    const char *target; /* anchor that it links to; NULL: no link */
    struct doc_span *next;
};

/* Spans in order; starts zeroed. */
struct doc_spans {
    struct doc_span *first, *last;
};

/* Emphasis of a short text. */
enum doc_tone {
    TONE_NORMAL,
    TONE_STRONG,
    TONE_MUTED,
    TONE_ACCENT,
    TONE_MISSING, /* the reason in place of a number */
    TONE_CODE,    /* in a font of fixed width */
};

/* ---- blocks ---- */

struct doc_heading {
    int level;          /* 1: a section, 2: a part of one */
    const char *anchor; /* what links refer to: letters, digits, "-"; NULL: none */
    const char *text;
};

enum doc_style {
    STYLE_BODY,
    STYLE_SMALL,  /* captions, notes */
    STYLE_NOTICE, /* set off from the text: what a reader must not miss */
};

struct doc_paragraph {
    enum doc_style style;
    struct doc_spans spans;
};

struct doc_list {
    struct doc_spans *items;
    size_t count;
};

enum doc_align {
    ALIGN_LEFT,
    ALIGN_RIGHT,
    ALIGN_CENTER,
    ALIGN_DECIMAL, /* right, and numbers with their decimal points below each other */
};

/* A column of a table. Its heads, from the top: the group, which it shares with the neighbours that
 * have the same one; the label, over the column and those joined to it; and its own part. */
struct doc_column {
    const char *group, *label, *part; /* "" for none */
    enum doc_align align;
    bool joined; /* stays beside the column before it, under its label */
};

struct doc_cell {
    const char *text; /* never NULL */
    enum doc_tone tone;
};

struct doc_row {
    const char *group;  /* shown where it changes; "" for none */
    const char *label;  /* name of the row */
    const char *detail; /* a line below the row; "" for none */
    bool strong;
    struct doc_cell *cells; /* one a column */
};

struct doc_table {
    const char *name;       /* such as "Table III"; "" for none */
    const char *title;      /* "" for none */
    const char *row_header; /* head of the column of row names */
    struct doc_column *columns;
    size_t column_count;
    struct doc_row *rows;
    size_t row_count;
    bool reference;    /* to look things up in: small, and may continue on further pages */
    bool groups_above; /* groups of rows have a line of their own; else a column */
    const char *note;  /* below the table; "" for none */
};

/* Lines over x, or a matrix of counts. */
struct doc_line {
    const char *name;
    const double *x, *y;
    size_t n;
};

struct doc_plot {
    const char *title, *x_label, *y_label;
    const char *missing; /* why there is nothing to draw; NULL: there is */
    const struct doc_line *lines;
    size_t line_count;
    const double *counts;           /* (classes, classes), [true][predicted]; NULL: lines */
    const char *const *class_names; /* NULL: numbers */
    size_t classes;
};

/* A picture or a plot. */
struct doc_figure {
    const char *name;        /* of its files, without ending: "curves-1" */
    const char *caption;     /* "" for none */
    const char *alternative; /* what it shows, for readers who can't see it */
    const char *png;         /* path of a readable PNG; NULL: a plot */
    const struct doc_plot *plot;
    double width;  /* as a share of the text's width */
    double aspect; /* of a plot: height divided by width */
};

/* Figures side by side. */
struct doc_figures {
    struct doc_figure *items;
    size_t count;
    const char *note; /* below all of them; "" for none */
};

enum doc_verdict { VERDICT_YES, VERDICT_NO, VERDICT_OPEN, VERDICT_NOT_RUN, VERDICTS };

/* One comparison of a check: our numbers and the paper's. */
struct doc_comparison {
    const char *name;
    struct doc_cell ours, p, result, paper, paper_result; /* p: "p 0.004", or empty */
};

struct doc_check {
    const char *text, *summary, *paper; /* what is checked, how it came out, for the paper */
    const char *remark;                 /* below the comparisons; "" for none */
    struct doc_comparison *comparisons;
    size_t count;
};

struct doc_claim {
    long long number;
    const char *anchor; /* of the claim's heading */
    const char *title;
    enum doc_verdict verdict;
    const char *verdict_text;       /* "not decided" */
    const char *remark;             /* why; "" for none */
    const char *text, *rule, *note; /* "" for none; not in a brief list */
    struct doc_check *checks;
    size_t check_count;
};

struct doc_claims {
    bool brief; /* a line or two for each claim; else verdict, texts and checks, under a heading */
    struct doc_claim *items;
    size_t count;
};

/* A large number. */
struct doc_key {
    const char *label, *value, *note;
    bool missing; /* value is a reason */
};

struct doc_keys {
    struct doc_key *items;
    size_t count;
};

enum doc_block_type {
    BLOCK_HEADING,
    BLOCK_PARAGRAPH,
    BLOCK_LIST,
    BLOCK_TABLE,
    BLOCK_FIGURES,
    BLOCK_CLAIMS,
    BLOCK_KEYS,
};

struct doc_block {
    enum doc_block_type type;
    bool new_page;      /* starts a page, where there are pages and this one isn't mostly empty */
    bool keep_together; /* on one page if it fits on one */
    union {
        struct doc_heading heading;
        struct doc_paragraph paragraph;
        struct doc_list list;
        struct doc_table table;
        struct doc_figures figures;
        struct doc_claims claims;
        struct doc_keys keys;
    };
    struct doc_block *next;
};

struct document {
    const char *title;
    const char *about; /* a few words above the title; "" for none */
    struct doc_block *first, *last;
    struct arena *arena;
    bool new_page, keep_together; /* hints for the next block */
};

/* ---- building ---- */

struct document *doc_open(const char *title, const char *about);
void doc_close(struct document *doc); /* NULL is fine */

/* A text of the document's own, printf-style. */
const char *doc_text(struct document *doc, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* size zeroed bytes. */
void *doc_alloc(struct document *doc, size_t count, size_t size);

/* Hints for the block that is added next. */
void doc_new_page(struct document *doc);
void doc_keep_together(struct document *doc);

/* anchor may be NULL. */
void doc_heading(struct document *doc, int level, const char *anchor, const char *text);
/* A paragraph of one span, without marks; nothing is added for a text of spaces alone. */
void doc_paragraph(struct document *doc, enum doc_style style, const char *text);
/* An empty paragraph or list; spans are added to what is returned. */
struct doc_spans *doc_spans(struct document *doc, enum doc_style style);
struct doc_spans *doc_list(struct document *doc, size_t count);
/* Adds a span; target (may be NULL) is the anchor that it links to. */
void doc_span(struct document *doc, struct doc_spans *spans, unsigned marks, const char *target,
              const char *text);

/* Blocks for the caller to fill: all texts are "", all else zero. */
struct doc_table *doc_table(struct document *doc, size_t columns, size_t rows);
struct doc_figures *doc_figures(struct document *doc, size_t count);
struct doc_claims *doc_claims(struct document *doc, size_t count, bool brief);
struct doc_keys *doc_keys(struct document *doc, size_t count);
/* Checks and comparisons of a claim, the same. */
struct doc_check *doc_checks(struct document *doc, struct doc_claim *claim, size_t count);
struct doc_comparison *doc_comparisons(struct document *doc, struct doc_check *check, size_t count);

#endif
