/* See cells.h. A table is first evaluated into an array of struct cell, since sums need their
 * neighbours, and then becomes JSON. */
#include "reports/cells.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reports/number.h"

struct cell {
    bool has_ours, has_paper;
    double ours, paper;            /* scaled */
    double n;                      /* images an accuracy is over; 0: not an accuracy */
    double quartiles[2];           /* of repeats that ours is the median of, scaled; both 0: none */
    double standard_error, spread; /* of ours, scaled; see cells.h; 0: none */
    const char *missing, *detail;  /* see struct lookup */
    const json_t *entry;           /* its source */
    const char *pointer;
    json_t *outcomes; /* see cells.h; NULL: none */
};

struct grid {
    const char *id;
    const json_t *table, *rows, *columns, *paper;
    size_t height, width;
    struct cell *cells; /* height x width */
};

const char *cells_string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* A setting of the row, else of the column, else of the table. */
static const json_t *setting(const struct grid *g, const json_t *row, const json_t *column,
                             const char *name)
{
    const json_t *value = json_object_get(row, name);
    if (!value)
        value = json_object_get(column, name);
    return value ? value : json_object_get(g->table, name);
}

static double number_setting(const struct grid *g, const json_t *row, const json_t *column,
                             const char *name, double otherwise)
{
    const json_t *value = setting(g, row, column, name);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static bool is_digits(const json_t *text, double n)
{
    const char *s = json_string_value(text);
    return s && (double)json_string_length(text) == n && strspn(s, "0123456789") == strlen(s);
}

/* Keeps the object of an accuracy that has the outcome of each of its n images. */
static int set_outcomes(struct cell *cell, const json_t *from)
{
    if (cell->n < 1 || !is_digits(json_object_get(from, "truth"), cell->n) ||
        !is_digits(json_object_get(from, "predicted"), cell->n))
        return 0;
    cell->outcomes = json_array();
    return json_array_append(cell->outcomes, (json_t *)from);
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : 0;
}

/* An accuracy is the share p of n images: its standard error is sqrt(p (1 - p) / n). */
static void set_accuracy(struct cell *cell, const json_t *from, double scale)
{
    double p = number_of(from, "accuracy"), n = number_of(from, "n");
    cell->n = n;
    if (n > 0 && p >= 0 && p <= 1)
        cell->standard_error = fabs(scale) * sqrt(p * (1 - p) / n);
}

/* The uncertainty of a median of repeats is the distance of the farther quartile. */
static void set_median(struct cell *cell, const json_t *from, double scale)
{
    double median = number_of(from, "median"), first = number_of(from, "first_quartile"),
           third = number_of(from, "third_quartile");
    double spread = fabs(scale) * fmax(median - first, third - median);
    if ((first > 0 || third > 0) && isfinite(spread)) {
        cell->quartiles[0] = scale * first;
        cell->quartiles[1] = scale * third;
        cell->spread = fmax(spread, 0);
    }
}

/* Sets the uncertainty from the fields beside the number in its file: `n` beside `accuracy`, the
 * quartiles beside `median`. */
static int read_uncertainty(struct sources *s, const char *reference, double scale,
                            struct cell *cell, struct error *err)
{
    const char *slash = strrchr(reference, '/'), *name = slash ? slash + 1 : "";
    bool accuracy = strcmp(name, "accuracy") == 0, median = strcmp(name, "median") == 0;
    if (!accuracy && !median)
        return 0;
    char *above = strndup(reference, (size_t)(slash - reference));
    if (!above)
        return error_set(err, ENOMEM, "out of memory at %s", reference);
    struct lookup found;
    int rc = sources_find(s, above, &found, err);
    free(above);
    if (rc == 0 && accuracy) {
        set_accuracy(cell, found.value, scale);
        if (set_outcomes(cell, found.value) < 0)
            rc = error_set(err, ENOMEM, "out of memory at %s", reference);
    } else if (rc == 0)
        set_median(cell, found.value, scale);
    return rc;
}

static int read_cell(const struct grid *g, struct sources *s, const char *row_id, const json_t *row,
                     const char *column_id, const json_t *column, struct cell *cell,
                     struct error *err)
{
    const json_t *paper = json_object_get(json_object_get(g->paper, row_id), column_id);
    if (json_is_number(paper)) {
        cell->paper = json_number_value(paper) * number_setting(g, row, column, "paper_scale", 1);
        cell->has_paper = isfinite(cell->paper);
    }
    if (json_object_get(row, "sum") || json_object_get(column, "sum"))
        return 0;
    const json_t *cells = json_object_get(g->table, "cells");
    const json_t *value = json_object_get(json_object_get(cells, row_id), column_id);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return error_set(err, EINVAL, "tables.%s: cell %s/%s: expected a reference or null", g->id,
                         row_id, column_id);
    const char *reference = json_string_value(value);
    struct lookup found;
    int rc = sources_find(s, reference, &found, err);
    if (rc < 0) {
        error_prefix(err, "tables.%s: cell %s/%s", g->id, row_id, column_id);
        return rc;
    }
    cell->entry = found.entry;
    cell->pointer = found.pointer;
    cell->missing = found.missing;
    cell->detail = found.detail;
    if (found.missing)
        return 0;
    double scale = number_setting(g, row, column, "scale", 1);
    double x = json_number_value(found.value) * scale;
    cell->has_ours = json_is_number(found.value) && isfinite(x);
    if (!cell->has_ours) {
        cell->missing = "not a number";
        return 0;
    }
    cell->ours = x;
    return read_uncertainty(s, reference, scale, cell, err);
}

bool cells_is_ours(const json_t *cell)
{
    return json_object_get(cell, "ours") || json_object_get(cell, "missing");
}

long cells_index(const json_t *object, const char *name)
{
    const char *key;
    json_t *value;
    long i = 0;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcmp(key, name) == 0)
            return i;
        i++;
    }
    return -1;
}

