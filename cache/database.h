/* The index's SQLite file (WAL, one writer at a time): opens it, creates the schema, reports
 * errors. index.c knows what is in the tables. */
#ifndef FERDAG_CACHE_DATABASE_H
#define FERDAG_CACHE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include "base/error.h"

struct database {
    sqlite3 *db;
    char *path;
    bool read_only;
    bool old; /* the file has format 1, without the tables of format 2 */
};

/* Opens the file and creates it with its tables if it isn't there; with read_only one that may not
 * be written, of which -EROFS says that its last changes can't be read so. -EINVAL: another format.
 * -EUCLEAN: it is damaged. */
int database_open(struct database *d, const char *path, bool read_only, struct error *err);
void database_close(struct database *d); /* a zeroed one is fine */

/* What to do about a damaged file: the end of a message. */
extern const char database_advice[];

/* Runs SQL that gives no rows. */
int database_execute(struct database *d, const char *sql, struct error *err);
/* Adds the tables of format 2 to a file of format 1, in the transaction that the caller began. In
 * one that is read_only they are temporary, and empty. */
int database_upgrade(struct database *d, struct error *err);
/* Fills err with SQLite's last error; returns a negative code, -EUCLEAN for a damaged file. */
int database_fail(struct database *d, struct error *err);

#endif
