/* See index.h. */
#include "cache/index.h"
#include "cache/database.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every statement of the program; prepared at first use and kept. */
enum statement {
    FIND_RESULT,
    FIND_OUTPUTS,
    FIND_ALIKE,
    ALL_OUTPUTS,
    CHECK,
    PUT_RESULT,
    DROP_OUTPUTS,
    PUT_OUTPUT,
    FIND_FAILURE,
    PUT_FAILURE,
    DROP_FAILURE,
    FIND_LATEST,
    PUT_LATEST,
    FIND_STAT,
    PUT_STAT,
    PUT_RUN,
    STATEMENTS
};

static const char *const queries[STATEMENTS] = {
    [FIND_RESULT] = "SELECT stage, kind, params, inputs, key_text, started, finished, seconds,"
                    " cpu_seconds, peak_bytes, threads, log FROM result WHERE key = ?1",
    [FIND_OUTPUTS] = "SELECT port, digest, size, tree FROM output WHERE key = ?1 ORDER BY place",
    [FIND_ALIKE] = "SELECT key FROM result WHERE kind = ?1 AND substr(key_text, 1, length(?2)) = ?2"
                   " AND substr(key_text, -length(?3)) = ?3 ORDER BY key",
    [ALL_OUTPUTS] = "SELECT stage, port, digest, size, tree FROM output JOIN result USING(key)"
                    " ORDER BY stage, key, place",
    [CHECK] = "PRAGMA quick_check(1)",
    [PUT_RESULT] = "INSERT OR REPLACE INTO result(key, stage, kind, params, inputs, key_text,"
                   " started, finished, seconds, cpu_seconds, peak_bytes, threads, log)"
                   " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
    [DROP_OUTPUTS] = "DELETE FROM output WHERE key = ?1",
    [PUT_OUTPUT] = "INSERT INTO output(key, place, port, digest, size, tree)"
                   " VALUES(?1,?2,?3,?4,?5,?6)",
    [FIND_FAILURE] = "SELECT stage, kind, message, finished, seconds, log FROM failure"
                     " WHERE key = ?1",
    [PUT_FAILURE] = "INSERT OR REPLACE INTO failure(key, stage, kind, message, finished, seconds,"
                    " log) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [DROP_FAILURE] = "DELETE FROM failure WHERE key = ?1",
    [FIND_LATEST] = "SELECT key FROM latest WHERE file = ?1 AND stage = ?2",
    [PUT_LATEST] = "INSERT OR REPLACE INTO latest(file, stage, key) VALUES(?1,?2,?3)",
    [FIND_STAT] = "SELECT digest FROM stat WHERE path = ?1 AND dev = ?2 AND inode = ?3"
                  " AND size = ?4 AND mtime_ns = ?5 AND ctime_ns = ?6",
    [PUT_STAT] = "INSERT OR REPLACE INTO stat(path, dev, inode, size, mtime_ns, ctime_ns, digest)"
                 " VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [PUT_RUN] = "INSERT INTO run(file, started, finished, stages, cached, ran, failed, status)"
                " VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
};

struct index {
    struct database database;
    sqlite3_stmt *statements[STATEMENTS];
    int batch; /* depth of index_begin */
};

static int open_as(struct index **out, const char *path, bool read_only, struct error *err)
{
    struct index *index = calloc(1, sizeof *index);
    if (!index)
        return error_set(err, ENOMEM, "out of memory opening %s", path);
    int rc = database_open(&index->database, path, read_only, err);
    if (rc < 0) {
        free(index);
        return rc;
    }
    *out = index;
    return 0;
}

int index_open(struct index **index, const char *path, struct error *err)
{
    return open_as(index, path, false, err);
}

int index_open_read_only(struct index **index, const char *path, struct error *err)
{
    return open_as(index, path, true, err);
}

void index_close(struct index *index)
{
    if (!index)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(index->statements[i]);
    database_close(&index->database);
    free(index);
}

/* The statement, reset, or NULL with err filled. */
static sqlite3_stmt *prepare(struct index *index, enum statement which, struct error *err)
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

/* Binding fails only for want of memory; the step after it then sees a NULL where none may be. */
static void bind_text(sqlite3_stmt *s, int place, const char *text)
{
    sqlite3_bind_text(s, place, text, -1, SQLITE_TRANSIENT);
}

/* Runs a statement that gives no rows. */
static int step(struct index *index, sqlite3_stmt *statement, struct error *err)
{
    int rc = sqlite3_step(statement) == SQLITE_DONE ? 0 : database_fail(&index->database, err);
    sqlite3_reset(statement);
    return rc;
}

