/* The figures: learning curves, confusion matrices, pictures. What can't be shown gives the reason
 * in its place: a program may write anything. */
#include "reports/content/content.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/picture.h"
#include "base/text.h"

enum { LINE_LIMIT = 8, MATRIX_LIMIT = 50 };

static const double POINT_LIMIT = 1e100; /* gnuplot fails near the largest double */
static const char not_run[] = "not run";

/* Adds to the text below a figure: "TITLE: TEXT." */
static void add_note(struct text *note, const char *title, const char *text)
{
    text_print(note, "%s%s%s%s.", note->size ? " " : "", title, *title ? ": " : "", text);
}

/* Adds why the reference has no value, unless its stage did not run: the figure itself shows that.
 */
static void note_missing(struct text *note, const char *title, const char *reference,
                         const struct lookup *found)
{
    struct text why = {0};
    if (strcmp(found->missing, not_run) == 0)
        return;
    text_print(&why, "%s: %s", reference, found->detail ? found->detail : found->missing);
    add_note(note, title, text_string(&why));
    text_free(&why);
}

/* ---- pictures ---- */

/* In a picture's place: what is wrong with it. */
static void add_reason(struct document *doc, const json_t *item, const char *reason)
{
    doc_paragraph(doc, STYLE_SMALL,
                  strcmp(reason, not_run) == 0
                      ? reason
                      : doc_text(doc, "%s: %s", cells_string(item, "file"), reason));
}

static void add_png(struct document *doc, const json_t *item, size_t number, const char *png)
{
    const char *title = cells_string(item, "title"), *caption = cells_string(item, "caption");
    *doc_figures(doc, 1)->items = (struct doc_figure){
        .name = doc_text(doc, "sheet-%zu", number),
        .caption = doc_text(doc, "%s", caption),
        .alternative = doc_text(doc, "%s", *title ? title : caption),
        .png = doc_text(doc, "%s", png),
        .width = 1,
    };
}

static int add_picture(struct document *doc, struct content *c, const json_t *item, size_t number,
                       struct error *err)
{
    struct lookup found;
    struct error why;
    char *png;
    int rc = sources_path(&c->sources, cells_string(item, "file"), &found, &png, err);
    if (rc < 0)
        return rc;
    doc_heading(doc, 2, NULL, cells_string(item, "title"));
    if (!png) {
        add_reason(doc, item, found.missing);
        return 0;
    }
    rc = picture_check(png, &why);
    if (rc == 0)
        add_png(doc, item, number, png);
    else if (rc == -EINVAL)
        add_reason(doc, item, why.text);
    else
        error_set(err, -rc, "%s: %s", cells_string(item, "file"), why.text);
    free(png);
    return rc == -EINVAL ? 0 : rc;
}

static int add_pictures(struct document *doc, struct content *c, struct error *err)
{
    size_t i;
    json_t *item;
    int rc = 0;
    json_array_foreach(json_object_get(c->section, "pictures"), i, item) if (rc == 0) rc =
        add_picture(doc, c, item, i + 1, err);
    return rc;
}

/* ---- learning curves ---- */

static bool drawable(const json_t *value, double scale)
{
    return json_is_number(value) && fabs(json_number_value(value) * scale) <= POINT_LIMIT;
}

/* Fills x and y (n values each) from the lines of a metrics.jsonl; returns how many are whole. */
static size_t read_points(const json_t *lines, const char *x_name, const char *y_name, double scale,
                          double *x, double *y)
{
    size_t i, n = 0;
    json_t *line;
    json_array_foreach((json_t *)lines, i, line)
    {
        const json_t *a = json_object_get(line, x_name), *b = json_object_get(line, y_name);
        if (drawable(a, 1) && drawable(b, scale)) {
            x[n] = json_number_value(a);
            y[n++] = json_number_value(b) * scale;
        }
    }
    return n;
}

