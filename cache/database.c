/* See database.h. */
#define _GNU_SOURCE
#include "cache/database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCHEMA_VERSION = 2, OLDEST_VERSION = 1, BUSY_MS = 30000 };

static const char schema[] =
    "CREATE TABLE result("
    " key TEXT PRIMARY KEY, stage TEXT NOT NULL, kind TEXT NOT NULL, params TEXT NOT NULL,"
    " inputs TEXT NOT NULL, key_text TEXT NOT NULL, started REAL, finished REAL, seconds REAL,"
    " cpu_seconds REAL, peak_bytes INTEGER, threads INTEGER, log TEXT) WITHOUT ROWID;"
    "CREATE TABLE output("
    " key TEXT NOT NULL, place INTEGER NOT NULL, port TEXT NOT NULL, digest TEXT NOT NULL,"
    " size INTEGER NOT NULL, tree INTEGER NOT NULL, PRIMARY KEY(key, place)) WITHOUT ROWID;"
    "CREATE TABLE failure("
    " key TEXT PRIMARY KEY, stage TEXT NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL,"
    " finished REAL, seconds REAL, log TEXT) WITHOUT ROWID;"
    "CREATE TABLE latest("
    " file TEXT NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL,"
    " PRIMARY KEY(file, stage)) WITHOUT ROWID;"
    "CREATE TABLE stat("
    " path TEXT PRIMARY KEY, dev INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,"
    " ctime_ns INTEGER, digest TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run("
    " id INTEGER PRIMARY KEY, file TEXT NOT NULL, started REAL, finished REAL, stages INTEGER,"
    " cached INTEGER, ran INTEGER, failed INTEGER, status INTEGER);";

/* Added by format 2. blob: metadata of each blob's file when its digest was last verified.
 * complete: the number of outputs of each result. latest_failure: as latest. */
#define TABLES_OF_2(temporary)                                                                     \
    "CREATE " temporary "TABLE blob("                                                              \
    " digest TEXT PRIMARY KEY, size INTEGER, inode INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,"   \
    " verified REAL) WITHOUT ROWID;"                                                               \
    "CREATE " temporary "TABLE complete("                                                          \
    " key TEXT PRIMARY KEY, outputs INTEGER NOT NULL) WITHOUT ROWID;"                              \
    "CREATE " temporary "TABLE latest_failure("                                                    \
    " file TEXT NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL,"                                 \
    " PRIMARY KEY(file, stage)) WITHOUT ROWID;"

const char database_advice[] = "; `ferdag fsck --repair` rebuilds it from the results' records";

static int code_of(int sqlite)
{
    switch (sqlite & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_BUSY:
        return EBUSY;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are correct, so the tables must have changed */
        return EUCLEAN;
    default:
        return EIO;
    }
}

int database_fail(struct database *d, struct error *err)
{
    int code = code_of(sqlite3_errcode(d->db));
    return error_set(err, code, "cache index %s: %s%s", d->path, sqlite3_errmsg(d->db),
                     code == EUCLEAN ? database_advice : "");
}

int database_execute(struct database *d, const char *sql, struct error *err)
{
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : database_fail(d, err);
}

