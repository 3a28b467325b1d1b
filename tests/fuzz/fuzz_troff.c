/* libFuzzer target: no text acts as groff source. Every escape in what comes of it is one of those
 * that reports/pdf/troff.c writes, all is printable ASCII, and the lines of a laid out page, and
 * what each begins with, are those of a page about "x". */
#include <ctype.h>
#include "reports/pdf/layout.h"
#include "reports/pdf/troff.h"
#include "tests/fuzz/scratch.h"

/* After a backslash: "[" and a name of letters and digits and "]", or one of these. */
static void check_text(struct text *t)
{
    for (const char *s = text_string(t); *s; s++) {
        if (*s < 0x20 || *s > 0x7e)
            abort();
        if (*s != '\\')
            continue;
        s++;
        if (*s == '[') {
            unsigned long code = s[1] == 'u' ? strtoul(s + 2, NULL, 16) : 0;
            if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                abort(); /* no character, with a message of groff */
            for (s++; *s != ']'; s++)
                if (!isalnum((unsigned char)*s))
                    abort();
        } else if (!*s || !strchr("~-:|", *s)) {
            abort();
        }
    }
    text_free(t);
}

static void lay_out(struct text *t, const char *s)
{
    struct doc_span span = {.text = s, .marks = MARK_BOLD, .target = s};
    struct doc_spans spans = {&span, &span};
    layout_start(t, s);
    layout_title(t, s, s);
    layout_heading(t, 1, s, s, 100);
    layout_plain(t, STYLE_BODY, s);
    layout_plain(t, STYLE_SMALL, s);
    layout_paragraph(t, STYLE_NOTICE, &spans);
    layout_item(t, &spans);
    layout_end_list(t);
    layout_table_title(t, s, s, 100);
    layout_begin_lines(t, 9, 11, 100);
    layout_begin_head(t);
    layout_put(t, 10, ALIGN_LEFT, &look_plain, 9, s, 0);
    layout_end_head(t);
    layout_put(t, 90, ALIGN_RIGHT, &look_strong, 9, s, 60);
    layout_put_link(t, 10, &look_plain, 9, s, 60, s);
    layout_end_line(t);
    layout_detail(t, s, 7, 9);
    layout_end_lines(t);
    layout_pictures(t, &(struct placed){"p.pdf", 100, 100}, 1, 10);
}

static void check_page(const char *s)
{
    struct text with = {0}, plain = {0};
    lay_out(&with, s);
    lay_out(&plain, "x");
    const char *a = text_string(&with), *b = text_string(&plain);
    while (a && b) {
        if ((*a == '.' || *a == '\'') != (*b == '.' || *b == '\''))
            abort();
        a = strchr(a, '\n');
        b = strchr(b, '\n');
        a = a ? a + 1 : NULL;
        b = b ? b + 1 : NULL;
    }
    if (a || b)
        abort();
    text_free(&with);
    text_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = malloc(size + 2);
    if (!s)
        return 0;
    memcpy(s, data, size);
    s[size] = 0;
    memcpy(s + strlen(s), "x", 2); /* never empty, as an empty text is no paragraph */
    struct text t = {0};
    troff_text(&t, s);
    check_text(&t);
    troff_code(&t, s);
    check_text(&t);
    troff_outline(&t, s);
    check_text(&t);
    troff_fitted(&t, s, size % 2, (double)size * 200);
    check_text(&t);
    check_page(s);
    free(s);
    return 0;
}
