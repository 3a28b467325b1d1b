/* Where each number came from. */
#include "reports/pdf/pages.h"

#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/pdf/layout.h"
#include "reports/number.h"
#include "reports/pdf/troff.h"

enum { SHORT_KEY = 12 };

/* ---- the stages, each once ---- */

static const char *stage_name(const json_t *entry)
{
    const char *name = cells_string(entry, "stage");
    return *name ? name : cells_string(entry, "name");
}

/* The entries of a list, one a stage, in their order. Borrowed entries; the caller frees what is
 * returned, NULL when memory is out. */
static const json_t **list_stages(const json_t *list, size_t *count)
{
    size_t i, n = json_array_size(list);
    const json_t **stages = calloc(n ? n : 1, sizeof(const json_t *));
    json_t *entry;
    *count = 0;
    if (!stages)
        return NULL;
    json_t *seen = json_object();
    json_array_foreach((json_t *)list, i, entry)
    {
        const char *name = stage_name(entry);
        if (json_object_get(seen, name))
            continue;
        json_object_set_new(seen, name, json_true());
        stages[(*count)++] = entry;
    }
    json_decref(seen);
    return stages;
}

/* Brings n stages into the order in which a list has them: that of the run. */
static void order_stages(const json_t **stages, size_t n, const json_t *list)
{
    size_t i, next = 0;
    json_t *entry;
    json_array_foreach((json_t *)list, i, entry) for (size_t k = next; k < n; k++)
    {
        if (strcmp(stage_name(stages[k]), stage_name(entry)) != 0)
            continue;
        const json_t *found = stages[k];
        memmove(stages + next + 1, stages + next, (k - next) * sizeof *stages);
        stages[next++] = found;
        break;
    }
}

static bool is_missing(const json_t *entry)
{
    return json_is_true(json_object_get(entry, "missing"));
}

static double number_of(const json_t *entry, const char *name)
{
    const json_t *value = json_object_get(entry, name);
    return json_is_number(value) ? json_number_value(value) : -1;
}

/* ---- time and memory by kind ---- */

static void put_kind(struct text *t, const char *kind, const json_t **stages, size_t n)
{
    double seconds = 0, longest = 0, peak = 0;
    size_t count = 0;
    char numbers[4][NUMBER_SIZE];
    for (size_t i = 0; i < n; i++) {
        if (is_missing(stages[i]) || strcmp(cells_string(stages[i], "kind"), kind) != 0)
            continue;
        double s = number_of(stages[i], "seconds"), p = number_of(stages[i], "peak_bytes");
        seconds += s > 0 ? s : 0;
        longest = s > longest ? s : longest;
        peak = p > peak ? p : peak;
        count++;
    }
    number_format(numbers[0], (double)count, 0, false, true);
    number_seconds(numbers[1], seconds);
    number_seconds(numbers[2], longest);
    number_bytes(numbers[3], peak);
    layout_put(t, 0, ALIGN_LEFT, &look_plain, 8.5, kind, 150);
    for (int k = 0; k < 4; k++)
        layout_put(t, 190 + 80 * k, ALIGN_RIGHT, &look_plain, 8.5, numbers[k], 78);
    layout_end_line(t);
}

static void put_kinds(struct text *t, const json_t **stages, size_t n)
{
    static const char *const heads[] = {"stages", "time, all", "longest", "peak memory"};
    json_t *seen = json_object();
    layout_begin_lines(t, 8.5, 12.5, 200);
    layout_put(t, 0, ALIGN_LEFT, &look_strong, 8.5, "Kind", 0);
    for (int k = 0; k < 4; k++)
        layout_put(t, 190 + 80 * k, ALIGN_RIGHT, &look_grey, 7.5, heads[k], 0);
    layout_end_line(t);
    layout_rule(t, 0, 430, 0.6, "ink", 4);
    text_add(t, ".sp 1p\n");
    for (size_t i = 0; i < n; i++) {
        const char *kind = cells_string(stages[i], "kind");
        if (is_missing(stages[i]) || json_object_get(seen, kind))
            continue;
        json_object_set_new(seen, kind, json_true());
        put_kind(t, kind, stages, n);
    }
    layout_rule(t, 0, 430, 0.6, "ink", 5);
    layout_end_lines(t);
    layout_space(t, 8);
    json_decref(seen);
}