static int get_version(struct database *d, int *version, struct error *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(d->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return database_fail(d, err);
    int rc = sqlite3_step(statement) == SQLITE_ROW ? 0 : database_fail(d, err);
    if (rc == 0)
        *version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

static int set_version(struct database *d, struct error *err)
{
    char text[64];
    snprintf(text, sizeof text, "PRAGMA user_version = %d", SCHEMA_VERSION);
    return database_execute(d, text, err);
}

int database_upgrade(struct database *d, struct error *err)
{
    if (d->read_only)
        return database_execute(d, "PRAGMA temp_store=MEMORY;" TABLES_OF_2("TEMP "), err);
    int version = 0;
    int rc = get_version(d, &version, err);
    if (rc == 0 && version < SCHEMA_VERSION)
        rc = database_execute(d, TABLES_OF_2(""), err);
    return rc < 0 ? rc : set_version(d, err);
}

/* Creates the tables unless another process did meanwhile. */
static int create_schema(struct database *d, struct error *err)
{
    int version = 0;
    int rc = database_execute(d, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    rc = get_version(d, &version, err);
    if (rc == 0 && version == 0) {
        rc = database_execute(d, schema, err);
        if (rc == 0)
            rc = database_upgrade(d, err);
    }
    if (rc == 0)
        return database_execute(d, "COMMIT", err);
    database_execute(d, "ROLLBACK", NULL);
    return rc;
}

/* Turning on WAL needs an exclusive lock, for which SQLite doesn't wait: try again. */
static int use_wal(struct database *d, struct error *err)
{
    int rc = 0;
    for (int tries = 0; tries < 100; tries++) {
        rc = database_execute(d, "PRAGMA journal_mode=WAL", err);
        if (rc != -EBUSY)
            break;
        sqlite3_sleep(20);
    }
    return rc;
}

/* Opens a path or URI and reads the format. */
static int open_database(struct database *d, const char *name, int flags, int *version,
                         struct error *err)
{
    sqlite3_close(d->db);
    d->db = NULL;
    if (sqlite3_open_v2(name, &d->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return d->db ? database_fail(d, err)
                     : error_set(err, ENOMEM, "out of memory opening %s", d->path);
    sqlite3_busy_timeout(d->db, BUSY_MS);
    return get_version(d, version, err);
}

/* -EUCLEAN if a table is missing. */
static int check_tables(struct database *d, struct error *err)
{
    static const char sql[] =
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN"
        " ('result', 'output', 'failure', 'latest', 'stat', 'run', 'blob', 'complete',"
        " 'latest_failure')";
    enum { TABLES_1 = 6, TABLES_2 = 9 }; /* of format 1 and 2 */
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(d->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return database_fail(d, err);
    int rc = sqlite3_step(statement) == SQLITE_ROW ? 0 : database_fail(d, err);
    int count = rc == 0 ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    if (rc < 0 || count >= (d->old ? TABLES_1 : TABLES_2))
        return rc;
    return error_set(err, EUCLEAN, "cache index %s: a table is missing%s", d->path,
                     database_advice);
}

static int check_version(struct database *d, int version, struct error *err)
{
    d->old = version == OLDEST_VERSION;
    if (version == SCHEMA_VERSION || d->old)
        return check_tables(d, err);
    return error_set(err, EINVAL, "%s has format %d; this program knows formats %d and %d", d->path,
                     version, OLDEST_VERSION, SCHEMA_VERSION);
}

static int connect_writing(struct database *d, struct error *err)
{
    int version = 0;
    int rc = open_database(d, d->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &version, err);
    if (rc == 0 && version == 0) {
        rc = use_wal(d, err);
        if (rc == 0)
            rc = create_schema(d, err);
        version = SCHEMA_VERSION;
    }
    if (rc == 0)
        rc = check_version(d, version, err);
    /* Commits aren't synced: what the index loses in a power cut is in the results' records. */
    return rc < 0 ? rc : database_execute(d, "PRAGMA synchronous=NORMAL", err);
}

/* Whether the write-ahead log holds changes. */
static bool has_log(const char *path)
{
    struct stat st;
    char *log = sqlite3_mprintf("%s-wal", path);
    bool there = log && stat(log, &st) == 0 && st.st_size > 0;
    sqlite3_free(log);
    return there;
}

/* "file:/a%20b?immutable=1"; NULL without memory. The caller frees it. */
static char *immutable_uri(const char *path)
{
    static const char start[] = "file:", end[] = "?immutable=1";
    char *uri = malloc(sizeof start + 3 * strlen(path) + sizeof end), *to = uri;
    if (!uri)
        return NULL;
    to = stpcpy(to, start);
    for (; *path; path++)
        to += sprintf(to, strchr("%?# ", *path) ? "%%%02X" : "%c", (unsigned char)*path);
    stpcpy(to, end);
    return uri;
}

/* SQLite reads a database with a write-ahead log through files beside it. If no writer has made
 * them, SQLite would, which it can't here; but then there is no writer, and the file is immutable.
 */
static int connect_reading(struct database *d, struct error *err)
{
    int version = 0;
    struct error first;
    int rc = open_database(d, d->path, SQLITE_OPEN_READONLY, &version, &first);
    if (rc == -EUCLEAN) {
        *err = first;
        return rc;
    }
    if (rc < 0 && has_log(d->path))
        return error_set(err, EROFS,
                         "cache index %s: its last changes are in %s-wal, which can only be read "
                         "where the cache can be written",
                         d->path, d->path);
    if (rc < 0) {
        char *uri = immutable_uri(d->path);
        rc = uri ? open_database(d, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &version, err)
                 : error_set(err, ENOMEM, "out of memory opening %s", d->path);
        free(uri);
    }
    return rc < 0 ? rc : check_version(d, version, err);
}

int database_open(struct database *d, const char *path, bool read_only, struct error *err)
{
    *d = (struct database){.path = strdup(path), .read_only = read_only};
    int rc = !d->path    ? error_set(err, ENOMEM, "out of memory opening %s", path)
             : read_only ? connect_reading(d, err)
                         : connect_writing(d, err);
    if (rc < 0)
        database_close(d);
    return rc;
}

void database_close(struct database *d)
{
    sqlite3_close(d->db);
    free(d->path);
    *d = (struct database){0};
}
