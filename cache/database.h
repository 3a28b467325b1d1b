/* The index's SQLite file (WAL, one writer at a time): opened, its tables made, its errors told.
 * What is in them is index.c's. */
#ifndef FERDAG_CACHE_DATABASE_H
#define FERDAG_CACHE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include "base/error.h"

struct database {
    sqlite3 *db;
    char *path;
    bool read_only;
};

/* Opens the file, made with its tables if it isn't there; with read_only one that may not be
 * written, of which -EROFS says that its last changes can't be read so. -EINVAL: another format. */
int database_open(struct database *d, const char *path, bool read_only, struct error *err);
void database_close(struct database *d); /* a zeroed one is fine */

/* Runs SQL that gives no rows. */
int database_execute(struct database *d, const char *sql, struct error *err);
/* Says what SQLite's last call complained of; returns a negative code. */
int database_fail(struct database *d, struct error *err);

#endif
