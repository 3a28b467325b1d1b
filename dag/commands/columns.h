/* Aligned columns of text, each wrapped at words to its width. */
#ifndef FERDAG_DAG_COMMANDS_COLUMNS_H
#define FERDAG_DAG_COMMANDS_COLUMNS_H

#include <stddef.h>
#include "base/arena.h"

enum { COLUMNS_MOST = 6 };

/* One row: texts from left to right, and one that stands below them on lines of its own. NULL
 * counts as "". */
struct columns_row {
    const char *cells[COLUMNS_MOST];
    const char *below;
};

/* A table starts zeroed but for arena and count. */
struct columns {
    struct arena *arena;
    size_t count; /* of columns */
    struct columns_row *rows;
    size_t row_count;
};

void columns_add(struct columns *table, struct columns_row row);

/* Columns of the terminal on stdout, between 40 and 100; 80 where stdout is no terminal. */
int columns_screen(void);

/* Prints the rows on stdout, indented by 2, on lines of at most `screen` columns. The last column
 * takes what the others leave; where that is too little it stands below the rest of its row. */
void columns_print(const struct columns *table, int screen);

/* Prints a text on stdout, wrapped to `screen` columns. The cursor is in column `at`; lines after
 * the first are indented by `indent`. Ends with a newline. */
void columns_wrap(const char *text, int at, int indent, int screen);

#endif
