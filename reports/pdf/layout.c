/* See layout.h. */
#include "reports/pdf/layout.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "reports/pdf/troff.h"

const struct text_look look_plain = {"HR", "ink", false};
const struct text_look look_strong = {"HB", "ink", true};
const struct text_look look_grey = {"HR", "grey", false};
const struct text_look look_missing = {"HI", "grey", false};
const struct text_look look_accent = {"HB", "accent", true};
const struct text_look look_code = {"CR", "ink", false};

const struct text_look *layout_look(enum doc_tone tone)
{
    static const struct text_look *const looks[] = {
        [TONE_NORMAL] = &look_plain,  [TONE_STRONG] = &look_strong,   [TONE_MUTED] = &look_grey,
        [TONE_ACCENT] = &look_accent, [TONE_MISSING] = &look_missing, [TONE_CODE] = &look_code,
    };
    return looks[tone];
}

/* A4, 62 points of margin. The page traps use environments of their own, so they can spring within
 * a paragraph. `.pc` without argument keeps % in a title from being the page number. HEAD exists
 * while a table's head is to be repeated. */
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
    ".if d HEAD \\{\\\n"
    ".  ev head\n"
    ".  HEAD\n"
    ".  ev\n"
    ".\\}\n"
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
    ".if !'\\\\*[anchor]'' .pdfhref M -N \\\\*[anchor]\n"
    ".nop \\&\\\\*[heading]\n.br\n.hy 4\n.pdfbookmark 1 \\\\*[outline]\n.BODY\n.sp 3p\n..\n"
    ".de H2\n.br\n.ne \\\\$1p\n.sp 12p\n.ps 11p\n.vs 15p\n.gcolor ink\n.ft B\n.nh\n"
    ".if !'\\\\*[anchor]'' .pdfhref M -N \\\\*[anchor]\n"
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

void layout_replace_missing(struct text *t, const char *source)
{
    enum { CHARACTERS = 0x110000 };
    unsigned char *seen = calloc(CHARACTERS / 8, 1);
    if (!seen) {
        t->failed = true;
        return;
    }
    for (const char *p = source; (p = strstr(p, "\\[u")); p += 3) {
        char *end;
        unsigned long c = strtoul(p + 3, &end, 16);
        if (*end != ']' || c >= CHARACTERS || seen[c / 8] & 1 << c % 8)
            continue;
        seen[c / 8] |= (unsigned char)(1 << c % 8);
        text_print(t,
                   ".if !c\\[u%04lX] \\{\\\n.tm report.pdf: the fonts lack U+%04lX, printed as ?\n"
                   ".fchar \\[u%04lX] ?\n.\\}\n",
                   c, c, c);
    }
    free(seen);
}

void layout_title(struct text *t, const char *about, const char *title)
{
    text_add(t, ".sp 6p\n.ft HR\n.ps 8.5p\n.vs 12p\n.gcolor grey\n\\&");
    troff_text(t, about);
    text_add(t, "\n.br\n.sp 8p\n.ft B\n.ps 21p\n.vs 25p\n.gcolor accent\n.nh\n\\&");
    troff_text(t, title);
    text_add(t, "\n.br\n.hy 4\n.BODY\n.pdfbookmark 1 Summary\n.sp 6p\n");
}

/* Adds what of a name can be one of the PDF's names. */
static void add_anchor(struct text *t, const char *anchor)
{
    for (; *anchor; anchor++)
        if (isalnum((unsigned char)*anchor) || *anchor == '-')
            text_add_bytes(t, anchor, 1);
}

void layout_heading(struct text *t, int level, const char *anchor, const char *title, double height)
{
    text_add(t, ".ds heading \"");
    troff_text(t, title);
    text_add(t, "\n.ds outline \"");
    troff_outline(t, title);
    text_add(t, "\n.ds anchor \"");
    add_anchor(t, anchor ? anchor : "");
    text_print(t, "\n.H%d %.0f\n", level == 1 ? 1 : 2, height);
}

/* ---- running text ---- */

/* gropdf makes a link of the text between the two, also over line ends. The numbers are how far the
 * link's area goes above and below the line, and its margin, in thousandths of a point. */
static void start_link(struct text *t, const char *anchor, double size)
{
    text_print(t, "\\X'pdf: markstart %.0f %.0f 2000 /Subtype /Link /Dest /", 720 * size,
               -220 * size);
    add_anchor(t, anchor);
    text_add(t, " /Border [0 0 0] /Color [0 0 0]'");
}

static void end_link(struct text *t)
{
    text_add(t, "\\X'pdf: markend'");
}

static void add_spans(struct text *t, const struct doc_spans *spans)
{
    static const char *const fonts[] = {"", "B", "I", "BI"};
    text_add(t, "\\&");
    for (const struct doc_span *s = spans->first; s; s = s->next) {
        const char *font =
            s->marks & MARK_CODE ? "CR" : fonts[s->marks & (MARK_BOLD | MARK_ITALIC)];
        if (*font)
            text_print(t, "\\f[%s]", font);
        if (s->target) {
            start_link(t, s->target, 10);
            text_add(t, "\\m[accent]");
        }
        if (s->marks & MARK_CODE)
            troff_code(t, s->text);
        else
            troff_text(t, s->text);
        if (s->target) {
            text_add(t, "\\m[]");
            end_link(t);
        }
        if (*font)
            text_add(t, "\\f[]");
    }
    text_add(t, "\n.br\n");
}

