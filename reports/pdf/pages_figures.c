/* The figures: pictures, learning curves, confusion matrices. What can't be shown says why in its
 * place: a program may write anything. */
#include "reports/pdf/pages.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/picture.h"
#include "reports/plots.h"

enum { LINE_LIMIT = 8 };

static const double POINT_LIMIT = 1e100; /* gnuplot fails at what lies near the largest double */
static const char not_run[] = "not run";

/* What stands below a figure: "TITLE: TEXT." */
static void add_note(struct text *note, const char *title, const char *text)
{
    text_print(note, "%s%s%s%s.", note->size ? " " : "", title, *title ? ": " : "", text);
}

/* Why the reference gave nothing, below the figure; that its stage did not run stands in it. */
static void note_missing(struct text *note, const char *title, const char *reference,
                         const struct found *found)
{
    struct text why = {0};
    if (strcmp(found->missing, not_run) == 0)
        return;
    text_print(&why, "%s: %s", reference, found->detail ? found->detail : found->missing);
    add_note(note, title, text_string(&why));
    note->failed = note->failed || why.failed;
    text_free(&why);
}

/* ---- contact sheets ---- */

/* The picture's place, with what is wrong instead of it. */
static void put_words(struct report *r, const json_t *sheet, const char *words)
{
    struct text line = {0};
    if (strcmp(words, not_run) != 0)
        text_print(&line, "%s: ", cells_string(sheet, "file"));
    text_add(&line, words);
    layout_heading(&r->page, 2, cells_string(sheet, "title"), 60);
    layout_small(&r->page, text_string(&line));
    text_free(&line);
}

static int put_sheet(struct report *r, const json_t *sheet, size_t i, struct error *err)
{
    struct found found;
    char *png, *pdf = NULL;
    const char *title = cells_string(sheet, "title");
    int rc = sources_path(&r->sources, cells_string(sheet, "file"), &found, &png, err);
    if (rc < 0)
        return rc;
    if (!png) {
        put_words(r, sheet, found.missing);
        return 0;
    }
    struct placed placed = {0};
    struct error why;
    pdf = file_path("%s/sheet-%zu.pdf", r->plots, i + 1);
    rc = pdf ? picture_to_pdf(png, pdf, PAGE_WIDTH, 620, &placed.width, &placed.height, &why)
             : error_set(err, ENOMEM, "out of memory");
    placed.path = pdf;
    if (pdf && rc == -EINVAL) {
        put_words(r, sheet, why.text);
        rc = 0;
    } else if (rc == 0) {
        layout_heading(&r->page, 2, title, placed.height + 90);
        layout_pictures(&r->page, &placed, 1, 0, cells_string(sheet, "caption"));
    }
    if (pdf && rc < 0)
        error_set(err, -rc, "%s: %s", cells_string(sheet, "file"), why.text);
    free(pdf);
    free(png);
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

/* found->missing says why the line has no point. */
static int read_line(struct report *r, const char *reference, struct plot_line *line,
                     struct found *found, struct error *err)
{
    int rc = sources_find(&r->sources, reference, found, err);
    if (rc < 0 || !found->value)
        return rc;
    /* one epoch is one line, which reads as an object */
    bool single = json_is_object(found->value);
    json_t *lines = single ? json_pack("[O]", found->value) : json_incref((json_t *)found->value);
    size_t n = json_array_size(lines);
    double *points = calloc(2 * n + 1, sizeof *points);
    if (!lines || !points) {
        json_decref(lines);
        free(points);
        return error_set(err, ENOMEM, "out of memory for %s", reference);
    }
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
                      const struct found *found)
{
    struct text of = {0};
    text_print(&of, "%s%s%s", title, *title ? ", " : "", name);
    note_missing(note, text_string(&of), reference, found);
    note->failed = note->failed || of.failed;
    text_free(&of);
}

static int make_curves(struct report *r, const json_t *curves, const char *path, double width,
                       double height, struct text *note, struct error *err)
{
    struct plot_line lines[LINE_LIMIT] = {{0}};
    const char *nothing = not_run, *title = cells_string(curves, "title");
    size_t n = 0;
    const char *name;
    json_t *reference;
    int rc = 0;
    json_object_foreach(json_object_get(curves, "lines"), name, reference)
    {
        if (n == LINE_LIMIT || rc < 0)
            break;
        struct found found;
        lines[n].name = name;
        rc = read_line(r, json_string_value(reference), &lines[n], &found, err);
        if (rc == 0 && !lines[n].n) {
            nothing = strcmp(nothing, not_run) == 0 ? found.missing : nothing;
            note_line(note, title, name, json_string_value(reference), &found);
        }
        n++;
    }
    if (rc == 0)
        rc = plot_curves(path, title, "epoch", "public accuracy (%)", lines, n, nothing, width,
                         height, err);
    for (size_t i = 0; i < n; i++)
        free((double *)lines[i].x);
    return rc;
}

/* ---- confusion matrices ---- */

/* The names of the classes, or NULL, with a note, if they are not as many as the matrix has. */
static const json_t *class_names(const struct report *r, const char *title, size_t n,
                                 struct text *note)
{
    const json_t *names = json_object_get(r->section, "classes");
    size_t given = json_array_size(names);
    char text[100];
    if (given == n || !given)
        return names;
    snprintf(text, sizeof text, "%zu class%s, but %zu name%s given", n, n == 1 ? "" : "es", given,
             given == 1 ? " is" : "s are");
    add_note(note, title, text);
    return NULL;
}

static int make_confusion(struct report *r, const json_t *item, const char *path, double width,
                          double height, struct text *note, struct error *err)
{
    struct found found;
    struct error why;
    const char *title = cells_string(item, "title"), *reference = cells_string(item, "matrix");
    int rc = sources_find(&r->sources, reference, &found, err);
    if (rc < 0)
        return rc;
    if (found.value && plot_check_matrix(found.value, &why) < 0) {
        found.value = NULL;
        found.missing = "not a matrix";
        found.detail = why.text;
    }
    if (!found.value) {
        note_missing(note, title, reference, &found);
        return plot_curves(path, title, "predicted", "true", NULL, 0, found.missing, width, height,
                           err);
    }
    return plot_confusion(path, title, found.value,
                          class_names(r, title, json_array_size(found.value), note), width, height,
                          err);
}

typedef int (*maker)(struct report *r, const json_t *item, const char *path, double width,
                     double height, struct text *note, struct error *err);

/* Makes the plots of items i and i + 1, if there are two, and puts them side by side. */
static int put_row(struct report *r, const char *section, size_t i, maker make, double height,
                   struct error *err)
{
    const json_t *list = json_object_get(r->section, section);
    const double gap = 13, width = (PAGE_WIDTH - gap) / 2;
    struct placed pair[2] = {{0}};
    struct text note = {0};
    char *paths[2] = {NULL, NULL};
    size_t count = json_array_size(list) - i < 2 ? 1 : 2;
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < count; k++) {
        paths[k] = file_path("%s/%s-%zu.pdf", r->plots, section, i + k + 1);
        pair[k] = (struct placed){paths[k], width, height};
        rc = paths[k] ? make(r, json_array_get(list, i + k), paths[k], width, height, &note, err)
                      : error_set(err, ENOMEM, "out of memory");
    }
    if (rc == 0)
        layout_pictures(&r->page, pair, count, gap, text_string(&note));
    r->page.failed = r->page.failed || note.failed;
    text_free(&note);
    free(paths[0]);
    free(paths[1]);
    return rc;
}

