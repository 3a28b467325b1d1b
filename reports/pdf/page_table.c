/* See page_table.h. The plan comes first: how wide each part of each column is at a given size;
 * then columns are dealt into blocks that fit. */
#include "reports/pdf/page_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/troff.h"

enum {
    PARTS = 3,
    ROWS_A_BLOCK = 44,
    DETAILS = 5 /* files that can't be read, named below a table */
};

static const char *const part_names[PARTS] = {"ours", "paper", "difference"};
static const char *const part_labels[PARTS] = {"ours", "paper", "diff."};
static const double sizes[] = {8.5, 8, 7.5, 7, 6.5};
static const double PART_GAP = 7, STUB_GAP = 8, STUB_LIMIT = 150, LABEL_LIMIT = 150, LEADING = 1.52;

struct column {
    const json_t *json;
    bool shown[PARTS];
    double width[PARTS];                  /* thousandths of the size */
    double whole[PARTS], fraction[PARTS]; /* of its numbers, before and from the decimal point on */
    double label;                         /* width of its label */
    double start, right[PARTS], end;      /* points, set when it is dealt into a block */
};

struct plan {
    const json_t *table, *rows;
    struct column *columns;
    size_t count;
    double size, group_width, stub_width, gap; /* points */
};

static double wider(double a, double b)
{
    return a > b ? a : b;
}

/* Width from the decimal point on; 0 for whole numbers and words. */
static double fraction_width(const char *s)
{
    const char *point = strchr(s, '.');
    return point && strspn(point + 1, "0123456789") == strlen(point + 1) ? troff_width(point, true)
                                                                         : 0;
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "+-0123456789.,") == strlen(s);
}

static void measure_text(struct column *c, size_t part, const char *s)
{
    c->shown[part] = c->shown[part] || *s;
    c->width[part] = wider(c->width[part], troff_width(s, true));
    if (is_number(s)) {
        double fraction = fraction_width(s);
        c->fraction[part] = wider(c->fraction[part], fraction);
        c->whole[part] = wider(c->whole[part], troff_width(s, true) - fraction);
    }
}

static void measure_column(const struct plan *p, struct column *c, size_t index)
{
    size_t r;
    json_t *row;
    json_array_foreach((json_t *)p->rows, r, row)
    {
        const json_t *text =
            json_object_get(json_array_get(json_object_get(row, "cells"), index), "text");
        for (size_t k = 0; k < PARTS; k++)
            measure_text(c, k, cells_string(text, part_names[k]));
    }
    if (!c->shown[0] && !c->shown[1])
        c->shown[0] = true;
    for (size_t k = 0; k < PARTS; k++)
        c->width[k] = wider(c->width[k], c->whole[k] + c->fraction[k]);
    for (size_t k = 0; k < PARTS; k++)
        c->width[k] = c->shown[k] ? wider(c->width[k], troff_width(part_labels[k], false)) : 0;
    c->label = troff_width(cells_string(c->json, "label"), true);
}

/* Points that a column takes at a size, without the gap before it. */
static double column_points(const struct column *c, double size)
{
    double sum = 0;
    for (size_t k = 0; k < PARTS; k++)
        if (c->shown[k])
            sum += c->width[k] * size / 1000 + PART_GAP;
    double label = c->label * size / 1000;
    return wider(sum - PART_GAP, label < LABEL_LIMIT ? label : LABEL_LIMIT);
}

static double stub_points(struct plan *p)
{
    size_t r;
    json_t *row;
    double group = 0, label = troff_width(cells_string(p->table, "row_header"), true);
    json_array_foreach((json_t *)p->rows, r, row)
    {
        group = wider(group, troff_width(cells_string(row, "group"), true));
        label = wider(label, troff_width(cells_string(row, "label"), true));
    }
    p->group_width = group > 0 ? wider(0, group * p->size / 1000 + STUB_GAP) : 0;
    p->group_width = p->group_width < STUB_LIMIT ? p->group_width : STUB_LIMIT;
    p->stub_width = label * p->size / 1000 + 4;
    p->stub_width = p->stub_width < STUB_LIMIT ? p->stub_width : STUB_LIMIT;
    return p->group_width + p->stub_width;
}

/* The largest size at which all columns stand side by side; else the smallest. */
static void choose_size(struct plan *p)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p->size = sizes[i];
        double sum = stub_points(p);
        for (size_t c = 0; c < p->count; c++)
            sum += column_points(&p->columns[c], p->size);
        double gap = (PAGE_WIDTH - sum) / (double)p->count;
        p->gap = gap > 34 ? 34 : gap > 12 ? gap : 12;
        if (gap >= 12)
            return;
    }
}