/* Steps to the one row: 0, -ENOENT, or an error. */
static int step_row(struct index *index, sqlite3_stmt *statement, struct error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 0;
    int rc = code == SQLITE_DONE ? -ENOENT : database_fail(&index->database, err);
    sqlite3_reset(statement);
    return rc;
}

/* Looks up what has a key, or two (or NULL): 0 with the statement on its one row, which the caller
 * resets, -ENOENT, or an error. */
static int find(struct index *index, enum statement which, const char *key, const char *second,
                sqlite3_stmt **statement, struct error *err)
{
    sqlite3_stmt *s = *statement = prepare(index, which, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, key);
    if (second)
        bind_text(s, 2, second);
    return step_row(index, s, err);
}

static char *column(sqlite3_stmt *statement, int place)
{
    const unsigned char *text = sqlite3_column_text(statement, place);
    return strdup(text ? (const char *)text : "");
}

static void column_digest(sqlite3_stmt *statement, int place, struct digest *digest)
{
    const unsigned char *text = sqlite3_column_text(statement, place);
    snprintf(digest->hex, sizeof digest->hex, "%s", text ? (const char *)text : "");
}

int index_begin(struct index *index, struct error *err)
{
    if (index->database.read_only)
        return 0;
    int rc = index->batch == 0 ? database_execute(&index->database, "BEGIN IMMEDIATE", err) : 0;
    if (rc == 0)
        index->batch++;
    return rc;
}

static int abandon(struct index *index, int rc)
{
    index->batch = 0;
    database_execute(&index->database, "ROLLBACK", NULL);
    return rc;
}

int index_end(struct index *index, struct error *err)
{
    if (index->database.read_only)
        return 0;
    int rc = --index->batch == 0 ? database_execute(&index->database, "COMMIT", err) : 0;
    return rc < 0 ? abandon(index, rc) : 0;
}

void result_free(struct result *r)
{
    free(r->key);
    free(r->stage);
    free(r->kind);
    free(r->params);
    free(r->inputs);
    free(r->key_text);
    for (size_t i = 0; i < r->output_count; i++)
        free(r->outputs[i].port);
    free(r->outputs);
    *r = (struct result){0};
}

const struct blob *result_output(const struct result *result, const char *port)
{
    for (size_t i = 0; i < result->output_count; i++)
        if (strcmp(result->outputs[i].port, port) == 0)
            return &result->outputs[i].blob;
    return NULL;
}

static int find_outputs(struct index *index, const char *key, struct result *result,
                        struct error *err)
{
    sqlite3_stmt *s = prepare(index, FIND_OUTPUTS, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, key);
    int code, rc = 0;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        size_t n = result->output_count;
        struct result_output *larger = realloc(result->outputs, (n + 1) * sizeof *larger);
        if (!larger) {
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
            break;
        }
        result->outputs = larger;
        larger[n] = (struct result_output){.port = column(s, 0)};
        larger[n].blob.size = (uint64_t)sqlite3_column_int64(s, 2);
        larger[n].blob.tree = sqlite3_column_int(s, 3) != 0;
        column_digest(s, 1, &larger[n].blob.digest);
        result->output_count++;
    }
    if (rc == 0 && code != SQLITE_DONE)
        rc = database_fail(&index->database, err);
    sqlite3_reset(s);
    return rc;
}

int index_find(struct index *index, const char *key, struct result *result, struct error *err)
{
    *result = (struct result){0};
    sqlite3_stmt *s;
    int rc = find(index, FIND_RESULT, key, NULL, &s, err);
    if (rc < 0)
        return rc;
    *result = (struct result){
        .key = strdup(key),
        .stage = column(s, 0),
        .kind = column(s, 1),
        .params = column(s, 2),
        .inputs = column(s, 3),
        .key_text = column(s, 4),
        .started = sqlite3_column_double(s, 5),
        .finished = sqlite3_column_double(s, 6),
        .seconds = sqlite3_column_double(s, 7),
        .cpu_seconds = sqlite3_column_double(s, 8),
        .peak_bytes = sqlite3_column_int64(s, 9),
        .threads = sqlite3_column_int(s, 10),
    };
    column_digest(s, 11, &result->log);
    sqlite3_reset(s);
    if (!result->key || !result->stage || !result->kind || !result->params || !result->inputs ||
        !result->key_text)
        rc = error_set(err, ENOMEM, "out of memory reading the cache index");
    if (rc == 0)
        rc = find_outputs(index, key, result, err);
    if (rc < 0)
        result_free(result);
    return rc;
}

