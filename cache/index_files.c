/* See index.h: metadata of the user's files and of blobs' files; salvage of a damaged index. */
#include "cache/index.h"
#include "base/clock.h"
#include "cache/statements.h"

#include <errno.h>
#include <sqlite3.h>

static void bind_stat(sqlite3_stmt *s, const char *path, const struct stat *st)
{
    statement_bind(s, 1, path);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)st->st_dev);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)st->st_ino);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)st->st_size);
    sqlite3_bind_int64(s, 5, clock_ns(&st->st_mtim));
    sqlite3_bind_int64(s, 6, clock_ns(&st->st_ctim));
}

int index_find_stat(struct index *index, const char *path, const struct stat *st,
                    struct digest *digest, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, FIND_STAT, err);
    if (!s)
        return -EIO;
    bind_stat(s, path, st);
    int rc = statement_row(index, s, err);
    if (rc < 0)
        return rc;
    statement_digest(s, 0, digest);
    sqlite3_reset(s);
    return 0;
}

int index_put_stat(struct index *index, const char *path, const struct stat *st,
                   const struct digest *digest, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = statement_prepare(index, PUT_STAT, err);
    if (!s)
        return -EIO;
    bind_stat(s, path, st);
    statement_bind(s, 7, digest->hex);
    return statement_run(index, s, err);
}

int index_find_blob(struct index *index, const struct digest *digest, struct metadata *metadata,
                    double *verified, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, FIND_BLOB, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, digest->hex);
    int rc = statement_row(index, s, err);
    if (rc < 0)
        return rc;
    *metadata = (struct metadata){.size = (uint64_t)sqlite3_column_int64(s, 0),
                                  .inode = (uint64_t)sqlite3_column_int64(s, 1),
                                  .mtime_ns = sqlite3_column_int64(s, 2),
                                  .ctime_ns = sqlite3_column_int64(s, 3)};
    *verified = sqlite3_column_double(s, 4);
    sqlite3_reset(s);
    return 0;
}

int index_put_blob(struct index *index, const struct digest *digest,
                   const struct metadata *metadata, double verified, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = statement_prepare(index, PUT_BLOB, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, digest->hex);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)metadata->size);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)metadata->inode);
    sqlite3_bind_int64(s, 4, metadata->mtime_ns);
    sqlite3_bind_int64(s, 5, metadata->ctime_ns);
    sqlite3_bind_double(s, 6, verified);
    return statement_run(index, s, err);
}

int index_remove_blob(struct index *index, const struct digest *digest, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = statement_prepare(index, DROP_BLOB, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, digest->hex);
    return statement_run(index, s, err);
}

int index_blob_bytes(struct index *index, uint64_t *bytes, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, BLOB_BYTES, err);
    int rc = s ? statement_row(index, s, err) : -EIO;
    if (rc < 0)
        return rc;
    *bytes = (uint64_t)sqlite3_column_double(s, 0);
    sqlite3_reset(s);
    return 0;
}

/* Copies rows of a table until one can't be read. */
static void copy_rows(sqlite3 *from, sqlite3 *to, const char *select, const char *insert)
{
    sqlite3_stmt *read = NULL, *write = NULL;
    if (sqlite3_prepare_v2(from, select, -1, &read, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(to, insert, -1, &write, NULL) == SQLITE_OK)
        while (sqlite3_step(read) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(read); i++)
                sqlite3_bind_value(write, i + 1, sqlite3_column_value(read, i));
            sqlite3_step(write);
            sqlite3_reset(write);
        }
    sqlite3_finalize(read);
    sqlite3_finalize(write);
}

void index_salvage(struct index *index, const char *damaged)
{
    static const char *const tables[][2] = {
        {"SELECT file, stage, key FROM latest", "INSERT OR IGNORE INTO latest VALUES(?1,?2,?3)"},
        {"SELECT key, stage, kind, message, finished, seconds, log FROM failure",
         "INSERT OR IGNORE INTO failure VALUES(?1,?2,?3,?4,?5,?6,?7)"},
        {"SELECT id, file, started, finished, stages, cached, ran, failed, status FROM run",
         "INSERT OR IGNORE INTO run VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"},
    };
    sqlite3 *from = NULL;
    if (sqlite3_open_v2(damaged, &from, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
            copy_rows(from, index->database.db, tables[i][0], tables[i][1]);
    sqlite3_close(from);
}
