/* See plot.h. Each plot is a script with its data in it. gnuplot draws through cairo, whose PDF
 * has a date in it and forms that gropdf can't read, so it is rewritten (simplify.h). */
#include "reports/pdf/plot.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/pdf/simplify.h"
#include "reports/program.h"
#include "base/text.h"
#include "reports/pdf/troff.h"

static const double SECONDS = 60;

/* Points. The fonts below have these sizes; names may be this wide. */
static const double TITLE_SIZE = 8, TITLE_MARGIN = 12, FONT_SIZE = 7.5, NAME_LIMIT = 90,
                    CLASS_LIMIT = 60;

/* Whether the fonts that come with gnuplot have a sign for the character. For one that no font has,
 * gnuplot draws a box that covers the plot. */
static bool has_sign(uint32_t c)
{
    return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0x530) || (c >= 0x1e00 && c < 0x1f00) ||
           (c >= 0x2010 && c < 0x2300 && c != 0x2028 && c != 0x2029);
}

/* Double quotes with octal escapes. Single quotes can't hold a text that begins with an apostrophe:
 * gnuplot reads '' at the start of a string as the whole string. A backquote would run a program,
 * and an @ insert a variable. */
void plot_quote(struct text *t, const char *s)
{
    uint32_t c;
    text_add(t, "\"");
    for (size_t n; *s; s += n) {
        n = text_character(s, &c);
        if (c < 0x80 && strchr("\"\\`@", (int)c))
            text_print(t, "\\%03o", (unsigned)c);
        else if (has_sign(c))
            text_add_bytes(t, s, n);
        else
            text_add(t, c < 0x20 || c == 0x7f ? " " : "?");
    }
    text_add(t, "\"");
}

/* The text, cut with an ellipsis if it is wider than `points` at that size. For a long name gnuplot
 * would shrink the plot down to nothing. */
static struct text cut(const char *s, bool bold, double size, double points)
{
    struct text shown = {0};
    size_t n = troff_fits(s, bold, points / size * 1000);
    text_add_bytes(&shown, s, n);
    text_add(&shown, s[n] ? "\u2026" : "");
    return shown;
}

static void quote_whole(struct text *t, struct text shown)
{
    plot_quote(t, text_string(&shown));
    t->failed = t->failed || shown.failed;
    text_free(&shown);
}

/* The script's beginning: terminal, output, title, the look that all plots share. */
static void start_script(struct text *t, const char *path, const char *title, double width,
                         double height)
{
    text_add(t, "set encoding utf8\n");
    text_print(t,
               "set terminal pdfcairo noenhanced color size %.4fin,%.4fin font 'Nimbus Sans,7.5' "
               "linewidth 0.8 rounded\nset output ",
               width / 72, height / 72);
    plot_quote(t, path);
    text_add(t, "\nset title ");
    quote_whole(t, cut(title, true, TITLE_SIZE, width - 2 * TITLE_MARGIN));
    text_add(t, " font 'Nimbus Sans Bold,8' textcolor rgb '#222222' offset 0,-0.4\n"
                "set border 3 linecolor rgb '#999999' linewidth 0.6\n"
                "set tics out nomirror scale 0.4 textcolor rgb '#444444'\n");
}

/* Writes PATH's script beside it, with .gnuplot for .pdf, and runs it. */
static int run_script(struct text *t, const char *path, struct error *err)
{
    char *script = format_string("%.*s.gnuplot", (int)(strlen(path) - strlen(".pdf")), path);
    if (!script) {
        text_free(t);
        return error_set(err, ENOMEM, "out of memory for %s", path);
    }
    int rc = text_write(t, script, err);
    const char *const argv[] = {"gnuplot", "-d", script, NULL};
    if (rc == 0)
        rc = program_run(argv, NULL, SECONDS, "gnuplot-nox", err);
    if (rc == 0)
        rc = pdf_simplify(path, err);
    free(script);
    return rc;
}

/* ---- learning curves ---- */

static const char *const colours[] = {"#9a9a9a", "#1f5f82", "#b5651d",
                                      "#5b7f3a", "#7a4f8a", "#444444"};
enum { COLOURS = sizeof colours / sizeof *colours };

static void add_lines(struct text *t, const struct doc_plot *plot)
{
    const char *separator = "plot ";
    for (size_t i = 0; i < plot->line_count; i++) {
        const struct doc_line *line = &plot->lines[i];
        text_print(t,
                   "%s$line%zu using 1:2 with %s linecolor rgb '%s' linewidth 1.6 pointtype 7 "
                   "pointsize 0.25 title ",
                   separator, i, line->n > 40 ? "lines" : "linespoints", colours[i % COLOURS]);
        quote_whole(t, cut(line->name, false, FONT_SIZE, NAME_LIMIT));
        separator = ", ";
    }
    text_add(t, "\n");
}