int index_find_alike(struct index *index, const char *kind, const char *start, const char *end,
                     struct digest **keys, size_t *count, struct error *err)
{
    *keys = NULL;
    *count = 0;
    sqlite3_stmt *s = prepare(index, FIND_ALIKE, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, kind);
    bind_text(s, 2, start);
    bind_text(s, 3, end);
    int code, rc = 0;
    while (rc == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct digest *larger = realloc(*keys, (*count + 1) * sizeof *larger);
        if (larger) {
            *keys = larger;
            column_digest(s, 0, &larger[(*count)++]);
        } else {
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
        }
    }
    if (rc == 0 && code != SQLITE_DONE)
        rc = database_fail(&index->database, err);
    sqlite3_reset(s);
    if (rc < 0) {
        free(*keys);
        *keys = NULL;
        *count = 0;
    }
    return rc;
}

static int put_result(struct index *index, const struct result *r, struct error *err)
{
    sqlite3_stmt *s = prepare(index, PUT_RESULT, err);
    if (!s)
        return -EIO;
    const char *texts[] = {r->key, r->stage, r->kind, r->params, r->inputs, r->key_text};
    for (int i = 0; i < 6; i++)
        bind_text(s, i + 1, texts[i]);
    sqlite3_bind_double(s, 7, r->started);
    sqlite3_bind_double(s, 8, r->finished);
    sqlite3_bind_double(s, 9, r->seconds);
    sqlite3_bind_double(s, 10, r->cpu_seconds);
    sqlite3_bind_int64(s, 11, r->peak_bytes);
    sqlite3_bind_int(s, 12, r->threads);
    bind_text(s, 13, r->log.hex);
    return step(index, s, err);
}

static int put_outputs(struct index *index, const struct result *r, struct error *err)
{
    sqlite3_stmt *s = prepare(index, DROP_OUTPUTS, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, r->key);
    int rc = step(index, s, err);
    for (size_t i = 0; rc == 0 && i < r->output_count; i++) {
        if (!(s = prepare(index, PUT_OUTPUT, err)))
            return -EIO;
        bind_text(s, 1, r->key);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)i);
        bind_text(s, 3, r->outputs[i].port);
        bind_text(s, 4, r->outputs[i].blob.digest.hex);
        sqlite3_bind_int64(s, 5, (sqlite3_int64)r->outputs[i].blob.size);
        sqlite3_bind_int(s, 6, r->outputs[i].blob.tree);
        rc = step(index, s, err);
    }
    return rc;
}

static int drop_failure(struct index *index, const char *key, struct error *err)
{
    sqlite3_stmt *s = prepare(index, DROP_FAILURE, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, key);
    return step(index, s, err);
}

int index_commit(struct index *index, const struct result *result, struct error *err)
{
    int rc = index_begin(index, err);
    if (rc < 0)
        return rc;
    rc = put_result(index, result, err);
    if (rc == 0)
        rc = put_outputs(index, result, err);
    if (rc == 0)
        rc = drop_failure(index, result->key, err);
    if (rc == 0)
        rc = index_end(index, err);
    return rc < 0 ? abandon(index, rc) : 0;
}

void failure_free(struct failure *f)
{
    free(f->key);
    free(f->stage);
    free(f->kind);
    free(f->message);
    *f = (struct failure){0};
}

int index_fail(struct index *index, const struct failure *f, struct error *err)
{
    sqlite3_stmt *s = prepare(index, PUT_FAILURE, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, f->key);
    bind_text(s, 2, f->stage);
    bind_text(s, 3, f->kind);
    bind_text(s, 4, f->message);
    sqlite3_bind_double(s, 5, f->finished);
    sqlite3_bind_double(s, 6, f->seconds);
    bind_text(s, 7, f->log.hex);
    return step(index, s, err);
}

int index_find_failure(struct index *index, const char *key, struct failure *f, struct error *err)
{
    *f = (struct failure){0};
    sqlite3_stmt *s;
    int rc = find(index, FIND_FAILURE, key, NULL, &s, err);
    if (rc < 0)
        return rc;
    *f = (struct failure){
        .key = strdup(key),
        .stage = column(s, 0),
        .kind = column(s, 1),
        .message = column(s, 2),
        .finished = sqlite3_column_double(s, 3),
        .seconds = sqlite3_column_double(s, 4),
    };
    column_digest(s, 5, &f->log);
    sqlite3_reset(s);
    if (!f->key || !f->stage || !f->kind || !f->message) {
        failure_free(f);
        return error_set(err, ENOMEM, "out of memory reading the cache index");
    }
    return 0;
}