/* ---- one stage: its line, and its params ---- */

static void put_params(struct text *t, const json_t *params)
{
    struct text line = {0};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        text_print(&line, "%s%s\u00a0", line.size ? ", " : "", name);
        if (json_is_real(value)) {
            text_print(&line, "%.7g", json_real_value(value));
            continue;
        }
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        text_add(&line, dump ? dump : "");
        free(dump);
    }
    if (!line.size)
        return;
    text_add(t, ".fi\n.in 10p\n.ps 6.5p\n.vs 8.2p\n.gcolor grey\n\\&");
    troff_path(t, text_string(&line));
    text_add(t, "\n.br\n.in 0\n.nf\n.gcolor ink\n.ps 7.5p\n.vs 10.5p\n");
    text_free(&line);
}

static void put_stage(struct text *t, const json_t *entry)
{
    char key[SHORT_KEY + 1], seconds[NUMBER_SIZE] = "", peak[NUMBER_SIZE] = "",
                             threads[NUMBER_SIZE] = "";
    bool missing = is_missing(entry);
    snprintf(key, sizeof key, "%s", cells_string(entry, "key"));
    number_seconds(seconds, number_of(entry, "seconds"));
    number_bytes(peak, number_of(entry, "peak_bytes"));
    if (number_of(entry, "threads") > 0)
        number_format(threads, number_of(entry, "threads"), 0, false, false);
    text_add(t, ".ne 2v\n");
    layout_put(t, 0, ALIGN_LEFT, &look_plain, 7.5, cells_string(entry, "stage"), 150);
    layout_put(t, 155, ALIGN_LEFT, &look_grey, 7.5, cells_string(entry, "kind"), 95);
    if (missing)
        layout_put(t, 255, ALIGN_LEFT, &look_missing, 7.5, "not run", 0);
    else
        layout_put(t, 255, ALIGN_LEFT, &(struct look){"CR", "ink", false}, 7.5, key, 0);
    layout_put(t, 385, ALIGN_RIGHT, &look_plain, 7.5, seconds, 60);
    layout_put(t, 440, ALIGN_RIGHT, &look_plain, 7.5, peak, 52);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT, &look_plain, 7.5, threads, 26);
    layout_end_line(t);
    put_params(t, json_object_get(entry, "params"));
}

static void put_stages(struct text *t, const json_t **stages, size_t n)
{
    layout_heading(t, 2, "Stages", 120);
    layout_small(t, "Every stage whose results are shown: its kind, the first twelve digits of its "
                    "key, wall time, peak memory, "
                    "threads, and below it its params. \u201cferdag show FILE STAGE\u201d tells "
                    "more, \u201cferdag log FILE STAGE\u201d what it printed.");
    layout_begin_lines(t, 7.5, 10.5, 0);
    layout_put(t, 0, ALIGN_LEFT, &look_strong, 7.5, "Stage", 0);
    layout_put(t, 155, ALIGN_LEFT, &look_strong, 7.5, "Kind", 0);
    layout_put(t, 255, ALIGN_LEFT, &look_strong, 7.5, "Key", 0);
    layout_put(t, 385, ALIGN_RIGHT, &look_strong, 7.5, "Time", 0);
    layout_put(t, 440, ALIGN_RIGHT, &look_strong, 7.5, "Memory", 0);
    layout_put(t, PAGE_WIDTH, ALIGN_RIGHT, &look_strong, 7.5, "Thr.", 0);
    layout_end_line(t);
    layout_rule(t, 0, PAGE_WIDTH, 0.6, "ink", 4);
    text_add(t, ".sp 1p\n");
    for (size_t i = 0; i < n; i++)
        put_stage(t, stages[i]);
    layout_rule(t, 0, PAGE_WIDTH, 0.6, "ink", 5);
    layout_end_lines(t);
}

