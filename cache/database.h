/* The index's SQLite file (write-ahead log, one writer at a time): opens it, creates and upgrades
 * the schema, and reports errors. statements.c has the queries. */
#ifndef FERDAG_CACHE_DATABASE_H
#define FERDAG_CACHE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include "base/error.h"

struct database {
    sqlite3 *db;
    char *path;
    bool read_only;
    bool old; /* format 1, without the tables of format 2 */
};

/* Opens the file, or creates it with its tables. With read_only it is neither created nor written;
 * -EROFS: its last changes are in a log that only a writer can read. -EINVAL: unknown format.
 * -EUCLEAN: damaged. */
int database_open(struct database *d, const char *path, bool read_only, struct error *err);
void database_close(struct database *d); /* a zeroed one is allowed */

/* End of the message about a damaged file: what to do. */
extern const char database_advice[];

/* Runs SQL that returns no rows. */
int database_execute(struct database *d, const char *sql, struct error *err);

/* Adds the tables of format 2 to a file of format 1, in the caller's transaction. In a read_only
 * file the tables are temporary and empty. */
int database_upgrade(struct database *d, struct error *err);

/* Fills err with SQLite's last error; returns a negative code, -EUCLEAN for a damaged file. */
int database_fail(struct database *d, struct error *err);

#endif
