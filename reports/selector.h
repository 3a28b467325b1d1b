/* Names of cells: "table3/vgg19/full_public"; row and column may be "*" for all or "a|b|c". */
#ifndef FERDAG_REPORTS_SELECTOR_H
#define FERDAG_REPORTS_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

/* One cell and its place. All pointers are borrowed from the tables. */
struct selected {
    const char *table_id, *table_name, *row_id, *column_id;
    const json_t *row, *column, *cell;
};

struct selection {
    struct selected *items;
    size_t n;
    bool many_rows, many_columns; /* the selector may name several */
};

/* Finds the cells in tables (the array that cells_evaluate made): at least one, else -EINVAL. The
 * caller frees *s with selector_free, also after an error. */
int selector_find(const json_t *tables, const char *selector, struct selection *s,
                  struct error *err);
void selector_free(struct selection *s);

#endif
