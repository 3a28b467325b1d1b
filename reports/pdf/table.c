/* See table.h. First each column is measured, then the size is chosen, then the columns get places
 * in blocks that fit. Columns that are joined to the one before them form a unit, which isn't
 * divided. Widths of text are in thousandths of its size until the size is known, everything else
 * in points. */
#include "reports/pdf/table.h"

#include <math.h>
#include <string.h>
#include "base/arena.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/troff.h"

enum { ROWS_IN_BLOCK = 44 };

static const double sizes[] = {8.5, 8, 7.5, 7, 6.5}, reference_sizes[] = {7, 6.5};
static const double PART_GAP = 7, GROUP_GAP = 8;
static const double UNIT_GAP = 12, REFERENCE_GAP = 8, UNIT_GAP_MAX = 34;
static const double NAME_LIMIT = 150, LABEL_LIMIT = 150; /* where columns are many */
static const double ELASTIC = 90;     /* columns of text that are wider may be cut to this */
static const double CODE_WIDTH = 600; /* of each character of Courier */

struct column {
    const struct doc_column *doc;
    double text; /* width of its widest cell or part, in thousandths */
    double whole,
        fraction;       /* of its numbers: before and from the decimal point on, in thousandths */
    double width;       /* points */
    double left, right; /* points, once it has a place */
};

/* A column and those joined to it. */
struct column_unit {
    size_t first, end; /* of the columns */
    double label;      /* width of the label, in thousandths */
    double width;      /* points */
    double left, right;
};

struct grid {
    const struct doc_table *table;
    struct arena *arena;
    struct column *columns;
    struct column_unit *units;
    size_t unit_count;
    bool groups, labels, parts; /* which heads there are */
    double size, leading;
    double group_width, name_width, gap;
};

/* ---- measuring ---- */

/* Width from the decimal point on; 0 for whole numbers and words. */
static double fraction_width(const char *s, bool bold)
{
    const char *point = strchr(s, '.');
    return point && strspn(point + 1, "0123456789") == strlen(point + 1) ? troff_width(point, bold)
                                                                         : 0;
}

static bool is_number(const char *s)
{
    return *s && strspn(s, "+-0123456789.,") == strlen(s);
}

static double cell_width(const struct doc_cell *cell)
{
    return cell->tone == TONE_CODE ? CODE_WIDTH * (double)strlen(cell->text)
                                   : troff_width(cell->text, layout_look(cell->tone)->bold);
}

static void measure_column(struct grid *g, size_t c)
{
    struct column *column = &g->columns[c];
    column->doc = &g->table->columns[c];
    column->text = troff_width(column->doc->part, false);
    for (size_t r = 0; r < g->table->row_count; r++) {
        const struct doc_cell *cell = &g->table->rows[r].cells[c];
        double width = cell_width(cell);
        column->text = fmax(column->text, width);
        if (column->doc->align == ALIGN_DECIMAL && is_number(cell->text)) {
            double fraction = fraction_width(cell->text, layout_look(cell->tone)->bold);
            column->fraction = fmax(column->fraction, fraction);
            column->whole = fmax(column->whole, width - fraction);
        }
    }
    column->text = fmax(column->text, column->whole + column->fraction);
    g->groups = g->groups || *column->doc->group;
    g->labels = g->labels || *column->doc->label;
    g->parts = g->parts || *column->doc->part;
}

static void find_units(struct grid *g)
{
    for (size_t c = 0; c < g->table->column_count; c++) {
        measure_column(g, c);
        if (c == 0 || !g->columns[c].doc->joined)
            g->units[g->unit_count++] = (struct column_unit){
                .first = c, .label = troff_width(g->columns[c].doc->label, true)};
        g->units[g->unit_count - 1].end = c + 1;
    }
}

/* Points that the unit takes at the grid's size, without the gap before it. */
static double measure_unit(struct grid *g, struct column_unit *u)
{
    double sum = PART_GAP * (double)(u->end - u->first - 1), label = u->label * g->size / 1000;
    for (size_t c = u->first; c < u->end; c++)
        sum += g->columns[c].width;
    return u->width = fmax(sum, label < LABEL_LIMIT ? label : LABEL_LIMIT);
}