int index_set_latest(struct index *index, const char *file, const char *stage, const char *key,
                     struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = prepare(index, PUT_LATEST, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, file);
    bind_text(s, 2, stage);
    bind_text(s, 3, key);
    return step(index, s, err);
}

int index_latest(struct index *index, const char *file, const char *stage, char key[65],
                 struct error *err)
{
    sqlite3_stmt *s;
    int rc = find(index, FIND_LATEST, file, stage, &s, err);
    if (rc < 0)
        return rc;
    struct digest digest;
    column_digest(s, 0, &digest);
    memcpy(key, digest.hex, 65);
    sqlite3_reset(s);
    return 0;
}

static sqlite3_int64 nanoseconds(const struct timespec *t)
{
    return (sqlite3_int64)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void bind_stat(sqlite3_stmt *s, const char *path, const struct stat *st)
{
    bind_text(s, 1, path);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)st->st_dev);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)st->st_ino);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)st->st_size);
    sqlite3_bind_int64(s, 5, nanoseconds(&st->st_mtim));
    sqlite3_bind_int64(s, 6, nanoseconds(&st->st_ctim));
}

int index_stat_find(struct index *index, const char *path, const struct stat *st,
                    struct digest *digest, struct error *err)
{
    sqlite3_stmt *s = prepare(index, FIND_STAT, err);
    if (!s)
        return -EIO;
    bind_stat(s, path, st);
    int rc = step_row(index, s, err);
    if (rc < 0)
        return rc;
    column_digest(s, 0, digest);
    sqlite3_reset(s);
    return 0;
}

int index_stat_set(struct index *index, const char *path, const struct stat *st,
                   const struct digest *digest, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = prepare(index, PUT_STAT, err);
    if (!s)
        return -EIO;
    bind_stat(s, path, st);
    bind_text(s, 7, digest->hex);
    return step(index, s, err);
}

int index_add_run(struct index *index, const struct run_record *run, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = prepare(index, PUT_RUN, err);
    if (!s)
        return -EIO;
    bind_text(s, 1, run->file);
    sqlite3_bind_double(s, 2, run->started);
    sqlite3_bind_double(s, 3, run->finished);
    const int counts[] = {run->stages, run->cached, run->ran, run->failed, run->status};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int(s, 4 + i, counts[i]);
    return step(index, s, err);
}

void known_outputs_free(struct known_output *outputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(outputs[i].stage);
        free(outputs[i].port);
    }
    free(outputs);
}

int index_outputs(struct index *index, struct known_output **outputs, size_t *count,
                  struct error *err)
{
    *outputs = NULL;
    *count = 0;
    sqlite3_stmt *s = prepare(index, ALL_OUTPUTS, err);
    if (!s)
        return -EIO;
    int code, rc = 0;
    while (rc == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct known_output *larger = realloc(*outputs, (*count + 1) * sizeof *larger);
        if (larger) {
            *outputs = larger;
            struct known_output *o = &larger[(*count)++];
            *o = (struct known_output){.stage = column(s, 0), .port = column(s, 1)};
            o->blob.size = (uint64_t)sqlite3_column_int64(s, 3);
            o->blob.tree = sqlite3_column_int(s, 4) != 0;
            column_digest(s, 2, &o->blob.digest);
        }
        if (!larger || !larger[*count - 1].stage || !larger[*count - 1].port)
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
    }
    if (rc == 0 && code != SQLITE_DONE)
        rc = database_fail(&index->database, err);
    sqlite3_reset(s);
    return rc;
}

int index_check(struct index *index, struct error *err)
{
    sqlite3_stmt *s = prepare(index, CHECK, err);
    int rc = s ? step_row(index, s, err) : -EIO;
    if (rc < 0)
        return rc == -ENOENT ? error_set(err, EIO, "cache index: no answer to its check") : rc;
    const char *found = (const char *)sqlite3_column_text(s, 0);
    if (!found || strcmp(found, "ok") != 0)
        rc = error_set(err, EIO, "cache index %s is damaged: %s", index->database.path,
                       found ? found : "");
    sqlite3_reset(s);
    return rc;
}
