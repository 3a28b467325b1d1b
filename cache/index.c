/* See index.h. */
#include "cache/index.h"
#include "cache/statements.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int open_as(struct index **out, const char *path, bool read_only, struct error *err)
{
    struct index *index = calloc(1, sizeof *index);
    if (!index)
        return error_set(err, ENOMEM, "out of memory opening %s", path);
    int rc = database_open(&index->database, path, read_only, err);
    if (rc == 0 && read_only && index->database.old)
        rc = database_upgrade(&index->database, err);
    if (rc < 0) {
        database_close(&index->database);
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

bool index_is_old(const struct index *index)
{
    return index->database.old && !index->database.read_only;
}

int index_upgrade(struct index *index, struct error *err)
{
    int rc = database_upgrade(&index->database, err);
    if (rc == 0)
        index->database.old = false;
    return rc;
}

/* Runs a statement whose parameters are a key and a second text (or NULL), and which returns at
 * most one row. 0 with the statement on that row, which the caller resets; -ENOENT; or an error. */
static int find(struct index *index, enum statement which, const char *key, const char *second,
                sqlite3_stmt **statement, struct error *err)
{
    sqlite3_stmt *s = *statement = statement_prepare(index, which, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, key);
    if (second)
        statement_bind(s, 2, second);
    return statement_row(index, s, err);
}

int index_begin_transaction(struct index *index, struct error *err)
{
    if (index->database.read_only)
        return 0;
    int rc = index->batch == 0 ? database_execute(&index->database, "BEGIN IMMEDIATE", err) : 0;
    if (rc == 0)
        index->batch++;
    return rc;
}

void index_rollback(struct index *index)
{
    if (index->batch > 0)
        database_execute(&index->database, "ROLLBACK", NULL);
    index->batch = 0;
}

static int rollback(struct index *index, int rc)
{
    index_rollback(index);
    return rc;
}

int index_end_transaction(struct index *index, struct error *err)
{
    if (index->database.read_only)
        return 0;
    if (index->batch > 1) {
        index->batch--;
        return 0;
    }
    int rc = database_execute(&index->database, "COMMIT", err);
    if (rc < 0)
        return rollback(index, rc);
    index->batch = 0;
    return 0;
}

/* Values of the column `tree` of an output. */
enum { FORM_FILE, FORM_TREE, FORM_EXECUTABLE };

static int form_of(const struct blob *blob)
{
    return blob->tree ? FORM_TREE : blob->executable ? FORM_EXECUTABLE : FORM_FILE;
}

/* Reads the columns of FIND_OUTPUTS. */
static int read_output(sqlite3_stmt *s, struct result_output *output)
{
    int form = sqlite3_column_int(s, 3);
    *output = (struct result_output){
        .port = statement_text(s, 0),
        .blob = {.size = (uint64_t)sqlite3_column_int64(s, 2),
                 .tree = form == FORM_TREE,
                 .executable = form == FORM_EXECUTABLE},
        .has_metadata = sqlite3_column_type(s, 4) != SQLITE_NULL,
        .metadata = {.size = (uint64_t)sqlite3_column_int64(s, 4),
                     .inode = (uint64_t)sqlite3_column_int64(s, 5),
                     .mtime_ns = sqlite3_column_int64(s, 6),
                     .ctime_ns = sqlite3_column_int64(s, 7)},
    };
    statement_digest(s, 1, &output->blob.digest);
    return output->port ? 0 : -ENOMEM;
}

static int find_outputs(struct index *index, const char *key, struct result *result,
                        struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, FIND_OUTPUTS, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, key);
    int code, rc = 0;
    while (rc == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        size_t n = result->output_count;
        struct result_output *larger = realloc(result->outputs, (n + 1) * sizeof *larger);
        if (larger) {
            result->outputs = larger;
            rc = read_output(s, &larger[n]);
            result->output_count += rc == 0;
        }
        if (!larger || rc < 0)
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
    }
    return statement_end(index, s, code, rc, err);
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
        .stage = statement_text(s, 0),
        .kind = statement_text(s, 1),
        .params = statement_text(s, 2),
        .inputs = statement_text(s, 3),
        .key_text = statement_text(s, 4),
        .started = sqlite3_column_double(s, 5),
        .finished = sqlite3_column_double(s, 6),
        .seconds = sqlite3_column_double(s, 7),
        .cpu_seconds = sqlite3_column_double(s, 8),
        .peak_bytes = sqlite3_column_int64(s, 9),
        .threads = sqlite3_column_int(s, 10),
    };
    statement_digest(s, 11, &result->log);
    bool counted = sqlite3_column_type(s, 12) != SQLITE_NULL;
    size_t outputs = (size_t)sqlite3_column_int64(s, 12);
    sqlite3_reset(s);
    if (!result->key || !result->stage || !result->kind || !result->params || !result->inputs ||
        !result->key_text)
        rc = error_set(err, ENOMEM, "out of memory reading the cache index");
    if (rc == 0)
        rc = find_outputs(index, key, result, err);
    result->incomplete = counted && outputs != result->output_count;
    if (rc < 0)
        result_free(result);
    return rc;
}

