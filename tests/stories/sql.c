/* Runs an SQL statement on a cache's index, to damage it.
 *
 *   sql CACHE STATEMENT */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    char *message = NULL, *file = argc == 3 ? format_string("%s/index.sqlite", argv[1]) : NULL;
    if (!file)
        return 2;
    int rc = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, argv[2], NULL, NULL, &message);
    if (rc != SQLITE_OK)
        fprintf(stderr, "sql: %s\n", message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    sqlite3_close(db);
    free(file);
    return rc != SQLITE_OK;
}
