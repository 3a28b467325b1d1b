/* See layout.h. */
#include "reports/pdf/layout.h"

#include <string.h>
#include "reports/pdf/troff.h"

const struct look look_plain = {"HR", "ink", false};
const struct look look_strong = {"HB", "ink", true};
const struct look look_grey = {"HR", "grey", false};
const struct look look_missing = {"HI", "grey", false};
const struct look look_accent = {"HB", "accent", true};

/* A4, 62 points of margin. The page traps draw in an environment of their own, so they can spring
 * amid a paragraph. `.pc` without argument keeps % in a title from being the page number. */
static const char macros[] =
    ".pl 842p\n.po 62p\n.ll 471p\n.pc\n"
    ".defcolor ink rgb #222222\n.defcolor grey rgb #767676\n.defcolor light rgb #c9c9c9\n"
    ".defcolor accent rgb #1f5f82\n.defcolor faint rgb #eef3f6\n"
    ".if !d family .ds family P\n"
    ".fam \\*[family]\n.ps 10p\n.vs 14.5p\n.gcolor ink\n.ad l\n.hy 4\n.ss 12 0\n"
    ".ev furniture\n.fam \\*[family]\n.ll 471p\n'nf\n.gcolor grey\n.ps 8p\n.vs 10p\n.ev\n"
    ".de TOP\n"
    ".if \\\\n%>1 \\{\\\n"
    "'  sp |38p\n"
    ".  ev furniture\n"
    ".  nop \\&\\f[HR]\\\\*[running]\\f[]\n"
    ".  br\n"
    ".  vs 4p\n"
    ".  nop \\&\\m[light]\\D't 0.4p'\\D'l 471p 0'\\m[]\n"
    ".  br\n"
    ".  vs 10p\n"
    ".  ev\n"
    ".\\}\n"
    "'sp |70p\n"
    ".ns\n"
    "..\n"
    ".de BOTTOM\n"
    "'sp |800p\n"
    ".ev furniture\n"
    ".tl ''\\f[HR]\\\\n%\\f[]''\n"
    ".ev\n"
    "'bp\n"
    "..\n"
    ".wh 0 TOP\n"
    ".wh -70p BOTTOM\n"
    ".de BODY\n.br\n.fi\n.ft R\n.ps 10p\n.vs 14.5p\n.gcolor ink\n..\n"
    ".de SMALL\n.br\n.fi\n.ft R\n.ps 8.5p\n.vs 11.5p\n.gcolor grey\n..\n"
    ".de H1\n.br\n.ne \\\\$1p\n.sp 22p\n.ps 15p\n.vs 20p\n.gcolor accent\n.ft B\n.nh\n"
    ".nop \\&\\\\*[heading]\n.br\n.hy 4\n.pdfbookmark 1 \\\\*[outline]\n.BODY\n.sp 3p\n..\n"
    ".de H2\n.br\n.ne \\\\$1p\n.sp 12p\n.ps 11p\n.vs 15p\n.gcolor ink\n.ft B\n.nh\n"
    ".nop \\&\\\\*[heading]\n.br\n.hy 4\n.pdfbookmark 2 \\\\*[outline]\n.BODY\n.sp 1p\n..\n";

void layout_start(struct text *t, const char *title)
{
    text_add(t, ".ds running \"");
    troff_fitted(t, title, false, PAGE_WIDTH / 8 * 1000);
    text_add(t, "\n");
    text_add(t, macros);
    text_add(t, ".pdfinfo /Title \"");
    troff_outline(t, title);
    text_add(t, "\"\n.pdfinfo /Creator \"ferdag\"\n");
}

void layout_heading(struct text *t, int level, const char *title, double room)
{
    text_add(t, ".ds heading \"");
    troff_text(t, title);
    text_add(t, "\n.ds outline \"");
    troff_outline(t, title);
    text_print(t, "\n.H%d %.0f\n", level == 1 ? 1 : 2, room);
}

