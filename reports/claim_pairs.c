/* See claim_pairs.h. */
#include "reports/claim_pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"

/* ---- operands ---- */

static double number_of(const json_t *cell, const char *name, double otherwise)
{
    const json_t *value = json_object_get(cell, name);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* A number of the paper, which may state on how many images it was measured. */
static struct operand paper_operand(const json_t *cell)
{
    return (struct operand){.known = json_is_number(json_object_get(cell, "paper")),
                            .shown = number_of(cell, "paper", 0),
                            .scale = number_of(cell, "scale", 1),
                            .n = number_of(cell, "paper_n", 0),
                            .seeds = 1};
}

static struct operand our_operand(const json_t *cell)
{
    const json_t *over = json_object_get(cell, "over");
    double seeds = number_of(over, "n", 1);
    return (struct operand){.known = json_is_number(json_object_get(cell, "ours")),
                            .shown = number_of(cell, "ours", 0),
                            .scale = number_of(cell, "scale", 1),
                            .n = number_of(cell, "n", 0),
                            .spread = number_of(cell, "spread", 0),
                            .standard_error = number_of(cell, "standard_error", 0),
                            .deviation = number_of(over, "sd", 0),
                            .seeds = seeds >= 1 ? (size_t)seeds : 1,
                            .outcomes = json_object_get(cell, "outcomes")};
}

/* Of a cell. What others published, and isn't ours to measure, stands for our number. */
static struct operand cell_operand(const struct selected *s, enum author author,
                                   const char **missing)
{
    bool ours = author == OURS && cells_is_ours(s->cell);
    struct operand operand = ours ? our_operand(s->cell) : paper_operand(s->cell);
    const char *why = cells_string(s->cell, "missing");
    *missing = operand.known ? NULL : *why ? why : "no number";
    return operand;
}

/* A constant of the check, or the paper's number of the left cell, which isn't compared with
 * itself. */
static struct operand number_operand(const struct cell_pair *p, enum author author)
{
    struct operand number = paper_operand(p->left.cell);
    number.known = !(p->paper_number && author == PAPERS);
    number.shown = p->number;
    if (!p->paper_number)
        number.n = 0;
    return number;
}

struct sides pair_sides(const struct cell_pair *p, enum author author)
{
    struct sides sides = {.left_missing = NULL};
    sides.left = cell_operand(&p->left, author, &sides.left_missing);
    if (p->right_number)
        sides.right = number_operand(p, author);
    else
        sides.right = cell_operand(&p->right, author, &sides.right_missing);
    bool ours = cells_is_ours(p->left.cell) || (!p->right_number && cells_is_ours(p->right.cell));
    if (author == OURS && !ours) {
        sides.left.known = false;
        sides.left_missing = "not ours";
    }
    return sides;
}

/* ---- pairs ---- */

static void add_pair(struct cell_pairs *p, struct cell_pair pair)
{
    if (p->n == p->size) {
        size_t size = p->size ? 2 * p->size : 32;
        struct cell_pair *items = realloc(p->items, size * sizeof *items);
        if (!items) {
            p->failed = true;
            return;
        }
        p->items = items;
        p->size = size;
    }
    p->items[p->n++] = pair;
}

static bool matched(const struct selection *left, const struct selection *right, size_t i, size_t j)
{
    const struct selected *a = &left->items[i], *b = &right->items[j];
    if (a->cell == b->cell)
        return false;
    if (left->many_rows && right->many_rows && strcmp(a->row_id, b->row_id) != 0)
        return false;
    return !(left->many_columns && right->many_columns && strcmp(a->column_id, b->column_id) != 0);
}

int pairs_make(const json_t *check, const json_t *tables, struct cell_pairs *pairs,
               struct error *err)
{
    const json_t *right_value =
        json_object_get(check, json_object_get(check, "among") ? "among" : "right");
    struct selection left = {0}, right = {0};
    *pairs = (struct cell_pairs){0};
    int rc = selector_find(tables, cells_string(check, "left"), &left, err);
    if (rc == 0 && json_is_string(right_value))
        rc = selector_find(tables, json_string_value(right_value), &right, err);
    for (size_t i = 0; rc == 0 && i < left.n; i++) {
        if (json_is_string(right_value)) {
            for (size_t j = 0; j < right.n; j++)
                if (matched(&left, &right, i, j))
                    add_pair(pairs, (struct cell_pair){.left = left.items[i],
                                                       .right = right.items[j],
                                                       .left_varies = left.many_rows,
                                                       .columns_vary = left.many_columns});
        } else {
            const json_t *number =
                right_value ? right_value : json_object_get(left.items[i].cell, "paper");
            if (json_is_number(number))
                add_pair(pairs, (struct cell_pair){.left = left.items[i],
                                                   .right_number = true,
                                                   .paper_number = !right_value,
                                                   .number = json_number_value(number),
                                                   .left_varies = true,
                                                   .columns_vary = true});
        }
    }
    selector_free(&left);
    selector_free(&right);
    if (rc == 0 && pairs->failed)
        rc = error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && pairs->n == 0)
        rc = error_set(err, EINVAL, "nothing to compare");
    return rc;
}

void pairs_free(struct cell_pairs *pairs)
{
    free(pairs->items);
    *pairs = (struct cell_pairs){0};
}

/* The pair has a cell that is ours to measure. */
static int check_pair(const json_t *check, const struct cell_pair *p, struct error *err)
{
    const struct selected *a = &p->left, *b = &p->right;
    const char *other = json_object_get(check, "among") ? "among" : "right";
    if (cells_is_ours(a->cell) || (!p->right_number && cells_is_ours(b->cell)))
        return 0;
    if (p->right_number)
        return error_set(err, ENODATA,
                         "left: %s/%s/%s is no number of ours: expected a cell with a reference "
                         "(cell: \"@stage.port:/pointer\")",
                         a->table_id, a->row_id, a->column_id);
    return error_set(err, ENODATA,
                     "left %s/%s/%s and %s %s/%s/%s: neither is a number of ours; one must be a "
                     "cell with a reference (cell: \"@stage.port:/pointer\")",
                     a->table_id, a->row_id, a->column_id, other, b->table_id, b->row_id,
                     b->column_id);
}

int pairs_count(const json_t *check, const json_t *tables, size_t *count, struct error *err)
{
    struct cell_pairs pairs;
    int rc = pairs_make(check, tables, &pairs, err);
    for (size_t i = 0; rc == 0 && i < pairs.n; i++)
        rc = check_pair(check, &pairs.items[i], err);
    *count = pairs.n;
    pairs_free(&pairs);
    return rc;
}
