/* What a page is made of, written as groff source: headings, paragraphs, lines of placed text,
 * rules, pictures. Lengths are points; the text block is PAGE_WIDTH wide. No text given here can
 * act as groff source (see troff.h). */
#ifndef FERDAG_REPORTS_PDF_LAYOUT_H
#define FERDAG_REPORTS_PDF_LAYOUT_H

#include <stdbool.h>
#include "reports/text.h"

#define PAGE_WIDTH 471.0

/* How a piece of text looks: font and colour by their names in the document. */
struct look {
    const char *font, *colour;
    bool bold; /* for measuring */
};

extern const struct look look_plain, look_strong, look_grey, look_missing, look_accent;

enum align { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_CENTER };

/* The document's beginning: fonts, colours, running title, page numbers. */
void layout_start(struct text *t, const char *title);

/* A section's title, also in the PDF's outline. Level 1 starts a new page if less than `room`
 * points are left. */
void layout_heading(struct text *t, int level, const char *title, double room);

/* A filled paragraph: body text, or small grey text. */
void layout_paragraph(struct text *t, const char *s);
void layout_small(struct text *t, const char *s);

/* A block of lines of placed text at one size: begin, then lines, then end. It is not broken if
 * `height` fits on a page. */
void layout_begin_lines(struct text *t, double size, double leading, double height);
void layout_end_lines(struct text *t);
/* Puts s on the current line with its left end, right end or middle at x; no wider than `limit`
 * (0: as wide as it is). */
void layout_put(struct text *t, double x, enum align align, const struct look *look, double size,
                const char *s, double limit);
void layout_end_line(struct text *t);
/* A horizontal line from x to x + width, on a line of its own `height` high. */
void layout_rule(struct text *t, double x, double width, double thickness, const char *colour,
                 double height);
/* A dot that stands for a verdict, at x: filled, ring, or grey. */
void layout_dot(struct text *t, double x, const char *verdict);

void layout_space(struct text *t, double points);
void layout_need(struct text *t, double points);
void layout_new_page(struct text *t);

/* Pictures (one-page PDFs) side by side, `gap` apart, with a caption below (may be ""). */
struct placed {
    const char *path;
    double width, height;
};
void layout_pictures(struct text *t, const struct placed *pictures, size_t n, double gap,
                     const char *caption);

#endif