/* A tinted box: set first, to know its height, then drawn and printed. */
static void add_notice(struct text *t, const struct doc_spans *spans)
{
    text_add(t, ".BODY\n.sp 7p\n.di NOTICE\n.in 9p\n.ll -9p\n.ft B\n.gcolor accent\n.vs 14p\n");
    add_spans(t, spans);
    text_add(t, ".di\n.in 0\n.ll +9p\n.nr HEIGHT \\n[dn]+10p\n.ne \\n[HEIGHT]u+20p\n.nf\n.vs 1p\n"
                "\\&\\M[faint]\\D'P 471p 0 0 \\n[HEIGHT]u -471p 0'\\M[]\\v'-\\n[HEIGHT]u'\n"
                ".sp 1p\n.vs 14p\n.NOTICE\n.rm NOTICE\n.BODY\n.sp 14p\n");
}

void layout_paragraph(struct text *t, enum doc_style style, const struct doc_spans *spans)
{
    if (style == STYLE_NOTICE) {
        add_notice(t, spans);
        return;
    }
    text_print(t, "%s\n.ne 2v\n", style == STYLE_SMALL ? ".SMALL" : ".BODY");
    add_spans(t, spans);
    text_add(t, ".sp 5p\n");
}

void layout_plain(struct text *t, enum doc_style style, const char *s)
{
    struct doc_span span = {.text = s};
    struct doc_spans spans = {&span, &span};
    if (*s)
        layout_paragraph(t, style, &spans);
}

void layout_item(struct text *t, const struct doc_spans *spans)
{
    text_add(t, ".BODY\n.ne 2v\n.in 12p\n.ti 0\n\\&\\[bu]\\h'|12p'");
    add_spans(t, spans);
    text_add(t, ".sp 2p\n");
}

void layout_end_list(struct text *t)
{
    text_add(t, ".in 0\n.sp 4p\n");
}

void layout_table_title(struct text *t, const char *name, const char *title, double height)
{
    text_print(t, ".BODY\n.ne %.0fp\n.sp 12p\n\\&", height);
    if (*name) {
        text_add(t, "\\f[HB]\\s[9p]\\m[accent]");
        troff_text(t, name);
        text_add(t, "\\m[]\\s0\\f[]\\ \\ ");
    }
    text_add(t, "\\s[9.5p]");
    troff_text(t, title);
    text_add(t, "\\s0\n.br\n.sp 4p\n");
}

/* ---- spaces and pages ---- */

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
    text_add(t, ".br\n.if \\n[nl]>350p .bp\n");
}

void layout_begin_lines(struct text *t, double size, double leading, double height)
{
    text_print(t, ".br\n.nf\n.ft HR\n.ps %.2fp\n.vs %.2fp\n", size, leading);
    if (height > 0 && height < PAGE_HEIGHT)
        layout_need(t, height);
}

void layout_end_lines(struct text *t)
{
    text_add(t, ".BODY\n");
}

void layout_put(struct text *t, double x, enum doc_align align, const struct text_look *look,
                double size, const char *s, double limit)
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

void layout_put_link(struct text *t, double x, const struct text_look *look, double size,
                     const char *s, double limit, const char *anchor)
{
    start_link(t, anchor, size);
    layout_put(t, x, ALIGN_LEFT, look, size, s, limit);
    end_link(t);
}

void layout_down(struct text *t, double points)
{
    text_print(t, "\\v'%.2fp'", points);
}

void layout_detail(struct text *t, const char *s, double size, double leading)
{
    text_print(t, ".nr OLD \\n[.v]\n.fi\n.in 10p\n.ps %.2fp\n.vs %.2fp\n.gcolor grey\n\\&", size,
               leading);
    troff_code(t, s);
    text_add(t, "\n.br\n.in 0\n.nf\n.gcolor ink\n.ps\n.vs \\n[OLD]u\n");
}

void layout_end_line(struct text *t)
{
    text_add(t, "\\&\n");
}

void layout_underline(struct text *t, double x, double width)
{
    text_print(t, "\\v'3.5p'\\h'|%.2fp'\\m[light]\\D't 0.4p'\\D'l %.2fp 0'\\m[]\\v'-3.5p'", x,
               width);
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

void layout_dot(struct text *t, double x, enum doc_verdict verdict)
{
    static const char *const colours[] = {[VERDICT_YES] = "accent",
                                          [VERDICT_NO] = "ink",
                                          [VERDICT_OPEN] = "light",
                                          [VERDICT_NOT_RUN] = "light"};
    text_print(t, "\\&\\h'|%.2fp'\\v'-2.6p'\\m[%s]\\M[%s]\\D't 0.9p'\\D'%s 6p'\\M[]\\m[]\\v'2.6p'",
               x, colours[verdict], colours[verdict], verdict == VERDICT_NO ? "c" : "C");
}

/* ---- heads that are repeated ---- */

/* .eo turns escapes off, so that the head is stored unchanged. */
void layout_begin_head(struct text *t)
{
    text_add(t, ".eo\n.de HEAD\n");
}

void layout_end_head(struct text *t)
{
    text_add(t, "..\n.ec\n.HEAD\n");
}

void layout_forget_head(struct text *t)
{
    text_add(t, ".rm HEAD\n");
}

void layout_pictures(struct text *t, const struct placed *pictures, size_t n, double gap)
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
}
