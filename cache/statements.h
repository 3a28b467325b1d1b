/* All SQL statements but the schema, prepared at first use and kept until the index is closed. For
 * index.c and index_files.c. */
#ifndef FERDAG_CACHE_STATEMENTS_H
#define FERDAG_CACHE_STATEMENTS_H

#include "cache/database.h"
#include "cache/sha256.h"

enum statement {
    FIND_RESULT,
    FIND_OUTPUTS,
    FIND_ALIKE,
    PAST_TIMES,
    ALL_KEYS,
    CHECK,
    PUT_RESULT,
    DROP_RESULT,
    DROP_OUTPUTS,
    PUT_OUTPUT,
    PUT_COMPLETE,
    FIND_FAILURE,
    PUT_FAILURE,
    DROP_FAILURE,
    FIND_LATEST,
    PUT_LATEST,
    FIND_LATEST_FAILURE,
    PUT_LATEST_FAILURE,
    FIND_STAT,
    PUT_STAT,
    FIND_BLOB,
    PUT_BLOB,
    DROP_BLOB,
    BLOB_BYTES,
    PUT_RUN,
    STATEMENTS
};

struct index {
    struct database database;
    sqlite3_stmt *statements[STATEMENTS];
    int batch; /* depth of nested index_begin_transaction */
};

/* Returns the statement, reset, or NULL with err filled. */
sqlite3_stmt *statement_prepare(struct index *index, enum statement which, struct error *err);

/* Runs a statement that returns no rows. */
int statement_run(struct index *index, sqlite3_stmt *statement, struct error *err);

/* Reads the only row: 0, -ENOENT, or an error. Call sqlite3_reset afterwards. */
int statement_row(struct index *index, sqlite3_stmt *statement, struct error *err);

/* Ends a loop over rows whose last sqlite3_step returned `code`: resets the statement. 0, rc if it
 * is negative, or an error. */
int statement_end(struct index *index, sqlite3_stmt *statement, int code, int rc,
                  struct error *err);

/* Binds a text. Fails only when memory is out; the next step then finds a NULL in a column that may
 * not be NULL, and fails. */
void statement_bind(sqlite3_stmt *statement, int place, const char *text);

/* A column as malloc'd text ("" for NULL; NULL when memory is out), or as a digest. */
char *statement_text(sqlite3_stmt *statement, int place);
void statement_digest(sqlite3_stmt *statement, int place, struct digest *digest);

#endif
