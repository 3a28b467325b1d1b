/* See statements.h. */
#include "cache/statements.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const queries[STATEMENTS] = {
    [FIND_RESULT] = "SELECT stage, kind, params, inputs, key_text, started, finished, seconds,"
                    " cpu_seconds, peak_bytes, threads, log, outputs FROM result"
                    " LEFT JOIN complete USING(key) WHERE key = ?1",
    [FIND_OUTPUTS] = "SELECT port, digest, output.size, tree, blob.size, inode, mtime_ns, ctime_ns"
                     " FROM output LEFT JOIN blob USING(digest) WHERE key = ?1 ORDER BY place",
    [FIND_ALIKE] = "SELECT key FROM result WHERE kind = ?1 AND substr(key_text, 1, length(?2)) = ?2"
                   " AND substr(key_text, -length(?3)) = ?3 ORDER BY key",
    [PAST_TIMES] = "SELECT result.stage, params, inputs, key_text, threads, seconds,"
                   " latest.key IS NOT NULL FROM result LEFT JOIN latest"
                   " ON latest.file = ?2 AND latest.stage = result.stage"
                   " AND latest.key = result.key"
                   " WHERE kind = ?1 ORDER BY latest.key IS NULL, finished DESC LIMIT 300",
    [ALL_KEYS] = "SELECT key FROM result ORDER BY stage, key",
    [CHECK] = "PRAGMA quick_check(1)",
    [PUT_RESULT] = "INSERT OR REPLACE INTO result(key, stage, kind, params, inputs, key_text,"
                   " started, finished, seconds, cpu_seconds, peak_bytes, threads, log)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
    [DROP_RESULT] = "DELETE FROM result WHERE key = ?1",
    [DROP_OUTPUTS] = "DELETE FROM output WHERE key = ?1",
    [PUT_OUTPUT] = "INSERT INTO output(key, place, port, digest, size, tree)"
                   " VALUES(?1,?2,?3,?4,?5,?6)",
    [PUT_COMPLETE] = "INSERT OR REPLACE INTO complete(key, outputs) VALUES(?1,?2)",
    [FIND_FAILURE] = "SELECT stage, kind, message, finished, seconds, log FROM failure"
                     " WHERE key = ?1",
    [PUT_FAILURE] = "INSERT OR REPLACE INTO failure(key, stage, kind, message, finished, seconds,"
                    " log) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [DROP_FAILURE] = "DELETE FROM failure WHERE key = ?1",
    [FIND_LATEST] = "SELECT key FROM latest WHERE file = ?1 AND stage = ?2",
    [PUT_LATEST] = "INSERT OR REPLACE INTO latest(file, stage, key) VALUES(?1,?2,?3)",
    [FIND_LATEST_FAILURE] = "SELECT key FROM latest_failure WHERE file = ?1 AND stage = ?2",
    [PUT_LATEST_FAILURE] = "INSERT OR REPLACE INTO latest_failure(file, stage, key)"
                           " VALUES(?1,?2,?3)",
    [FIND_STAT] = "SELECT digest FROM stat WHERE path = ?1 AND dev = ?2 AND inode = ?3"
                  " AND size = ?4 AND mtime_ns = ?5 AND ctime_ns = ?6",
    [PUT_STAT] = "INSERT OR REPLACE INTO stat(path, dev, inode, size, mtime_ns, ctime_ns, digest)"
                 " VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [FIND_BLOB] = "SELECT size, inode, mtime_ns, ctime_ns, verified FROM blob WHERE digest = ?1",
    [PUT_BLOB] = "INSERT OR REPLACE INTO blob(digest, size, inode, mtime_ns, ctime_ns, verified)"
                 " VALUES(?1,?2,?3,?4,?5,?6)",
    [DROP_BLOB] = "DELETE FROM blob WHERE digest = ?1",
    [BLOB_BYTES] = "SELECT total(size) FROM (SELECT DISTINCT digest, size FROM output)",
    [PUT_RUN] = "INSERT INTO run(file, started, finished, stages, cached, ran, failed, status)"
                " VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
};

sqlite3_stmt *statement_prepare(struct index *index, enum statement which, struct error *err)
{
    sqlite3_stmt **statement = &index->statements[which];
    if (*statement) {
        sqlite3_reset(*statement);
        return *statement;
    }
    if (sqlite3_prepare_v3(index->database.db, queries[which], -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL) != SQLITE_OK)
        database_fail(&index->database, err);
    return *statement;
}

void statement_bind(sqlite3_stmt *s, int place, const char *text)
{
    sqlite3_bind_text(s, place, text, -1, SQLITE_TRANSIENT);
}

int statement_run(struct index *index, sqlite3_stmt *s, struct error *err)
{
    int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : database_fail(&index->database, err);
    sqlite3_reset(s);
    return rc;
}

int statement_row(struct index *index, sqlite3_stmt *s, struct error *err)
{
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return 0;
    int rc = code == SQLITE_DONE ? -ENOENT : database_fail(&index->database, err);
    sqlite3_reset(s);
    return rc;
}

int statement_end(struct index *index, sqlite3_stmt *s, int code, int rc, struct error *err)
{
    if (rc == 0 && code != SQLITE_DONE)
        rc = database_fail(&index->database, err);
    sqlite3_reset(s);
    return rc;
}

char *statement_text(sqlite3_stmt *s, int place)
{
    const unsigned char *text = sqlite3_column_text(s, place);
    return strdup(text ? (const char *)text : "");
}

void statement_digest(sqlite3_stmt *s, int place, struct digest *digest)
{
    const unsigned char *text = sqlite3_column_text(s, place);
    snprintf(digest->hex, sizeof digest->hex, "%s", text ? (const char *)text : "");
}