/* found->missing is why the line has no point. */
static int read_line(struct document *doc, struct content *c, const char *reference,
                     struct doc_line *line, struct lookup *found, struct error *err)
{
    int rc = sources_find(&c->sources, reference, found, err);
    if (rc < 0 || !found->value)
        return rc;
    /* one epoch is one line, which reads as an object */
    bool single = json_is_object(found->value);
    json_t *lines = single ? json_pack("[O]", found->value) : json_incref((json_t *)found->value);
    if (!lines)
        return error_set(err, ENOMEM, "out of memory for %s", reference);
    size_t n = json_array_size(lines);
    double *points = doc_alloc(doc, 2 * n, sizeof *points);
    line->x = points;
    line->y = points + n;
    line->n = read_points(lines, "epoch", "public_accuracy", 100, points, points + n);
    json_decref(lines);
    if (!line->n) {
        found->missing = "no points";
        found->detail = "expected JSON lines with the numbers epoch and public_accuracy";
    }
    return 0;
}

/* As "TITLE, NAME". */
static void note_line(struct text *note, const char *title, const char *name, const char *reference,
                      const struct lookup *found)
{
    struct text of = {0};
    text_print(&of, "%s%s%s", title, *title ? ", " : "", name);
    note_missing(note, text_string(&of), reference, found);
    text_free(&of);
}

static int fill_curves(struct document *doc, struct content *c, const json_t *item,
                       struct doc_plot *plot, struct text *note, struct error *err)
{
    struct doc_line *lines = doc_alloc(doc, LINE_LIMIT, sizeof *lines);
    const char *missing = not_run, *name;
    json_t *reference;
    bool any = false;
    plot->x_label = "epoch";
    plot->y_label = "public accuracy (%)";
    plot->lines = lines;
    json_object_foreach(json_object_get(item, "lines"), name, reference)
    {
        if (plot->line_count == LINE_LIMIT)
            break;
        struct lookup found;
        struct doc_line *line = &lines[plot->line_count++];
        line->name = doc_text(doc, "%s", name);
        int rc = read_line(doc, c, json_string_value(reference), line, &found, err);
        if (rc < 0)
            return rc;
        any = any || line->n;
        if (!line->n) {
            missing = strcmp(missing, not_run) == 0 ? found.missing : missing;
            note_line(note, plot->title, name, json_string_value(reference), &found);
        }
    }
    plot->missing = any ? NULL : doc_text(doc, "%s", missing);
    return 0;
}

/* ---- confusion matrices ---- */

static double count_at(const json_t *matrix, size_t row, size_t column)
{
    const json_t *x = json_array_get(json_array_get(matrix, row), column);
    return json_is_number(x) && json_number_value(x) >= 0 && json_number_value(x) < 1e9
               ? json_number_value(x)
               : -1;
}

/* Fills the plot from n arrays of n counts; -EINVAL, and what was expected, if it is anything else.
 */
static int read_matrix(struct document *doc, const json_t *matrix, struct doc_plot *plot,
                       struct error *err)
{
    size_t n = json_array_size(matrix);
    if (n < 1 || n > MATRIX_LIMIT)
        return error_set(err, EINVAL, "expected a matrix of 1 to %d rows", MATRIX_LIMIT);
    double *counts = doc_alloc(doc, n * n, sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        if (json_array_size(json_array_get(matrix, i)) != n)
            return error_set(err, EINVAL, "row %zu of the matrix: expected %zu counts", i + 1, n);
        for (size_t k = 0; k < n; k++) {
            counts[i * n + k] = count_at(matrix, i, k);
            if (counts[i * n + k] < 0)
                return error_set(err, EINVAL, "row %zu of the matrix: expected counts", i + 1);
        }
    }
    plot->counts = counts;
    plot->classes = n;
    return 0;
}

/* The names of the classes; none, with a note, if they are not as many as the matrix has. */
static void fill_names(struct document *doc, const struct content *c, struct doc_plot *plot,
                       struct text *note)
{
    const json_t *list = json_object_get(c->section, "classes");
    size_t given = json_array_size(list), n = plot->classes;
    if (!given)
        return;
    if (given != n) {
        add_note(note, plot->title,
                 doc_text(doc, "%zu class%s, but %zu name%s given", n, n == 1 ? "" : "es", given,
                          given == 1 ? " is" : "s are"));
        return;
    }
    const char **names = doc_alloc(doc, n, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        names[i] = doc_text(doc, "%s", name ? name : "");
    }
    plot->class_names = names;
}