/* Places columns from `first` on while they fit; returns the first that doesn't. */
static size_t deal(struct plan *p, size_t first)
{
    double x = p->group_width + p->stub_width;
    size_t c = first;
    for (; c < p->count; c++) {
        struct column *column = &p->columns[c];
        double width = column_points(column, p->size);
        if (c > first && x + p->gap + width > PAGE_WIDTH + 0.01)
            break;
        column->start = x + p->gap;
        column->end = x = column->start + width;
        double right = column->end;
        for (size_t k = PARTS; k-- > 0;) {
            column->right[k] = right;
            if (column->shown[k])
                right -= column->width[k] * p->size / 1000 + PART_GAP;
        }
    }
    return c;
}

static const char *group_of(const struct plan *p, size_t c)
{
    return cells_string(p->columns[c].json, "group");
}

/* The line of groups over columns, with a thin rule under each. */
static void put_groups(struct text *t, const struct plan *p, size_t first, size_t end)
{
    bool any = false;
    for (size_t c = first; c < end; c++)
        any = any || *group_of(p, c);
    if (!any)
        return;
    for (size_t c = first, next; c < end; c = next) {
        for (next = c + 1; next < end && strcmp(group_of(p, c), group_of(p, next)) == 0;)
            next++;
        double left = p->columns[c].start, right = p->columns[next - 1].end;
        layout_put(t, (left + right) / 2, ALIGN_CENTER, &look_strong, p->size, group_of(p, c),
                   right - left);
        if (*group_of(p, c))
            text_print(t, "\\v'3.5p'\\h'|%.2fp'\\m[light]\\D't 0.4p'\\D'l %.2fp 0'\\m[]\\v'-3.5p'",
                       left, right - left);
    }
    layout_end_line(t);
}

static void put_head(struct text *t, const struct plan *p, size_t first, size_t end, double width)
{
    put_groups(t, p, first, end);
    for (size_t c = first; c < end; c++) {
        const struct column *column = &p->columns[c];
        layout_put(t, (column->start + column->end) / 2, ALIGN_CENTER, &look_strong, p->size,
                   cells_string(column->json, "label"), column->end - column->start + 0.01);
    }
    layout_end_line(t);
    layout_put(t, 0, ALIGN_LEFT, &look_strong, p->size, cells_string(p->table, "row_header"),
               p->group_width + p->stub_width);
    for (size_t c = first; c < end; c++)
        for (size_t k = 0; k < PARTS; k++)
            if (p->columns[c].shown[k])
                layout_put(t, p->columns[c].right[k], ALIGN_RIGHT, &look_grey, p->size - 1,
                           part_labels[k], 0);
    layout_end_line(t);
    layout_rule(t, 0, width, 0.6, "ink", 4);
    text_add(t, ".sp 1.5p\n");
}

static void put_cell(struct text *t, const struct plan *p, const struct column *column,
                     const json_t *cell, bool strong)
{
    const json_t *text = json_object_get(cell, "text");
    bool missing = json_object_get(cell, "missing") != NULL;
    const struct look *looks[PARTS] = {missing  ? &look_missing
                                       : strong ? &look_strong
                                                : &look_plain,
                                       &look_grey, strong ? &look_strong : &look_plain};
    for (size_t k = 0; k < PARTS; k++) {
        const char *s = cells_string(text, part_names[k]);
        double short_of = is_number(s) ? column->fraction[k] - fraction_width(s) : 0;
        if (*s)
            layout_put(t, column->right[k] - short_of * p->size / 1000, ALIGN_RIGHT, looks[k],
                       p->size, s, 0);
    }
}

static void put_row(struct text *t, const struct plan *p, const json_t *row, bool new_group,
                    size_t first, size_t end)
{
    bool strong = json_is_true(json_object_get(row, "bold"));
    const struct look *look = strong ? &look_strong : &look_plain;
    if (new_group)
        layout_put(t, 0, ALIGN_LEFT, &look_plain, p->size, cells_string(row, "group"),
                   p->group_width - 4);
    layout_put(t, p->group_width, ALIGN_LEFT, look, p->size, cells_string(row, "label"),
               p->stub_width);
    for (size_t c = first; c < end; c++)
        put_cell(t, p, &p->columns[c], json_array_get(json_object_get(row, "cells"), c), strong);
    layout_end_line(t);
}

static bool has_groups(const struct plan *p)
{
    for (size_t c = 0; c < p->count; c++)
        if (*group_of(p, c))
            return true;
    return false;
}

