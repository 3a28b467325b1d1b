/* The tables and claims as .csv and .md. */
#ifndef FERDAG_REPORTS_PLAIN_H
#define FERDAG_REPORTS_PLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/text.h"

/* Writes FOLDER/ID.csv and FOLDER/ID.md for each table (as cells_evaluate made them), and
 * claims.csv and claims.md; the folder is there. notice (may be "") stands above each .md. */
int plain_write(const char *folder, const json_t *tables, const json_t *claims, const char *notice,
                struct error *err);

void plain_table_csv(struct text *t, const json_t *table);
void plain_table_md(struct text *t, const json_t *table, const char *notice);
void plain_claims_csv(struct text *t, const json_t *claims);
void plain_claims_md(struct text *t, const json_t *claims, const char *notice);

/* One CSV field, quoted where RFC 4180 wants it; control bytes other than newlines become spaces.
 */
void plain_csv_field(struct text *t, const char *s);
/* Text for Markdown, with its special characters escaped, on one line. */
void plain_md_text(struct text *t, const char *s);

/* Whether a table's id can be a file's name: letters, digits, _ and - only. */
bool plain_is_file_name(const char *id);
/* Whether plain_write has files of that name which are no table's. */
bool plain_is_taken(const char *id);

#endif
