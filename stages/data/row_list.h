/* Lists of rows of a data set, in CSV files with a column `row`: the format of ports with data
 * `rows`, such as `removed` of filter_noise. Row 0 is the first after the header of the data set's
 * own CSV. */
#ifndef FERDAG_STAGES_DATA_ROW_LIST_H
#define FERDAG_STAGES_DATA_ROW_LIST_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct row_list {
    int32_t *rows; /* ascending, each once */
    size_t n;
};

/* Reads a CSV with a header. Other columns are ignored, as are empty lines; fields may be quoted.
 * `name` is the file's name in errors. -EINVAL, with name:line, if the header has no column `row`
 * or a line has no row number in it; -ENOMEM; errors of the disk. row_list_free frees. */
int row_list_read(const char *path, const char *name, struct row_list *list, struct error *err);
void row_list_free(struct row_list *list);

#endif
