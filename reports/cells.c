/* See cells.h. A table is first evaluated into an array of struct cell, since sums need their
 * neighbours, and then becomes JSON. */
#include "reports/cells.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cell_values.h"
#include "reports/number.h"

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
    int rc = cell_read(cell, s, value, setting(g, row, column, "over"),
                       number_setting(g, row, column, "scale", 1), err);
    if (rc < 0)
        error_prefix(err, "tables.%s: cell %s/%s", g->id, row_id, column_id);
    return rc;
}

bool cells_is_ours(const json_t *cell)
{
    return json_object_get(cell, "ours") || json_object_get(cell, "missing");
}

size_t cells_over_count(const json_t *cell)
{
    return (size_t)json_integer_value(json_object_get(json_object_get(cell, "over"), "n"));
}

bool cells_have_means(const json_t *tables)
{
    size_t i, r, c;
    json_t *table, *row, *cell;
    json_array_foreach((json_t *)tables, i, table)
        json_array_foreach(json_object_get(table, "rows"), r, row)
            json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        if (cells_over_count(cell) > 1)
            return true;
    }
    return false;
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

/* The first term that is over an axis; NULL if there is none, or if another term is over another
 * axis. */
static const struct cell *common_axis(const json_t *terms, const json_t *names,
                                      const struct cell *first, size_t step)
{
    const struct cell *found = NULL;
    for (size_t i = 0; i < json_array_size(terms); i++) {
        double sign;
        const struct cell *part =
            first + (size_t)term_index(json_array_get(terms, i), names, &sign) * step;
        if (!part->axis)
            continue;
        if (found && (strcmp(found->axis, part->axis) != 0 ||
                      !json_equal(found->axis_values, part->axis_values)))
            return NULL;
        found = found ? found : part;
    }
    return found;
}

/* Adds up the numbers of each value of the axis, so that the sum has a deviation too. */
static int add_values(const json_t *terms, const json_t *names, const struct cell *first,
                      size_t step, struct cell *sum, struct error *err)
{
    free(sum->values); /* where a row and a column of sums cross, a cell is summed twice */
    sum->values = NULL;
    sum->axis = NULL;
    sum->count = 0;
    const struct cell *over = common_axis(terms, names, first, step);
    if (!over)
        return 0;
    sum->values = calloc(over->count, sizeof *sum->values);
    if (!sum->values)
        return error_set(err, ENOMEM, "out of memory");
    sum->axis = over->axis;
    sum->axis_values = over->axis_values;
    sum->count = over->count;
    for (size_t i = 0; i < json_array_size(terms); i++) {
        double sign;
        const struct cell *part =
            first + (size_t)term_index(json_array_get(terms, i), names, &sign) * step;
        for (size_t k = 0; k < sum->count; k++)
            sum->values[k] += sign * (part->axis ? part->values[k] : part->ours);
    }
    return 0;
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
    if (!missing && add_values(terms, names, first, step, sum, err) < 0)
        return -ENOMEM;
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

static json_t *source_json(const struct cell_source *source)
{
    if (!source->entry)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s}", "stage", cells_string(source->entry, "stage"), "port",
                     cells_string(source->entry, "port"), "key", cells_string(source->entry, "key"),
                     "pointer", source->pointer);
}

/* Adds where the number is from: the first place and, over an axis, all of them. */
static void add_sources(json_t *json, const struct cell *cell)
{
    json_t *first = cell->sources ? source_json(&cell->sources[cell->first]) : NULL;
    if (first)
        json_object_set_new(json, "source", first);
    if (!cell->sources || cell->count < 2)
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < cell->count; i++) {
        json_t *source = source_json(&cell->sources[i]);
        if (source && cell->has_ours)
            json_object_set_new(source, "ours", json_real(cell->values[i]));
        if (source)
            json_array_append_new(list, source);
    }
    json_object_set_new(json, "sources", list);
}

