/* Tables and claims as files of their own: .csv and .md. */
#ifndef FERDAG_REPORTS_TABLE_FILES_H
#define FERDAG_REPORTS_TABLE_FILES_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "base/text.h"

/* Writes FOLDER/ID.csv and FOLDER/ID.md for each table (as cells_evaluate made them), and
 * if there are claims (as claims_decide made them), claims.csv and claims.md. The folder exists.
 * notice (may be "") is in each .md. Returns 0, -EINVAL for an id that can't name a file, or what
 * writing fails with. */
int table_files_write(const char *folder, const json_t *tables, const json_t *claims,
                      const char *notice, struct error *err);

/* A table as text. */
void table_files_csv(struct text *t, const json_t *table);
void table_files_markdown(struct text *t, const json_t *table, const char *notice);

/* Adds one field, quoted where RFC 4180 requires it; control bytes other than line ends become
 * spaces. */
void csv_field(struct text *t, const char *s);

/* Whether a table's id can name its files: letters, digits, "_" and "-" only. */
bool table_files_is_name(const char *id);
/* Whether table_files_write has files of that name which belong to no table. */
bool table_files_is_taken(const char *id);

#endif
