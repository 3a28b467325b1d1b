/* Expands a section with tables: in a map with `rows: {id: {variables}}`, `columns: {id:
 * {variables}}` and `cell: "..."`, `cells: {row: {column: ...}}` becomes the cell's text once for
 * each pair, with the variables of its column and its row, ${row} and ${column}. */
#ifndef FERDAG_DAG_EXPERIMENT_TABLE_CELLS_H
#define FERDAG_DAG_EXPERIMENT_TABLE_CELLS_H

#include "dag/experiment/parts.h"

struct expander {
    struct experiment *e;
    size_t cells; /* so far */
    bool broken;
};

/* Expands a section, which `param` describes. -EINVAL: something was reported, and in its place in
 * *out is a `broken` node, or a cell that is null. */
int table_cells_expand(struct expander *expander, const struct node *node,
                       const struct param *param, struct node **out);

#endif