/* Adds the mean and deviation over the axis. */
static void add_over(json_t *json, const struct cell *cell)
{
    if (!cell->axis || !cell->has_ours)
        return;
    struct cell_summary s = cell_summary(cell->values, cell->count);
    json_t *over =
        json_pack("{s:s, s:O, s:I, s:f, s:f, s:f}", "axis", cell->axis, "values", cell->axis_values,
                  "n", (json_int_t)cell->count, "mean", cell->ours, "min", s.least, "max", s.most);
    if (cell->count > 1)
        json_object_set_new(over, "sd", json_real(s.deviation));
    json_object_set_new(json, "over", over);
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

/* How the numbers of a cell are shown. */
struct display {
    int digits, paper_digits;
    bool commas;
    const char *unit;
};

static struct display find_display(const struct grid *g, const json_t *row, const json_t *column)
{
    int digits = (int)number_setting(g, row, column, "digits", 2);
    const char *unit = json_string_value(setting(g, row, column, "unit"));
    return (struct display){
        .digits = digits,
        .paper_digits = (int)number_setting(g, row, column, "paper_digits", digits),
        .commas = json_is_true(setting(g, row, column, "commas")),
        .unit = unit ? unit : "",
    };
}

static void set_number(json_t *text, const char *name, double x, const struct display *d)
{
    char shown[NUMBER_SIZE];
    number_format(shown, x, d->digits, false, d->commas);
    json_object_set_new(text, name, json_string(shown));
}

/* Adds the texts of a mean over several values. */
static void add_over_text(json_t *text, const struct cell *cell, const struct display *d)
{
    if (!cell->has_ours || !cell->axis || cell->count < 2)
        return;
    struct cell_summary s = cell_summary(cell->values, cell->count);
    set_number(text, "mean", cell->ours, d);
    set_number(text, "sd", s.deviation, d);
    set_number(text, "min", s.least, d);
    set_number(text, "max", s.most, d);
    json_object_set_new(
        text, "ours",
        json_sprintf("%s \u00b1 %s", cells_string(text, "mean"), cells_string(text, "sd")));
}

static json_t *text_json(const struct cell *cell, const struct display *d)
{
    char ours[NUMBER_SIZE] = "", paper[NUMBER_SIZE] = "", difference[NUMBER_SIZE] = "";
    if (cell->has_ours)
        number_format(ours, cell->ours, d->digits, false, d->commas);
    if (cell->has_paper)
        number_format(paper, cell->paper, d->paper_digits, false, d->commas);
    if (cell->has_ours && cell->has_paper)
        number_format(difference, number_round(cell->ours, d->digits) - cell->paper, d->digits,
                      true, d->commas);
    json_t *text = json_pack("{s:s, s:s, s:s}", "ours",
                             cell->has_ours  ? ours
                             : cell->missing ? cell->missing
                                             : "",
                             "paper", paper, "difference", difference);
    add_over_text(text, cell, d);
    return text;
}

static json_t *cell_json(const struct grid *g, const json_t *row, const json_t *column,
                         const char *column_id, const struct cell *cell)
{
    struct display d = find_display(g, row, column);
    json_t *json =
        json_pack("{s:s, s:i, s:s}", "column", column_id, "digits", d.digits, "unit", d.unit);
    if (!json)
        return NULL;
    if (cell->has_ours)
        json_object_set_new(json, "ours", json_real(cell->ours));
    if (cell->has_paper)
        json_object_set_new(json, "paper", json_real(cell->paper));
    if (cell->has_ours && cell->has_paper)
        json_object_set_new(
            json, "difference",
            json_real(number_round(number_round(cell->ours, d.digits) - cell->paper, d.digits)));
    json_object_set_new(json, "scale", json_real(number_setting(g, row, column, "scale", 1)));
    double paper_n = number_setting(g, row, column, "paper_n", 0);
    if (cell->has_paper && paper_n > 0)
        json_object_set_new(json, "paper_n", json_real(paper_n));
    add_uncertainty(json, cell);
    add_over(json, cell);
    add_missing(json, cell);
    if (cell->outcomes)
        json_object_set(json, "outcomes", cell->outcomes);
    add_sources(json, cell);
    json_object_set_new(json, "text", text_json(cell, &d));
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
        cell_free(&g.cells[i]);
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
