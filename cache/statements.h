/* Every SQL statement of the program, prepared at first use and kept: what index.c and
 * index_files.c share. */
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
    int batch; /* depth of index_begin */
};

/* The statement, reset, or NULL with err filled. */
sqlite3_stmt *statement_prepare(struct index *index, enum statement which, struct error *err);
/* Runs a statement that gives no rows. */
int statement_run(struct index *index, sqlite3_stmt *statement, struct error *err);
/* Steps to the one row: 0, -ENOENT, or an error. The caller resets. */
int statement_row(struct index *index, sqlite3_stmt *statement, struct error *err);
/* Ends a loop over rows whose last sqlite3_step gave `code`: resets; 0, rc if negative, or an
 * error. */
int statement_end(struct index *index, sqlite3_stmt *statement, int code, int rc,
                  struct error *err);
/* Binding fails only for want of memory; the step after it then sees a NULL where none may be. */
void statement_bind(sqlite3_stmt *statement, int place, const char *text);

/* A column as malloc'd text ("" for NULL; NULL without memory), or as a digest. */
char *statement_text(sqlite3_stmt *statement, int place);
void statement_digest(sqlite3_stmt *statement, int place, struct digest *digest);

#endif