/* Plots two in a row. */
static int put_plots(struct report *r, const char *section, const char *heading,
                     const char *caption, maker make, double height, struct error *err)
{
    size_t n = json_array_size(json_object_get(r->section, section));
    int rc = 0;
    if (n == 0)
        return 0;
    layout_heading(&r->page, 2, heading, height + 90);
    layout_small(&r->page, caption);
    for (size_t i = 0; rc == 0 && i < n; i += 2)
        rc = put_row(r, section, i, make, height, err);
    return rc;
}

int pages_figures(struct report *r, struct error *err)
{
    const json_t *sheets = json_object_get(r->section, "pictures");
    size_t i;
    json_t *sheet;
    if (!json_array_size(sheets) && !json_array_size(json_object_get(r->section, "curves")) &&
        !json_array_size(json_object_get(r->section, "confusion_matrices")))
        return 0;
    layout_new_page(&r->page);
    layout_heading(&r->page, 1, "Figures", 200);
    layout_small(&r->page, pages_notice(r));
    int rc = put_plots(r, "curves", "Learning curves",
                       "Accuracy on the public set after each epoch of training; each plot has a "
                       "scale of its own.",
                       make_curves, 150, err);
    if (rc == 0)
        rc = put_plots(r, "confusion_matrices", "Confusion matrices",
                       "Rows are the true class, columns the predicted one; the shade is the share "
                       "of the row.",
                       make_confusion, 205, err);
    json_array_foreach((json_t *)sheets, i, sheet)
    {
        if (rc < 0)
            return rc;
        rc = put_sheet(r, sheet, i, err);
    }
    return rc;
}