/* Widths of groups and names of rows; their sum. */
static double measure_names(struct grid *g, double limit)
{
    double group = 0, name = troff_width(g->table->row_header, true);
    for (size_t r = 0; r < g->table->row_count; r++) {
        const struct doc_row *row = &g->table->rows[r];
        group = fmax(group, troff_width(row->group, false));
        name = fmax(name, troff_width(row->label, row->strong));
    }
    g->group_width = group > 0 && !g->table->groups_above
                         ? fmin(group * g->size / 1000 + GROUP_GAP, NAME_LIMIT)
                         : 0;
    g->name_width = fmin(name * g->size / 1000 + 4, limit);
    return g->group_width + g->name_width;
}

static const char *group_of(const struct grid *g, size_t unit)
{
    return g->columns[g->units[unit].first].doc->group;
}

/* The first unit after those that share the group of `first`. */
static size_t end_of_group(const struct grid *g, size_t first, size_t end)
{
    size_t next = first + 1;
    while (next < end && strcmp(group_of(g, first), group_of(g, next)) == 0)
        next++;
    return next;
}

/* Makes the last unit of each group wide enough for the group's head; returns what that adds. */
static double widen_groups(struct grid *g)
{
    double added = 0;
    for (size_t u = 0, next; u < g->unit_count; u = next) {
        next = end_of_group(g, u, g->unit_count);
        double head = fmin(troff_width(group_of(g, u), true) * g->size / 1000, LABEL_LIMIT);
        for (size_t k = u; k < next; k++)
            head -= g->units[k].width + (k > u ? UNIT_GAP : 0);
        if (head > 0) {
            g->units[next - 1].width += head;
            added += head;
        }
    }
    return added;
}

/* Points that everything takes at a size, without gaps. */
static double measure(struct grid *g, double size, double name_limit)
{
    g->size = size;
    g->leading = size * (g->table->reference ? 1.34 : 1.52);
    double sum = measure_names(g, name_limit);
    for (size_t c = 0; c < g->table->column_count; c++)
        g->columns[c].width = g->columns[c].text * size / 1000;
    for (size_t u = 0; u < g->unit_count; u++)
        sum += measure_unit(g, &g->units[u]);
    return sum + widen_groups(g);
}

/* By how much everything becomes narrower if no column is wider than `limit`. */
static double saved_by(const struct grid *g, double limit)
{
    double saved = fmax(g->name_width - limit, 0);
    for (size_t u = 0; u < g->unit_count; u++)
        if (g->units[u].end == g->units[u].first + 1)
            saved += fmax(g->units[u].width - limit, 0);
    return saved;
}

/* Cuts wide columns, evenly, until `excess` points are saved; false if that can't be. */
static bool cut_columns(struct grid *g, double excess)
{
    double limit = PAGE_WIDTH;
    while (limit > ELASTIC && saved_by(g, limit) < excess)
        limit -= 1;
    if (saved_by(g, limit) < excess)
        return false;
    g->name_width = fmin(g->name_width, limit);
    for (size_t u = 0; u < g->unit_count; u++) {
        struct column *only = &g->columns[g->units[u].first];
        if (g->units[u].end > g->units[u].first + 1)
            continue;
        only->width = fmin(only->width, limit);
        g->units[u].width = fmin(g->units[u].width, limit);
    }
    return true;
}

static void choose_size(struct grid *g)
{
    bool reference = g->table->reference;
    const double *list = reference ? reference_sizes : sizes;
    size_t n = reference ? sizeof reference_sizes / sizeof *list : sizeof sizes / sizeof *list;
    double units = (double)(g->unit_count ? g->unit_count : 1);
    double least = reference ? REFERENCE_GAP : UNIT_GAP, gap = least - 1;
    for (size_t i = 0; i < n && gap < least; i++)
        gap = (PAGE_WIDTH - measure(g, list[i], PAGE_WIDTH / 2)) / units;
    if (gap < least && !cut_columns(g, (least - gap) * units))
        measure(g, list[n - 1], NAME_LIMIT);
    g->gap = fmin(fmax(gap, least), UNIT_GAP_MAX);
}

static struct grid open_grid(const struct doc_table *table)
{
    struct grid g = {.table = table, .arena = arena_create()};
    g.columns = arena_alloc(g.arena, table->column_count * sizeof *g.columns);
    g.units = arena_alloc(g.arena, table->column_count * sizeof *g.units);
    find_units(&g);
    choose_size(&g);
    return g;
}

/* ---- places ---- */

static void place_columns(struct grid *g, struct column_unit *u)
{
    double right = u->right;
    for (size_t c = u->end; c-- > u->first;) {
        struct column *column = &g->columns[c];
        column->right = right;
        column->left = right - column->width;
        right = column->left - PART_GAP;
    }
    if (u->end == u->first + 1)
        g->columns[u->first].left = u->left;
}