static void add_points(struct text *t, const struct doc_plot *plot)
{
    for (size_t i = 0; i < plot->line_count; i++) {
        text_print(t, "$line%zu << END\n", i);
        for (size_t k = 0; k < plot->lines[i].n; k++)
            text_print(t, "%.9g %.9g\n", plot->lines[i].x[k], plot->lines[i].y[k]);
        text_add(t, plot->lines[i].n ? "END\n" : "NaN NaN\nEND\n");
    }
}

/* Lines over x, or the reason why there are none in an empty frame. */
static void add_curves(struct text *t, const struct doc_plot *plot)
{
    text_add(t, "set xlabel ");
    plot_quote(t, plot->x_label);
    text_add(t, " offset 0,0.5 textcolor rgb '#444444'\nset ylabel ");
    plot_quote(t, plot->y_label);
    text_add(t, " offset 1.2,0 textcolor rgb '#444444'\n"
                "set grid ytics linecolor rgb '#e6e6e6' linewidth 0.5\n"
                "set key bottom right samplen 1.4 spacing 1.05 textcolor rgb '#444444'\n"
                "set lmargin 6\nset rmargin 1.5\nset bmargin 2.6\nset tmargin 1.8\n");
    if (!plot->missing) {
        add_points(t, plot);
        text_add(t, "set autoscale xfix\nset offsets 0, 0, graph 0.06, graph 0.02\n");
        add_lines(t, plot);
        return;
    }
    text_add(t, "unset tics\nset xrange [0:1]\nset yrange [0:1]\nunset key\n"
                "set label ");
    plot_quote(t, plot->missing);
    text_add(t, " at graph 0.5,0.5 center textcolor rgb '#999999'\nplot NaN notitle\n");
}

/* ---- confusion matrices ---- */

/* column, row (downwards), share of the row, count */
static void add_fields(struct text *t, const struct doc_plot *plot)
{
    size_t n = plot->classes;
    text_add(t, "$fields << END\n");
    for (size_t i = 0; i < n; i++) {
        const double *row = plot->counts + i * n;
        double sum = 0;
        for (size_t k = 0; k < n; k++)
            sum += row[k];
        for (size_t k = 0; k < n; k++)
            text_print(t, "%zu %zu %.6f %.0f\n", k, i, sum > 0 ? row[k] / sum : 0, row[k]);
    }
    text_add(t, "END\n");
}

/* In a tic's label gnuplot reads "%" as a format; "%%" is a "%". */
static void add_class(struct text *t, const char *name)
{
    struct text shown = cut(name, false, FONT_SIZE, CLASS_LIMIT), doubled = {0};
    for (const char *p = text_string(&shown); *p; p++)
        text_add_bytes(&doubled, *p == '%' ? "%%" : p, *p == '%' ? 2 : 1);
    doubled.failed = doubled.failed || shown.failed;
    text_free(&shown);
    quote_whole(t, doubled);
}

static void add_tics(struct text *t, const char *axis, const struct doc_plot *plot,
                     const char *options)
{
    text_print(t, "set %stics scale 0 %s (", axis, options);
    for (size_t i = 0; i < plot->classes; i++) {
        text_add(t, i ? ", " : "");
        if (plot->class_names)
            add_class(t, plot->class_names[i]);
        else
            text_print(t, "'%zu'", i);
        text_print(t, " %zu", i);
    }
    text_add(t, ")\n");
}

/* Each field shaded by its share of the row, with the count in it. */
static void add_matrix(struct text *t, const struct doc_plot *plot)
{
    size_t last = plot->classes - 1;
    add_fields(t, plot);
    text_print(t, "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\nset cbrange [0:1]\n", last,
               last);
    text_add(t, "set palette defined (0 '#ffffff', 0.15 '#dbe7ee', 0.5 '#7fa9c0', 1 '#1f5f82')\n"
                "unset colorbox\nunset border\nunset key\nset xlabel ");
    plot_quote(t, plot->x_label);
    text_add(t, " offset 0,0.2 textcolor rgb '#444444'\nset ylabel ");
    plot_quote(t, plot->y_label);
    text_add(t, " offset 0.8,0 textcolor rgb '#444444'\nset style fill solid 1.0 noborder\n");
    add_tics(t, "x", plot, "rotate by 35 right offset 0.6,0.2");
    add_tics(t, "y", plot, "offset 0.4,0");
    text_add(t, "plot $fields using 1:2:(0.485):(0.485):3 with boxxyerror fillcolor palette, "
                "$fields using 1:2:($3 < 0.55 ? sprintf('%d', $4) : '') with labels textcolor rgb "
                "'#333333', "
                "$fields using 1:2:($3 < 0.55 ? '' : sprintf('%d', $4)) with labels textcolor rgb "
                "'#ffffff'\n");
}

int plot_draw(const struct doc_plot *plot, const char *path, double width, double height,
              struct error *err)
{
    struct text t = {0};
    start_script(&t, path, plot->title, width, height);
    if (plot->counts && !plot->missing)
        add_matrix(&t, plot);
    else
        add_curves(&t, plot);
    return run_script(&t, path, err);
}