static int fill_matrix(struct document *doc, struct content *c, const json_t *item,
                       struct doc_plot *plot, struct text *note, struct error *err)
{
    struct lookup found;
    struct error why;
    const char *reference = cells_string(item, "matrix");
    int rc = sources_find(&c->sources, reference, &found, err);
    if (rc < 0)
        return rc;
    plot->x_label = "predicted";
    plot->y_label = "true";
    if (found.value && read_matrix(doc, found.value, plot, &why) < 0) {
        found.value = NULL;
        found.missing = "not a matrix";
        found.detail = why.text;
    }
    if (found.value) {
        fill_names(doc, c, plot, note);
        return 0;
    }
    plot->missing = doc_text(doc, "%s", found.missing);
    note_missing(note, plot->title, reference, &found);
    return 0;
}

/* ---- plots, two in a row ---- */

struct plot_section {
    const char *name, *heading, *caption;
    int (*fill)(struct document *doc, struct content *c, const json_t *item, struct doc_plot *plot,
                struct text *note, struct error *err);
    double aspect;
};

static const struct plot_section plot_sections[] = {
    {"curves", "Learning curves",
     "Accuracy on the public set after each epoch of training; each plot has a scale of its own.",
     fill_curves, 0.655},
    {"confusion_matrices", "Confusion matrices",
     "Rows are the true class, columns the predicted one; the shade is the share of the row.",
     fill_matrix, 0.895},
};

static int add_row(struct document *doc, struct content *c, const struct plot_section *section,
                   size_t first, struct error *err)
{
    const json_t *list = json_object_get(c->section, section->name);
    size_t count = json_array_size(list) - first < 2 ? 1 : 2;
    struct doc_figures *row = doc_figures(doc, count);
    struct text note = {0};
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < count; k++) {
        const json_t *item = json_array_get(list, first + k);
        struct doc_plot *plot = doc_alloc(doc, 1, sizeof *plot);
        plot->title = doc_text(doc, "%s", cells_string(item, "title"));
        row->items[k] = (struct doc_figure){
            .name = doc_text(doc, "%s-%zu", section->name, first + k + 1),
            .caption = "",
            .alternative = doc_text(doc, "%s: %s", section->heading, plot->title),
            .plot = plot,
            .width = 0.5,
            .aspect = section->aspect,
        };
        rc = section->fill(doc, c, item, plot, &note, err);
    }
    row->note = doc_text(doc, "%s", text_string(&note));
    text_free(&note);
    return rc;
}

static int add_plots(struct document *doc, struct content *c, const struct plot_section *section,
                     struct error *err)
{
    size_t n = json_array_size(json_object_get(c->section, section->name));
    int rc = 0;
    if (n == 0)
        return 0;
    doc_heading(doc, 2, NULL, section->heading);
    doc_paragraph(doc, STYLE_SMALL, section->caption);
    for (size_t i = 0; rc == 0 && i < n; i += 2)
        rc = add_row(doc, c, section, i, err);
    return rc;
}

int content_figures(struct document *doc, struct content *c, struct error *err)
{
    enum { SECTIONS = sizeof plot_sections / sizeof *plot_sections };
    size_t figures = json_array_size(json_object_get(c->section, "pictures"));
    int rc = 0;
    for (size_t i = 0; i < SECTIONS; i++)
        figures += json_array_size(json_object_get(c->section, plot_sections[i].name));
    if (!figures)
        return 0;
    doc_new_page(doc);
    doc_heading(doc, 1, "figures", "Figures");
    doc_paragraph(doc, STYLE_SMALL, cells_string(c->cells, "notice"));
    if (cells_have_means(json_object_get(c->cells, "tables")))
        doc_paragraph(doc, STYLE_SMALL,
                      "Numbers in the tables are means of several runs; a figure shows one run.");
    for (size_t i = 0; rc == 0 && i < SECTIONS; i++)
        rc = add_plots(doc, c, &plot_sections[i], err);
    return rc < 0 ? rc : add_pictures(doc, c, err);
}