/* ---- every number ---- */

static void put_source(struct text *t, const json_t *row, const json_t *column, const json_t *cell)
{
    struct text name = {0}, from = {0};
    const json_t *source = json_object_get(cell, "source");
    const char *group = cells_string(column, "group"), *row_group = cells_string(row, "group");
    char key[SHORT_KEY + 1];
    snprintf(key, sizeof key, "%s", cells_string(source, "key"));
    text_print(&name, "%s%s%s, %s%s%s", row_group, *row_group ? ", " : "",
               cells_string(row, "label"), group, *group ? ", " : "",
               cells_string(column, "label"));
    text_print(&from, "%s.%s:%s", cells_string(source, "stage"), cells_string(source, "port"),
               cells_string(source, "pointer"));
    const char *ours = cells_string(json_object_get(cell, "text"), "ours");
    double most = 208 - troff_width(ours, false) * 6.5 / 1000;
    layout_put(t, 0, ALIGN_LEFT, &look_plain, 6.5, text_string(&name), most > 0 ? most : 1);
    layout_put(t, 212, ALIGN_RIGHT, json_object_get(cell, "missing") ? &look_missing : &look_plain,
               6.5, ours, 208);
    layout_put(t, 218, ALIGN_LEFT, &look_grey, 6.5, text_string(&from), 202);
    layout_put(t, 424, ALIGN_LEFT, &(struct look){"CR", "ink", false}, 6.5, key, 0);
    layout_end_line(t);
    text_free(&name);
    text_free(&from);
}

static void put_table_sources(struct text *t, const json_t *table)
{
    const json_t *columns = json_object_get(table, "columns");
    const char *name = cells_string(table, "name");
    size_t r, c;
    json_t *row, *cell;
    text_add(t, ".ne 4v\n.sp 4p\n");
    layout_put(t, 0, ALIGN_LEFT, &look_strong, 7, *name ? name : cells_string(table, "id"),
               PAGE_WIDTH);
    layout_end_line(t);
    json_array_foreach(json_object_get(table, "rows"), r, row) json_array_foreach(
        json_object_get(row, "cells"), c, cell) if (json_object_get(cell, "source"))
        put_source(t, row, json_array_get(columns, c), cell);
}

static void put_sources(struct text *t, const json_t *tables)
{
    size_t i;
    json_t *table;
    layout_heading(t, 2, "Every number", 120);
    layout_small(t, "The cell, our number, the stage\u2019s output and the place in it, and the "
                    "stage\u2019s key. Sums are of the cells above them.");
    layout_begin_lines(t, 6.5, 8.6, 0);
    json_array_foreach((json_t *)tables, i, table) put_table_sources(t, table);
    layout_end_lines(t);
}

/* Time and memory of every stage of the run; of those that are shown, if no more is known. */
static void put_times(struct report *r)
{
    size_t n;
    const json_t *list = json_array_size(r->stages) ? r->stages : r->sources.list;
    const json_t **stages = list_stages(list, &n);
    r->page.failed = r->page.failed || !stages;
    if (stages && n) {
        layout_paragraph(&r->page,
                         "Wall time and memory of the stages, as they were when each last ran.");
        put_kinds(&r->page, stages, n);
    }
    free(stages);
}

void pages_provenance(struct report *r)
{
    size_t n;
    const json_t **stages = list_stages(r->sources.list, &n);
    r->page.failed = r->page.failed || !stages;
    if (stages && n) {
        layout_new_page(&r->page);
        layout_heading(&r->page, 1, "Where the numbers came from", 200);
        put_times(r);
        order_stages(stages, n, r->stages);
        put_stages(&r->page, stages, n);
        put_sources(&r->page, json_object_get(r->cells, "tables"));
    }
    free(stages);
}