static void paragraph(struct text *t, const char *request, const char *s)
{
    struct text trimmed = {0};
    size_t n = strlen(s);
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\n'))
        n--;
    if (!n)
        return;
    text_add_bytes(&trimmed, s, n);
    text_print(t, "%s\n.ne 2v\n\\&", request);
    troff_text(t, text_string(&trimmed));
    t->failed = t->failed || trimmed.failed;
    text_free(&trimmed);
    text_add(t, "\n.br\n.sp 5p\n");
}

void layout_paragraph(struct text *t, const char *s)
{
    paragraph(t, ".BODY", s);
}

void layout_small(struct text *t, const char *s)
{
    paragraph(t, ".SMALL", s);
}

void layout_need(struct text *t, double points)
{
    text_print(t, ".br\n.ne %.2fp\n", points);
}

void layout_space(struct text *t, double points)
{
    text_print(t, ".br\n.sp %.2fp\n", points);
}

void layout_new_page(struct text *t)
{
    text_add(t, ".br\n.bp\n");
}

void layout_begin_lines(struct text *t, double size, double leading, double height)
{
    text_print(t, ".br\n.nf\n.ft HR\n.ps %.2fp\n.vs %.2fp\n", size, leading);
    if (height > 0 && height < 690)
        layout_need(t, height);
}

void layout_end_lines(struct text *t)
{
    text_add(t, ".BODY\n");
}

void layout_put(struct text *t, double x, enum align align, const struct look *look, double size,
                const char *s, double limit)
{
    struct text shown = {0};
    double most = limit > 0 ? limit / size * 1000 : 1e9;
    if (troff_width(s, look->bold) > most)
        troff_fitted(&shown, s, look->bold, most);
    else
        troff_text(&shown, s);
    const char *escaped = text_string(&shown);
    text_print(t, "\\&\\f[%s]\\m[%s]\\s[%.2fp]", look->font, look->colour, size);
    if (align == ALIGN_LEFT)
        text_print(t, "\\h'|%.2fp'", x);
    else
        text_print(t, "\\h'|%.2fp-(\\w'%s'u%s)'", x, escaped, align == ALIGN_CENTER ? "/2u" : "");
    text_print(t, "%s\\s0\\m[]\\f[]", escaped);
    t->failed = t->failed || shown.failed;
    text_free(&shown);
}

void layout_end_line(struct text *t)
{
    text_add(t, "\\&\n");
}

void layout_rule(struct text *t, double x, double width, double thickness, const char *colour,
                 double height)
{
    text_print(t,
               ".br\n.nr LEADING \\n[.v]\n.vs %.2fp\n\\&\\h'|%.2fp'\\m[%s]\\D't %.2fp'\\D'l %.2fp "
               "0'\\m[]\n.br\n"
               ".vs \\n[LEADING]u\n",
               height, x, colour, thickness, width);
}

void layout_dot(struct text *t, double x, const char *verdict)
{
    bool yes = strcmp(verdict, "reproduced") == 0, no = strcmp(verdict, "not reproduced") == 0;
    const char *colour = yes ? "accent" : no ? "ink" : "light";
    text_print(t, "\\&\\h'|%.2fp'\\v'-2.6p'\\m[%s]\\M[%s]\\D't 0.9p'\\D'%s 6p'\\M[]\\m[]\\v'2.6p'",
               x, colour, colour, no ? "c" : "C");
}

void layout_pictures(struct text *t, const struct placed *pictures, size_t n, double gap,
                     const char *caption)
{
    double height = 0, x = 0;
    for (size_t i = 0; i < n; i++)
        height = pictures[i].height > height ? pictures[i].height : height;
    layout_need(t, height + 20);
    text_add(t, ".sp 5p\n.nf\n.vs 1p\n");
    for (size_t i = 0; i < n; i++) {
        text_print(t, "\\&\\h'|%.2fp'\\X'pdf: pdfpic %s -L %.3fp %.3fp'\n.sp -1\n", x,
                   pictures[i].path, pictures[i].width, pictures[i].height);
        x += pictures[i].width + gap;
    }
    text_print(t, ".sp %.2fp\n.BODY\n", height + 6);
    layout_small(t, caption);
}