/* Collects the first column of all rows. */
static int read_keys(struct index *index, sqlite3_stmt *s, struct digest **keys, size_t *count,
                     struct error *err)
{
    int code, rc = 0;
    while (rc == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct digest *larger = realloc(*keys, (*count + 1) * sizeof *larger);
        if (larger) {
            *keys = larger;
            statement_digest(s, 0, &larger[(*count)++]);
        } else {
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
        }
    }
    rc = statement_end(index, s, code, rc, err);
    if (rc < 0) {
        free(*keys);
        *keys = NULL;
        *count = 0;
    }
    return rc;
}

int index_find_alike(struct index *index, const char *kind, const char *start, const char *end,
                     struct digest **keys, size_t *count, struct error *err)
{
    *keys = NULL;
    *count = 0;
    sqlite3_stmt *s = statement_prepare(index, FIND_ALIKE, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, kind);
    statement_bind(s, 2, start);
    statement_bind(s, 3, end);
    return read_keys(index, s, keys, count, err);
}

int index_keys(struct index *index, struct digest **keys, size_t *count, struct error *err)
{
    *keys = NULL;
    *count = 0;
    sqlite3_stmt *s = statement_prepare(index, ALL_KEYS, err);
    return s ? read_keys(index, s, keys, count, err) : -EIO;
}

static int put_result(struct index *index, const struct result *r, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, PUT_RESULT, err);
    if (!s)
        return -EIO;
    const char *texts[] = {r->key, r->stage, r->kind, r->params, r->inputs, r->key_text};
    for (int i = 0; i < 6; i++)
        statement_bind(s, i + 1, texts[i]);
    sqlite3_bind_double(s, 7, r->started);
    sqlite3_bind_double(s, 8, r->finished);
    sqlite3_bind_double(s, 9, r->seconds);
    sqlite3_bind_double(s, 10, r->cpu_seconds);
    sqlite3_bind_int64(s, 11, r->peak_bytes);
    sqlite3_bind_int(s, 12, r->threads);
    statement_bind(s, 13, r->log.hex);
    return statement_run(index, s, err);
}

/* Runs a statement whose one parameter is a key. */
static int run_with_key(struct index *index, enum statement which, const char *key,
                        struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, which, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, key);
    return statement_run(index, s, err);
}

static int put_outputs(struct index *index, const struct result *r, struct error *err)
{
    sqlite3_stmt *s;
    int rc = run_with_key(index, DROP_OUTPUTS, r->key, err);
    for (size_t i = 0; rc == 0 && i < r->output_count; i++) {
        if (!(s = statement_prepare(index, PUT_OUTPUT, err)))
            return -EIO;
        statement_bind(s, 1, r->key);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)i);
        statement_bind(s, 3, r->outputs[i].port);
        statement_bind(s, 4, r->outputs[i].blob.digest.hex);
        sqlite3_bind_int64(s, 5, (sqlite3_int64)r->outputs[i].blob.size);
        sqlite3_bind_int(s, 6, form_of(&r->outputs[i].blob));
        rc = statement_run(index, s, err);
    }
    if (rc < 0 || !(s = statement_prepare(index, PUT_COMPLETE, err)))
        return rc < 0 ? rc : -EIO;
    statement_bind(s, 1, r->key);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)r->output_count);
    return statement_run(index, s, err);
}

int index_put_result(struct index *index, const struct result *result, struct error *err)
{
    int rc = index_begin_transaction(index, err);
    if (rc < 0)
        return rc;
    rc = put_result(index, result, err);
    if (rc == 0)
        rc = put_outputs(index, result, err);
    if (rc == 0)
        rc = run_with_key(index, DROP_FAILURE, result->key, err);
    if (rc == 0)
        rc = index_end_transaction(index, err);
    return rc < 0 ? rollback(index, rc) : 0;
}

void past_time_free(struct past_time *t)
{
    free(t->stage);
    free(t->params);
    free(t->inputs);
    free(t->key_text);
    *t = (struct past_time){0};
}

/* The columns of PAST_TIMES; -ENOMEM. */
static int read_past_time(sqlite3_stmt *s, struct past_time *t)
{
    *t = (struct past_time){
        .stage = statement_text(s, 0),
        .params = statement_text(s, 1),
        .inputs = statement_text(s, 2),
        .key_text = statement_text(s, 3),
        .threads = sqlite3_column_int(s, 4),
        .seconds = sqlite3_column_double(s, 5),
        .latest = sqlite3_column_int(s, 6) != 0,
    };
    return t->stage && t->params && t->inputs && t->key_text ? 0 : -ENOMEM;
}

int index_past_times(struct index *index, const char *kind, const char *file,
                     struct past_time **times, size_t *count, struct error *err)
{
    *times = NULL;
    *count = 0;
    sqlite3_stmt *s = statement_prepare(index, PAST_TIMES, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, kind);
    statement_bind(s, 2, file);
    int code, rc = 0;
    while (rc == 0 && (code = sqlite3_step(s)) == SQLITE_ROW) {
        struct past_time *larger = realloc(*times, (*count + 1) * sizeof *larger);
        if (larger) {
            *times = larger;
            rc = read_past_time(s, &larger[(*count)++]);
        }
        if (!larger || rc < 0)
            rc = error_set(err, ENOMEM, "out of memory reading the cache index");
    }
    rc = statement_end(index, s, code, rc, err);
    for (size_t i = 0; rc < 0 && i < *count; i++)
        past_time_free(&(*times)[i]);
    if (rc < 0) {
        free(*times);
        *times = NULL;
        *count = 0;
    }
    return rc;
}

