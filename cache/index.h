/* The index: results by key, failures, runs, and metadata of files, in CACHE/index.sqlite.
 *
 * All SQL is in statements.c, the schema in database.c; the rest of the program calls these
 * functions. Each function that writes is one transaction. What the index loses in a power cut is
 * read from the results' records (record.h). Strings in a filled struct are malloc'd and freed by
 * the struct's _free function. One thread at a time may use an index.
 *
 * All functions return 0 or a negative errno value with err filled; functions that look something
 * up return -ENOENT with err untouched if it isn't there. -EUCLEAN: the index is damaged; -EBUSY:
 * another process kept it locked for 30 s; -ENOSPC: the disk is full. */
#ifndef FERDAG_CACHE_INDEX_H
#define FERDAG_CACHE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"
#include "cache/result.h"

struct index;

/* A failed run of a stage. log: blob of its log. */
struct failure {
    char *key, *stage, *kind, *message;
    double finished, seconds;
    struct digest log;
};

/* Opens or creates an index; path ":memory:" makes one in memory. */
int index_open(struct index **index, const char *path, struct error *err);

/* Opens an index that is not written. Setting latest keys, metadata of files, and runs then does
 * nothing; adding a result or a failure is an error. */
int index_open_read_only(struct index **index, const char *path, struct error *err);
void index_close(struct index *index); /* NULL is allowed */

/* Whether the file has format 1. index_upgrade, within a transaction, makes it format 2. */
bool index_is_old(const struct index *index);
int index_upgrade(struct index *index, struct error *err);

/* The result of a key. result_free frees. */
int index_find(struct index *index, const char *key, struct result *result, struct error *err);

/* Adds or replaces a result and removes the key's failure. Its blobs must be stored. */
int index_put_result(struct index *index, const struct result *result, struct error *err);

/* Keys of the results of a kind whose key_text begins with `start` and ends with `end`. *keys is
 * malloc'd. */
int index_find_alike(struct index *index, const char *kind, const char *start, const char *end,
                     struct digest **keys, size_t *count, struct error *err);

/* What a finished stage took, and what to compare before another stage is expected to take as long.
 */
struct past_time {
    char *stage, *params, *inputs, *key_text; /* as in struct result */
    int threads;
    double seconds;
    bool latest; /* the latest result of its stage in the experiment */
};

/* Results of a kind: first the latest ones of the experiment's stages, then the newest; at most
 * 300. file: full path of the experiment's file. *times is malloc'd; past_time_free frees the
 * strings of one. */
int index_past_times(struct index *index, const char *kind, const char *file,
                     struct past_time **times, size_t *count, struct error *err);
void past_time_free(struct past_time *time);

/* Keys of all results, sorted by stage; *keys is malloc'd. */
int index_keys(struct index *index, struct digest **keys, size_t *count, struct error *err);

/* Removes a result. */
int index_remove_result(struct index *index, const char *key, struct error *err);

/* Adds a failure, and makes it the latest one of its stage in an experiment. file: full path of the
 * experiment's file. */
int index_put_failure(struct index *index, const char *file, const struct failure *failure,
                      struct error *err);
int index_find_failure(struct index *index, const char *key, struct failure *failure,
                       struct error *err);
void failure_free(struct failure *failure);

/* The key of the last result of a stage in an experiment. */
int index_set_latest(struct index *index, const char *file, const char *stage, const char *key,
                     struct error *err);
int index_latest(struct index *index, const char *file, const char *stage, char key[65],
                 struct error *err);

/* The key of its last failure, whether or not it has had a result since. */
int index_latest_failure(struct index *index, const char *file, const char *stage, char key[65],
                         struct error *err);

/* The stat cache: the digest of a file outside the cache whose metadata is `st`. */
int index_find_stat(struct index *index, const char *path, const struct stat *st,
                    struct digest *digest, struct error *err);
int index_put_stat(struct index *index, const char *path, const struct stat *st,
                   const struct digest *digest, struct error *err);

/* The metadata of a blob's file when its digest was last verified, and the time of that, in seconds
 * since 1970 (0: unknown). */
int index_find_blob(struct index *index, const struct digest *digest, struct metadata *metadata,
                    double *verified, struct error *err);
int index_put_blob(struct index *index, const struct digest *digest,
                   const struct metadata *metadata, double verified, struct error *err);
int index_remove_blob(struct index *index, const struct digest *digest, struct error *err);

/* Bytes of all different outputs. */
int index_blob_bytes(struct index *index, uint64_t *bytes, struct error *err);

/* Make one transaction of the calls between them. They may be nested; the outermost counts. */
int index_begin_transaction(struct index *index, struct error *err);
int index_end_transaction(struct index *index, struct error *err);

/* Undoes all changes since the outermost index_begin_transaction. */
void index_rollback(struct index *index);

/* Copies latest keys, failures and runs from a damaged index, as far as it can be read. */
void index_salvage(struct index *index, const char *damaged);

/* Checks the file: -EUCLEAN with the first error that SQLite finds. */
int index_check(struct index *index, struct error *err);

/* Adds one invocation of `run`. */
struct run_record {
    const char *file;
    double started, finished;
    int stages, cached, ran, failed, status; /* status: the exit status */
};
int index_add_run(struct index *index, const struct run_record *run, struct error *err);

#endif