/* Places units from `first` on while they fit; returns the first that doesn't. */
static size_t place_units(struct grid *g, size_t first)
{
    double x = g->group_width + g->name_width;
    size_t u = first;
    for (; u < g->unit_count; u++) {
        struct column_unit *unit = &g->units[u];
        if (u > first && x + g->gap + unit->width > PAGE_WIDTH + 0.01)
            break;
        unit->left = x + g->gap;
        unit->right = x = fmin(unit->left + unit->width, PAGE_WIDTH);
        place_columns(g, unit);
    }
    return u;
}

/* ---- heads ---- */

/* The line of groups over units, with a thin rule under each. */
static void put_groups(struct text *t, const struct grid *g, size_t first, size_t end)
{
    for (size_t u = first, next; u < end; u = next) {
        next = end_of_group(g, u, end);
        double left = g->units[u].left, right = g->units[next - 1].right;
        layout_put(t, (left + right) / 2, ALIGN_CENTER, &look_strong, g->size, group_of(g, u),
                   right - left + 0.01);
        if (*group_of(g, u))
            layout_underline(t, left, right - left);
    }
}

static void put_labels(struct text *t, const struct grid *g, size_t first, size_t end)
{
    for (size_t u = first; u < end; u++) {
        const struct column_unit *unit = &g->units[u];
        const struct doc_column *column = g->columns[unit->first].doc;
        enum doc_align align = g->parts ? ALIGN_CENTER : column->align;
        double x = align == ALIGN_LEFT     ? unit->left
                   : align == ALIGN_CENTER ? (unit->left + unit->right) / 2
                                           : unit->right;
        layout_put(t, x, align, &look_strong, g->size, column->label,
                   unit->right - unit->left + 0.01);
    }
}

static void put_parts(struct text *t, const struct grid *g, size_t first, size_t end)
{
    for (size_t c = g->units[first].first; c < g->units[end - 1].end; c++)
        layout_put(t, g->columns[c].right, ALIGN_RIGHT, &look_grey, g->size - 1,
                   g->columns[c].doc->part, g->columns[c].width + 0.01);
}

static void put_head(struct text *t, const struct grid *g, size_t first, size_t end, double width)
{
    bool any_group = false;
    for (size_t u = first; u < end; u++)
        any_group = any_group || *group_of(g, u);
    if (any_group) {
        put_groups(t, g, first, end);
        layout_end_line(t);
    }
    if (g->labels && first < end) {
        put_labels(t, g, first, end);
        if (g->parts)
            layout_end_line(t);
    }
    layout_put(t, 0, ALIGN_LEFT, &look_strong, g->size, g->table->row_header,
               g->group_width + g->name_width);
    if (g->parts && first < end)
        put_parts(t, g, first, end);
    layout_end_line(t);
    layout_rule(t, 0, width, 0.6, "ink", 4);
    layout_space(t, 1.5);
}

/* ---- rows ---- */

static void put_cell(struct text *t, const struct grid *g, const struct column *column,
                     const struct doc_cell *cell)
{
    const struct text_look *look = layout_look(cell->tone);
    double limit = column->right - column->left + 0.01;
    if (!*cell->text)
        return;
    if (column->doc->align == ALIGN_LEFT) {
        layout_put(t, column->left, ALIGN_LEFT, look, g->size, cell->text, limit);
        return;
    }
    double missing = column->doc->align == ALIGN_DECIMAL && is_number(cell->text)
                         ? column->fraction - fraction_width(cell->text, look->bold)
                         : 0;
    layout_put(t, column->right - missing * g->size / 1000, ALIGN_RIGHT, look, g->size, cell->text,
               limit);
}

static void put_row(struct text *t, const struct grid *g, const struct doc_row *row, bool new_group,
                    size_t first, size_t end)
{
    if (new_group && !g->table->groups_above)
        layout_put(t, 0, ALIGN_LEFT, &look_plain, g->size, row->group, g->group_width - 4);
    layout_put(t, g->group_width, ALIGN_LEFT, row->strong ? &look_strong : &look_plain, g->size,
               row->label, g->name_width);
    for (size_t u = first; u < end; u++)
        for (size_t c = g->units[u].first; c < g->units[u].end; c++)
            put_cell(t, g, &g->columns[c], &row->cells[c]);
    layout_end_line(t);
    if (*row->detail)
        layout_detail(t, row->detail, g->size - 0.5, (g->size - 0.5) * 1.27);
}

