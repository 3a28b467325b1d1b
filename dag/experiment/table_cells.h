/* Expands the tables in a section. A table has `rows: {id: {variables}}`, `columns: {id:
 * {variables}}` and a text `cell`. The expansion adds `cells: {row: {column: text}}`: the text of
 * `cell` for each pair, with the variables of its row and column, ${row} and ${column}. With `over:
 * {variable: values}` a cell whose text uses the variable is a list of texts, one for each value.
 */
#ifndef FERDAG_DAG_EXPERIMENT_TABLE_CELLS_H
#define FERDAG_DAG_EXPERIMENT_TABLE_CELLS_H

#include "dag/experiment/parts.h"

struct expander {
    struct experiment *e;
    size_t cells; /* expanded so far, of all sections */
    bool broken;
    const char *name; /* of the node that is expanded, in its map; NULL in a list */
};

/* Expands a section that `param` describes. -EINVAL if an error was added to the experiment's
 * problems: then *out has a `broken` node, or a null cell, in its place. */
int table_cells_expand(struct expander *expander, const struct node *node,
                       const struct param *param, struct node **out);

#endif
