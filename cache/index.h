/* The index: which key gave which outputs, in CACHE/index.sqlite (WAL, one writer at a time).
 *
 * statements.c owns all SQL but the schema (database.c); the rest of the program calls these
 * functions. Each that writes is one transaction. What a power cut takes from the index is found
 * again in the results' records (record.h). All strings that a function fills are malloc'd and
 * freed by the struct's own _free. An index may be used by one thread at a time. */
#ifndef FERDAG_CACHE_INDEX_H
#define FERDAG_CACHE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"
#include "cache/result.h"

struct index;

/* A stage that ran and failed; its log is kept. */
struct failure {
    char *key, *stage, *kind, *message;
    double finished, seconds;
    struct digest log;
};

/* Opens or creates; path ":memory:" gives an index that is forgotten at the end. */
int index_open(struct index **index, const char *path, struct error *err);
/* Opens one that may not be written; what would be remembered of files and runs is not (latest, the
 * stat cache, stamps, runs), and a result or a failure is an error. */
int index_open_read_only(struct index **index, const char *path, struct error *err);
void index_close(struct index *index); /* NULL is fine */

/* Whether the file has format 1. index_upgrade makes it format 2, inside index_begin. */
bool index_is_old(const struct index *index);
int index_upgrade(struct index *index, struct error *err);

/* The result of a key: 0, -ENOENT if there is none (err untouched), or an error. */
int index_find(struct index *index, const char *key, struct result *result, struct error *err);
/* Adds or replaces a result and forgets the key's failure. Its blobs must be stored already. */
int index_commit(struct index *index, const struct result *result, struct error *err);

/* Keys of results of a kind whose key_text begins with `start` and ends with `end`: what differs
 * lies between the two. *keys is malloc'd. */
int index_find_alike(struct index *index, const char *kind, const char *start, const char *end,
                     struct digest **keys, size_t *count, struct error *err);

/* Keys of all results. */
int index_keys(struct index *index, struct digest **keys, size_t *count, struct error *err);

/* Removes a result. */
int index_forget(struct index *index, const char *key, struct error *err);

/* file: full path of the experiment's file. */
int index_fail(struct index *index, const char *file, const struct failure *failure,
               struct error *err);
int index_find_failure(struct index *index, const char *key, struct failure *failure,
                       struct error *err);
void failure_free(struct failure *failure);

/* The key that a stage of an experiment (full path of its file) last had a result under. */
int index_set_latest(struct index *index, const char *file, const char *stage, const char *key,
                     struct error *err);
int index_latest(struct index *index, const char *file, const char *stage, char key[65],
                 struct error *err);
/* The key under which it failed last, whether or not it has had a result since. */
int index_latest_failure(struct index *index, const char *file, const char *stage, char key[65],
                         struct error *err);

/* The stat cache: a file that still looks as it did when it was hashed needs no hashing. */
int index_stat_find(struct index *index, const char *path, const struct stat *st,
                    struct digest *digest, struct error *err);
int index_stat_set(struct index *index, const char *path, const struct stat *st,
                   const struct digest *digest, struct error *err);

/* The stamp of a blob's file when its digest was last known to be right, and when that was, in
 * seconds since 1970 (0: not known). -ENOENT if the index has none. */
int index_blob_find(struct index *index, const struct digest *digest, struct stamp *stamp,
                    double *verified, struct error *err);
int index_blob_set(struct index *index, const struct digest *digest, const struct stamp *stamp,
                   double verified, struct error *err);
int index_blob_forget(struct index *index, const struct digest *digest, struct error *err);
/* Bytes of all outputs. */
int index_blob_bytes(struct index *index, uint64_t *bytes, struct error *err);

/* Makes one transaction of what comes between; a no-op inside another. */
int index_begin(struct index *index, struct error *err);
int index_end(struct index *index, struct error *err);
/* Undoes all since the outermost index_begin. */
void index_rollback(struct index *index);

/* Copies what a damaged index still gives of latest, failures and runs. */
void index_salvage(struct index *index, const char *damaged);

/* 0, or -EUCLEAN with what SQLite found wrong first. */
int index_check(struct index *index, struct error *err);

/* Remembers one invocation of `run`. */
struct run_record {
    const char *file;
    double started, finished;
    int stages, cached, ran, failed, status; /* status: what the program exits with */
};
int index_add_run(struct index *index, const struct run_record *run, struct error *err);

#endif