/* The term's index among the names, with its sign; -1 if there is none. */
static long term_index(const json_t *term, const json_t *names, double *sign)
{
    const char *name = json_string_value(term);
    *sign = name && *name == '-' ? -1 : 1;
    return name ? cells_index(names, name + (*sign < 0)) : -1;
}

/* In a sum, standard errors of independent numbers add in squares, and spreads of medians add up. A
 * cell that occurs twice is one number times two, not two independent numbers. */
static void add_uncertainties(const json_t *terms, const json_t *names, const struct cell *first,
                              size_t step, struct cell *sum)
{
    double variance = 0, spread = 0;
    size_t n = json_array_size(terms);
    for (size_t i = 0; i < n; i++) {
        double sign, factor = 0;
        bool counted = false;
        long at = term_index(json_array_get(terms, i), names, &sign);
        for (size_t k = 0; k < n && !counted; k++) {
            bool same = term_index(json_array_get(terms, k), names, &sign) == at;
            counted = same && k < i;
            factor += same ? sign : 0;
        }
        const struct cell *part = first + (size_t)at * step;
        if (counted)
            continue;
        variance += factor * factor * part->standard_error * part->standard_error;
        spread += fabs(factor) * part->spread;
    }
    sum->standard_error = sqrt(variance);
    sum->spread = spread;
}

/* Adds up the cells that `terms` names, `step` cells apart, starting at first. */
static int add_terms(const struct grid *g, const json_t *terms, const json_t *names,
                     const struct cell *first, size_t step, struct cell *sum, struct error *err)
{
    size_t i;
    json_t *term;
    bool own_paper = sum->has_paper, paper = true, any_ours = false;
    double ours = 0, papers = 0;
    const char *missing = NULL;
    json_array_foreach((json_t *)terms, i, term)
    {
        double sign;
        long at = term_index(term, names, &sign);
        const char *name = json_string_value(term);
        if (at < 0)
            return error_set(err, EINVAL, "tables.%s: sum: no row or column '%s'", g->id,
                             name ? name : "");
        const struct cell *part = first + (size_t)at * step;
        any_ours = any_ours || part->has_ours || part->missing;
        if (part->has_ours)
            ours += sign * part->ours;
        else if (!missing)
            missing = part->missing ? part->missing : "not ours";
        papers += sign * part->paper;
        paper = paper && part->has_paper;
    }
    sum->has_ours = !missing;
    sum->missing = any_ours ? missing : NULL; /* a sum of the paper's numbers alone isn't missing */
    sum->ours = ours;
    if (!missing)
        add_uncertainties(terms, names, first, step, sum);
    if (!own_paper && paper) {
        sum->has_paper = true;
        sum->paper = papers;
    }
    return 0;
}

