/* The parts of a page as groff source: headings, paragraphs, lines of placed text, rules, pictures.
 * Lengths are points; the text block is PAGE_WIDTH wide. No text given here can act as groff source
 * (see troff.h). */
#ifndef FERDAG_REPORTS_PDF_LAYOUT_H
#define FERDAG_REPORTS_PDF_LAYOUT_H

#include <stdbool.h>
#include "reports/document.h"
#include "base/text.h"

#define PAGE_WIDTH  471.0
#define PAGE_HEIGHT 690.0 /* of the text block */

/* How a piece of text looks: font and colour by the names that layout_start gives them. */
struct text_look {
    const char *font, *colour;
    bool bold; /* for measuring */
};

extern const struct text_look look_plain, look_strong, look_grey, look_missing, look_accent,
    look_code;
const struct text_look *layout_look(enum doc_tone tone);

/* The document's beginning: fonts, colours, running title, page numbers. */
void layout_start(struct text *t, const char *title);
/* For each character in source that the fonts lack: a "?" in its place, and a line in the log.
 * Comes between layout_start and source. */
void layout_replace_missing(struct text *t, const char *source);
/* The title on the first page, with a few words above it. */
void layout_title(struct text *t, const char *about, const char *title);

/* A heading, also in the PDF's outline, and what links to `anchor` (may be NULL) lead to. Starts a
 * new page if less than `height` points are left. */
void layout_heading(struct text *t, int level, const char *anchor, const char *title,
                    double height);
/* A filled paragraph, and an item of a list. */
void layout_paragraph(struct text *t, enum doc_style style, const struct doc_spans *spans);
void layout_item(struct text *t, const struct doc_spans *spans);
void layout_end_list(struct text *t);
/* A paragraph of one text without marks; nothing for "". */
void layout_plain(struct text *t, enum doc_style style, const char *s);

/* The title above a table. */
void layout_table_title(struct text *t, const char *name, const char *title, double height);

/* A block of lines of placed text at one size: begin, then lines, then end. It is not broken if
 * `height` fits on a page. */
void layout_begin_lines(struct text *t, double size, double leading, double height);
void layout_end_lines(struct text *t);
/* Puts s on the current line with its left end, right end or middle at x; no wider than `limit`
 * (0: any width). */
void layout_put(struct text *t, double x, enum doc_align align, const struct text_look *look,
                double size, const char *s, double limit);
/* The same as a link to an anchor. */
void layout_put_link(struct text *t, double x, const struct text_look *look, double size,
                     const char *s, double limit, const char *anchor);
void layout_end_line(struct text *t);
/* Moves what follows on the line down. What is moved down must be moved up again. */
void layout_down(struct text *t, double points);
/* A small filled paragraph between two lines, indented; then lines go on as before. */
void layout_detail(struct text *t, const char *s, double size, double leading);
/* A rule under what is on the current line, from x on; and one on a line of its own, `height` high.
 */
void layout_underline(struct text *t, double x, double width);
void layout_rule(struct text *t, double x, double width, double thickness, const char *colour,
                 double height);
/* A dot for a verdict, at x: filled, ring, or grey. */
void layout_dot(struct text *t, double x, enum doc_verdict verdict);

/* Between these, the lines are the head of a table: printed here, and at the top of each further
 * page until layout_forget_head. */
void layout_begin_head(struct text *t);
void layout_end_head(struct text *t);
void layout_forget_head(struct text *t);

void layout_space(struct text *t, double points);
/* Starts a new page if less than that is left. */
void layout_need(struct text *t, double points);
/* Starts a new page, unless more than half of this one is free. */
void layout_new_page(struct text *t);

/* Pictures (one-page PDFs) side by side, `gap` apart. */
struct placed {
    const char *path;
    double width, height;
};
void layout_pictures(struct text *t, const struct placed *pictures, size_t n, double gap);

#endif