/* Points that a block of that many rows takes, its head and rules included. */
static double block_height(const struct plan *p, size_t rows)
{
    double lines = (double)rows + 2 + has_groups(p);
    return lines * p->size * LEADING + 18 + (p->group_width > 0 ? 2.5 * (double)rows / 2 : 3);
}

/* Rows from `from` to `to` of the columns from first to end, under their own head. */
static void put_block(struct text *t, const struct plan *p, size_t first, size_t end, size_t from,
                      size_t to)
{
    double leading = p->size * LEADING, width = p->columns[end - 1].end;
    layout_begin_lines(t, p->size, leading, block_height(p, to - from));
    layout_rule(t, 0, width, 0.9, "ink", 5);
    put_head(t, p, first, end, width);
    const char *group = "";
    for (size_t r = from; r < to; r++) {
        const json_t *row = json_array_get(p->rows, r);
        const char *own = cells_string(row, "group");
        bool new_group = *own && (r == from || strcmp(own, group) != 0);
        if (r > from && (new_group || (r + 1 == json_array_size(p->rows) &&
                                       json_is_true(json_object_get(row, "bold")))))
            text_add(t, ".sp 2.5p\n");
        put_row(t, p, row, new_group, first, end);
        group = own;
    }
    layout_rule(t, 0, width, 0.9, "ink", 5);
    layout_end_lines(t);
    layout_space(t, 8);
}

static void put_title(struct text *t, const json_t *table, double height)
{
    const char *name = cells_string(table, "name");
    text_print(t, ".BODY\n.ne %.0fp\n.sp 12p\n\\&", height);
    if (*name) {
        text_add(t, "\\f[HB]\\s[9p]\\m[accent]");
        troff_text(t, name);
        text_add(t, "\\m[]\\s0\\f[]\\ \\ ");
    }
    text_add(t, "\\s[9.5p]");
    troff_text(t, cells_string(table, "title"));
    text_add(t, "\\s0\n.br\n.sp 4p\n");
}

/* Points that the small paragraph below takes, roughly. */
static double note_height(const char *note)
{
    return *note ? 18 + 11.5 * (int)(troff_width(note, false) * 8.5 / 1000 / PAGE_WIDTH) : 0;
}

/* What is wrong with files that the table's numbers should be from, each once. */
static void add_details(struct text *t, const struct plan *p)
{
    json_t *seen = json_object(), *row, *cell;
    size_t r, c;
    json_array_foreach((json_t *)p->rows, r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        const json_t *source = json_object_get(cell, "source");
        struct text line = {0};
        if (!*cells_string(cell, "detail"))
            continue;
        text_print(&line, "@%s.%s: %s.", cells_string(source, "stage"),
                   cells_string(source, "port"), cells_string(cell, "detail"));
        if (!json_object_get(seen, text_string(&line)) && json_object_size(seen) < DETAILS)
            text_print(t, "%s%s", t->size ? " " : "", text_string(&line));
        json_object_set_new(seen, text_string(&line), json_true());
        text_free(&line);
    }
    if (json_object_size(seen) > DETAILS)
        text_print(t, " And so %zu more files.", json_object_size(seen) - DETAILS);
    json_decref(seen);
}

int page_table(struct text *t, const json_t *table, const char *notice, struct error *err)
{
    struct plan p = {.table = table, .rows = json_object_get(table, "rows")};
    const json_t *columns = json_object_get(table, "columns");
    size_t rows = json_array_size(p.rows);
    p.count = json_array_size(columns);
    p.columns = calloc(p.count ? p.count : 1, sizeof *p.columns);
    if (!p.columns)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t c = 0; c < p.count; c++) {
        p.columns[c].json = json_array_get(columns, c);
        measure_column(&p, &p.columns[c], c);
    }
    choose_size(&p);
    struct text below = {0};
    text_print(&below, "%s%s%s", notice, *notice ? " " : "", cells_string(table, "note"));
    add_details(&below, &p);
    put_title(t, table,
              block_height(&p, rows < ROWS_A_BLOCK ? rows : ROWS_A_BLOCK) + 36 +
                  note_height(text_string(&below)));
    for (size_t first = 0, end; first < p.count; first = end) {
        end = deal(&p, first);
        for (size_t from = 0; from < rows; from += ROWS_A_BLOCK)
            put_block(t, &p, first, end, from,
                      from + ROWS_A_BLOCK < rows ? from + ROWS_A_BLOCK : rows);
    }
    layout_small(t, text_string(&below));
    text_free(&below);
    free(p.columns);
    return 0;
}