/* Fills rows that are sums of rows, then columns that are sums of columns. */
static int add_sums(struct grid *g, struct error *err)
{
    const char *id;
    json_t *item;
    size_t i = 0;
    int rc = 0;
    json_object_foreach((json_t *)g->rows, id, item)
    {
        const json_t *terms = json_object_get(item, "sum");
        for (size_t c = 0; terms && rc == 0 && c < g->width; c++)
            rc = add_terms(g, terms, g->rows, g->cells + c, g->width, &g->cells[i * g->width + c],
                           err);
        i++;
    }
    i = 0;
    json_object_foreach((json_t *)g->columns, id, item)
    {
        const json_t *terms = json_object_get(item, "sum");
        for (size_t r = 0; terms && rc == 0 && r < g->height; r++)
            rc = add_terms(g, terms, g->columns, g->cells + r * g->width, 1,
                           &g->cells[r * g->width + i], err);
        i++;
    }
    return rc;
}

static json_t *source_json(const struct cell *cell)
{
    if (!cell->entry)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s}", "stage", cells_string(cell->entry, "stage"), "port",
                     cells_string(cell->entry, "port"), "key", cells_string(cell->entry, "key"),
                     "pointer", cell->pointer);
}

/* Adds the fields of the uncertainty that are known. */
static void add_uncertainty(json_t *json, const struct cell *cell)
{
    if (cell->n > 0)
        json_object_set_new(json, "n", json_real(cell->n));
    if (cell->quartiles[0] > 0 || cell->quartiles[1] > 0)
        json_object_set_new(json, "quartiles",
                            json_pack("[f,f]", cell->quartiles[0], cell->quartiles[1]));
    if (cell->standard_error > 0)
        json_object_set_new(json, "standard_error", json_real(cell->standard_error));
    if (cell->spread > 0)
        json_object_set_new(json, "spread", json_real(cell->spread));
}

static void add_missing(json_t *json, const struct cell *cell)
{
    if (!cell->has_ours && cell->missing)
        json_object_set_new(json, "missing", json_string(cell->missing));
    if (!cell->has_ours && cell->detail)
        json_object_set_new(json, "detail", json_string(cell->detail));
}

static json_t *cell_json(const struct grid *g, const json_t *row, const json_t *column,
                         const char *column_id, const struct cell *cell)
{
    int digits = (int)number_setting(g, row, column, "digits", 2);
    int paper_digits = (int)number_setting(g, row, column, "paper_digits", digits);
    bool commas = json_is_true(setting(g, row, column, "commas"));
    const char *unit = json_string_value(setting(g, row, column, "unit"));
    char ours[NUMBER_SIZE] = "", paper[NUMBER_SIZE] = "", difference[NUMBER_SIZE] = "";
    json_t *json = json_pack("{s:s, s:i, s:s}", "column", column_id, "digits", digits, "unit",
                             unit ? unit : "");
    if (!json)
        return NULL;
    if (cell->has_ours) {
        number_format(ours, cell->ours, digits, false, commas);
        json_object_set_new(json, "ours", json_real(cell->ours));
    }
    if (cell->has_paper) {
        number_format(paper, cell->paper, paper_digits, false, commas);
        json_object_set_new(json, "paper", json_real(cell->paper));
    }
    if (cell->has_ours && cell->has_paper) {
        double d = number_round(cell->ours, digits) - cell->paper;
        number_format(difference, d, digits, true, commas);
        json_object_set_new(json, "difference", json_real(number_round(d, digits)));
    }
    json_object_set_new(json, "scale", json_real(number_setting(g, row, column, "scale", 1)));
    double paper_n = number_setting(g, row, column, "paper_n", 0);
    if (cell->has_paper && paper_n > 0)
        json_object_set_new(json, "paper_n", json_real(paper_n));
    add_uncertainty(json, cell);
    add_missing(json, cell);
    if (cell->outcomes)
        json_object_set(json, "outcomes", cell->outcomes);
    json_t *source = source_json(cell);
    if (source)
        json_object_set_new(json, "source", source);
    json_object_set_new(json, "text",
                        json_pack("{s:s, s:s, s:s}", "ours",
                                  cell->has_ours  ? ours
                                  : cell->missing ? cell->missing
                                                  : "",
                                  "paper", paper, "difference", difference));
    return json;
}