static void put_group_line(struct text *t, const struct grid *g, const char *group)
{
    layout_need(t, 4 * g->leading);
    layout_space(t, 4);
    layout_put(t, 0, ALIGN_LEFT, &look_strong, g->size, group, PAGE_WIDTH);
    layout_end_line(t);
}

static void put_rows(struct text *t, const struct grid *g, size_t first, size_t end, size_t from,
                     size_t to)
{
    const char *group = "";
    for (size_t r = from; r < to; r++) {
        const struct doc_row *row = &g->table->rows[r];
        bool new_group = *row->group && (r == from || strcmp(row->group, group) != 0);
        if (new_group && g->table->groups_above)
            put_group_line(t, g, row->group);
        else if (r > from && (new_group || (r + 1 == g->table->row_count && row->strong)))
            layout_space(t, 2.5);
        if (*row->detail || r + 1 == to)
            layout_need(t, 2.2 * g->leading);
        put_row(t, g, row, new_group, first, end);
        group = row->group;
    }
}

/* Points that a block of that many rows takes, with its heads and rules. */
static double block_height(const struct grid *g, size_t rows)
{
    double lines = (double)rows + 1 + (g->groups ? 1 : 0) + (g->labels && g->parts ? 1 : 0);
    return lines * g->leading + 18 + (g->group_width > 0 ? 2.5 * (double)rows / 2 : 3);
}

static double block_width(const struct grid *g, size_t first, size_t end)
{
    return end > first ? g->units[end - 1].right : g->group_width + g->name_width;
}

/* Rows from `from` to `to` of the units from first to end, under their own head. */
static void put_block(struct text *t, const struct grid *g, size_t first, size_t end, size_t from,
                      size_t to)
{
    double width = block_width(g, first, end);
    layout_begin_lines(t, g->size, g->leading, block_height(g, to - from));
    layout_rule(t, 0, width, 0.9, "ink", 5);
    put_head(t, g, first, end, width);
    put_rows(t, g, first, end, from, to);
    layout_rule(t, 0, width, 0.9, "ink", 5);
    layout_end_lines(t);
    layout_space(t, 8);
}

/* All rows of the units from first to end, with the head repeated on each page. */
static void put_pages(struct text *t, const struct grid *g, size_t first, size_t end)
{
    double width = block_width(g, first, end);
    layout_begin_lines(t, g->size, g->leading, block_height(g, 3));
    layout_begin_head(t);
    layout_begin_lines(t, g->size, g->leading, 0);
    put_head(t, g, first, end, width);
    layout_end_head(t);
    put_rows(t, g, first, end, 0, g->table->row_count);
    layout_rule(t, 0, width, 0.6, "ink", 5);
    layout_forget_head(t);
    layout_end_lines(t);
    layout_space(t, 8);
}

/* About how many points the note takes. */
static double note_height(const char *note)
{
    return *note ? 18 + 11.5 * floor(troff_width(note, false) * 8.5 / 1000 / PAGE_WIDTH) : 0;
}

static double needed_height(const struct grid *g, bool keep)
{
    size_t rows = g->table->row_count;
    double note = rows < ROWS_IN_BLOCK ? note_height(g->table->note) : 0;
    return keep ? block_height(g, rows < ROWS_IN_BLOCK ? rows : ROWS_IN_BLOCK) + note
                : block_height(g, 3);
}

double table_height(const struct doc_table *table, bool keep)
{
    struct grid g = open_grid(table);
    double height = needed_height(&g, keep);
    arena_destroy(g.arena);
    return height;
}

void table_render(struct text *t, const struct doc_table *table, bool keep)
{
    struct grid g = open_grid(table);
    size_t first = 0, rows = table->row_count;
    if (*table->name || *table->title)
        layout_table_title(t, table->name, table->title, needed_height(&g, keep) + 36);
    do {
        size_t end = place_units(&g, first);
        if (keep)
            for (size_t from = 0; from == 0 || from < rows; from += ROWS_IN_BLOCK)
                put_block(t, &g, first, end, from,
                          from + ROWS_IN_BLOCK < rows ? from + ROWS_IN_BLOCK : rows);
        else
            put_pages(t, &g, first, end);
        first = end;
    } while (first < g.unit_count);
    layout_plain(t, STYLE_SMALL, table->note);
    arena_destroy(g.arena);
}
