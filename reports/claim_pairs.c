/* See claim_pairs.h. */
#include "reports/claim_pairs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"

/* ---- operands ---- */

static struct operand cell_operand(const struct selected *s)
{
    struct operand o = {.is_ours = cells_is_ours(s->cell)};
    const json_t *ours = json_object_get(s->cell, "ours"),
                 *paper = json_object_get(s->cell, "paper");
    if (json_is_number(paper)) {
        o.paper_known = true;
        o.paper = json_number_value(paper);
    }
    if (json_is_number(ours)) {
        o.ours_known = true;
        o.ours = json_number_value(ours);
        double error = json_number_value(json_object_get(s->cell, "standard_error"));
        o.variance = error * error;
        o.spread = json_number_value(json_object_get(s->cell, "spread"));
    } else if (!o.is_ours && o.paper_known) {
        o.ours_known = true; /* published by others: nothing for us to run */
        o.ours = o.paper;
    } else {
        const char *missing = cells_string(s->cell, "missing");
        o.missing = *missing ? missing : "no number";
    }
    return o;
}

struct sides pair_our_sides(const struct operand *a, const struct operand *b)
{
    bool known = a->ours_known && b->ours_known && (a->is_ours || b->is_ours);
    return (struct sides){known, a->ours, b->ours,
                          sqrt(a->variance + b->variance) + a->spread + b->spread};
}

const char *pair_missing(const struct operand *a, const struct operand *b)
{
    return a->missing ? a->missing : b->missing ? b->missing : "not ours";
}

struct sides pair_paper_sides(const struct operand *a, const struct operand *b)
{
    return (struct sides){a->paper_known && b->paper_known, a->paper, b->paper, 0};
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

void pair_operands(const struct cell_pair *p, struct operand *a, struct operand *b)
{
    *a = cell_operand(&p->left);
    *b = p->right_number ? (struct operand){.ours_known = true,
                                            .paper_known = true,
                                            .ours = p->number,
                                            .paper = p->number}
                         : cell_operand(&p->right);
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
