/* libFuzzer target: what a program writes as its progress and prints. Whatever it is, a report has
 * finite numbers, and no text that comes of it has control bytes, is no UTF-8 or is wider than it
 * may be.
 * Sources: stages/program_progress.c base/display.c base/utf8.c
 */
#define _GNU_SOURCE
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/display.h"
#include "base/utf8.h"
#include "stages/program_progress.h"

static void check_text(const char *text)
{
    for (const char *p = text; *p; p += utf8_length(p))
        if ((unsigned char)*p < 0x20 || *p == 0x7f || utf8_length(p) == 0)
            abort();
}

static void check_cuts(const char *text)
{
    char cut[64], name[64];
    for (size_t columns = 0; columns < 40; columns += 3) {
        if (display_copy(cut, sizeof cut, text, columns) > columns || display_width(cut) > columns)
            abort();
        display_shorten(name, sizeof name, text, columns, "…");
        if (display_width(name) > columns)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static locale_t utf8;
    struct program_report r = {0};
    char line[100];
    if (!utf8)
        uselocale(utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0));
    if (program_report_parse((const char *)data, size, &r)) {
        if (!isfinite(r.done) || !isfinite(r.total) || !isfinite(r.rate) || !(r.total > 0))
            abort();
        check_text(r.unit);
        check_text(r.rate_unit);
        check_text(r.note);
    }
    program_last_line((const char *)data, size, line, sizeof line);
    check_text(line);
    check_cuts(line);
    return 0;
}