int index_remove_result(struct index *index, const char *key, struct error *err)
{
    int rc = index_begin_transaction(index, err);
    if (rc < 0)
        return rc;
    rc = run_with_key(index, DROP_RESULT, key, err);
    if (rc == 0)
        rc = run_with_key(index, DROP_OUTPUTS, key, err);
    if (rc == 0)
        rc = index_end_transaction(index, err);
    return rc < 0 ? rollback(index, rc) : 0;
}

void failure_free(struct failure *f)
{
    free(f->key);
    free(f->stage);
    free(f->kind);
    free(f->message);
    *f = (struct failure){0};
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
        .stage = statement_text(s, 0),
        .kind = statement_text(s, 1),
        .message = statement_text(s, 2),
        .finished = sqlite3_column_double(s, 3),
        .seconds = sqlite3_column_double(s, 4),
    };
    statement_digest(s, 5, &f->log);
    sqlite3_reset(s);
    if (!f->key || !f->stage || !f->kind || !f->message) {
        failure_free(f);
        return error_set(err, ENOMEM, "out of memory reading the cache index");
    }
    return 0;
}

static int put_latest(struct index *index, enum statement which, const char *file,
                      const char *stage, const char *key, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = statement_prepare(index, which, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, file);
    statement_bind(s, 2, stage);
    statement_bind(s, 3, key);
    return statement_run(index, s, err);
}

static int find_latest(struct index *index, enum statement which, const char *file,
                       const char *stage, char key[65], struct error *err)
{
    sqlite3_stmt *s;
    int rc = find(index, which, file, stage, &s, err);
    if (rc < 0)
        return rc;
    struct digest digest;
    statement_digest(s, 0, &digest);
    memcpy(key, digest.hex, 65);
    sqlite3_reset(s);
    return 0;
}

static int put_failure(struct index *index, const struct failure *f, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, PUT_FAILURE, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, f->key);
    statement_bind(s, 2, f->stage);
    statement_bind(s, 3, f->kind);
    statement_bind(s, 4, f->message);
    sqlite3_bind_double(s, 5, f->finished);
    sqlite3_bind_double(s, 6, f->seconds);
    statement_bind(s, 7, f->log.hex);
    return statement_run(index, s, err);
}

int index_put_failure(struct index *index, const char *file, const struct failure *f,
                      struct error *err)
{
    int rc = index_begin_transaction(index, err);
    if (rc < 0)
        return rc;
    rc = put_failure(index, f, err);
    if (rc == 0)
        rc = put_latest(index, PUT_LATEST_FAILURE, file, f->stage, f->key, err);
    if (rc == 0)
        rc = index_end_transaction(index, err);
    return rc < 0 ? rollback(index, rc) : 0;
}

int index_set_latest(struct index *index, const char *file, const char *stage, const char *key,
                     struct error *err)
{
    return put_latest(index, PUT_LATEST, file, stage, key, err);
}

int index_latest(struct index *index, const char *file, const char *stage, char key[65],
                 struct error *err)
{
    return find_latest(index, FIND_LATEST, file, stage, key, err);
}

int index_latest_failure(struct index *index, const char *file, const char *stage, char key[65],
                         struct error *err)
{
    return find_latest(index, FIND_LATEST_FAILURE, file, stage, key, err);
}

int index_add_run(struct index *index, const struct run_record *run, struct error *err)
{
    if (index->database.read_only)
        return 0;
    sqlite3_stmt *s = statement_prepare(index, PUT_RUN, err);
    if (!s)
        return -EIO;
    statement_bind(s, 1, run->file);
    sqlite3_bind_double(s, 2, run->started);
    sqlite3_bind_double(s, 3, run->finished);
    const int counts[] = {run->stages, run->cached, run->ran, run->failed, run->status};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int(s, 4 + i, counts[i]);
    return statement_run(index, s, err);
}

int index_check(struct index *index, struct error *err)
{
    sqlite3_stmt *s = statement_prepare(index, CHECK, err);
    int rc = s ? statement_row(index, s, err) : -EIO;
    if (rc < 0)
        return rc == -ENOENT ? error_set(err, EIO, "cache index: the check returned nothing") : rc;
    const char *found = (const char *)sqlite3_column_text(s, 0);
    if (!found || strcmp(found, "ok") != 0)
        rc = error_set(err, EUCLEAN, "cache index %s: %s%s", index->database.path,
                       found ? found : "the check returned nothing", database_advice);
    sqlite3_reset(s);
    for (int i = 0; rc == 0 && i < STATEMENTS; i++) /* fails if a column is missing */
        if (!statement_prepare(index, (enum statement)i, err))
            rc = -EUCLEAN;
    return rc;
}