static json_t *row_json(const struct grid *g, const char *id, const json_t *row, size_t r)
{
    json_t *cells = json_array();
    const char *column_id;
    json_t *column;
    size_t c = 0;
    json_object_foreach((json_t *)g->columns, column_id, column) json_array_append_new(
        cells, cell_json(g, row, column, column_id, &g->cells[r * g->width + c++]));
    const char *label = cells_string(row, "label");
    return json_pack("{s:s, s:s, s:s, s:b, s:o}", "id", id, "label", *label ? label : id, "group",
                     cells_string(row, "group"), "bold", json_is_true(json_object_get(row, "bold")),
                     "cells", cells);
}

static json_t *grid_json(const struct grid *g)
{
    json_t *rows = json_array(), *columns = json_array();
    const char *id;
    json_t *item;
    size_t r = 0;
    json_object_foreach((json_t *)g->rows, id, item)
        json_array_append_new(rows, row_json(g, id, item, r++));
    json_object_foreach((json_t *)g->columns, id, item)
    {
        const char *label = cells_string(item, "label");
        json_array_append_new(columns,
                              json_pack("{s:s, s:s, s:s}", "id", id, "label", *label ? label : id,
                                        "group", cells_string(item, "group")));
    }
    const char *title = cells_string(g->table, "title");
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "id", g->id, "title",
                     *title ? title : g->id, "name", cells_string(g->table, "name"), "note",
                     cells_string(g->table, "note"), "row_header",
                     cells_string(g->table, "row_header"), "columns", columns, "rows", rows);
}

static int evaluate_grid(struct grid *g, struct sources *sources, struct error *err)
{
    const char *row_id, *column_id;
    json_t *row, *column;
    struct cell *cell = g->cells;
    json_object_foreach((json_t *)g->rows, row_id, row)
        json_object_foreach((json_t *)g->columns, column_id, column)
    {
        int rc = read_cell(g, sources, row_id, row, column_id, column, cell++, err);
        if (rc < 0)
            return rc;
    }
    return add_sums(g, err);
}

static int evaluate_table(const char *id, const json_t *table, const json_t *paper,
                          struct sources *sources, json_t *tables, struct error *err)
{
    struct grid g = {.id = id,
                     .table = table,
                     .paper = paper,
                     .rows = json_object_get(table, "rows"),
                     .columns = json_object_get(table, "columns")};
    g.height = json_object_size(g.rows);
    g.width = json_object_size(g.columns);
    if (!g.height || !g.width || g.height > CELLS_ROW_LIMIT || g.width > CELLS_COLUMN_LIMIT)
        return error_set(err, EINVAL, "tables.%s: expected 1 to %d rows and 1 to %d columns", id,
                         CELLS_ROW_LIMIT, CELLS_COLUMN_LIMIT);
    g.cells = calloc(g.height * g.width, sizeof *g.cells);
    if (!g.cells)
        return error_set(err, ENOMEM, "out of memory at tables.%s", id);
    int rc = evaluate_grid(&g, sources, err);
    if (rc == 0 && json_array_append_new(tables, grid_json(&g)) < 0)
        rc = error_set(err, ENOMEM, "out of memory at tables.%s", id);
    for (size_t i = 0; i < g.height * g.width; i++)
        json_decref(g.cells[i].outcomes);
    free(g.cells);
    return rc;
}

int cells_evaluate(const json_t *tables_section, const json_t *paper, struct sources *sources,
                   json_t **tables, struct error *err)
{
    *tables = json_array();
    if (!*tables)
        return error_set(err, ENOMEM, "out of memory");
    const char *id;
    json_t *table;
    int rc = 0;
    json_object_foreach((json_t *)tables_section, id, table)
    {
        rc = evaluate_table(id, table, json_object_get(paper, id), sources, *tables, err);
        if (rc < 0) {
            json_decref(*tables);
            *tables = NULL;
            return rc;
        }
    }
    return 0;
}

void cells_strip(json_t *tables)
{
    size_t i, r, c;
    json_t *table, *row, *cell;
    json_array_foreach(tables, i, table) json_array_foreach(json_object_get(table, "rows"), r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
            json_object_del(cell, "outcomes");
}
