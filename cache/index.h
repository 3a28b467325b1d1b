/* The index: which key gave which outputs, in CACHE/index.sqlite (WAL, one writer at a time).
 *
 * index.c owns all SQL but what makes the file (database.h); the rest of the program speaks these
 * verbs. A verb that commits is one transaction and is on the disk when it returns. All strings
 * that a verb fills are malloc'd and freed by the struct's own _free. An index may be used by one
 * thread at a time. */
#ifndef FERDAG_CACHE_INDEX_H
#define FERDAG_CACHE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"
#include "cache/blobs.h"

struct index;

/* One output of a stage that has run. */
struct result_output {
    char *port;
    struct blob blob;
};

/* What is known of a stage that has run. */
struct result {
    char *key;   /* 64 hex digits */
    char *stage; /* the name it ran under first: others may share the result */
    char *kind;
    char *params;             /* JSON object, defaults filled in */
    char *inputs;             /* JSON list of {"port", "stage", "key", "digest"} */
    char *key_text;           /* the canonical text whose digest is the key */
    double started, finished; /* seconds since 1970 */
    double seconds;           /* wall time of the process */
    double cpu_seconds;       /* user + system */
    int64_t peak_bytes;       /* largest resident set */
    int threads;
    struct digest log;             /* blob of what it printed */
    struct result_output *outputs; /* in the order of the kind's table */
    size_t output_count;
};

/* A stage that ran and failed; its log is kept. */
struct failure {
    char *key, *stage, *kind, *message;
    double finished, seconds;
    struct digest log;
};

/* Opens or creates; path ":memory:" gives an index that is forgotten at the end. */
int index_open(struct index **index, const char *path, struct error *err);
/* Opens one that may not be written; what would be remembered of files and runs is not (latest, the
 * stat cache, runs), and a result or a failure is an error. */
int index_open_read_only(struct index **index, const char *path, struct error *err);
void index_close(struct index *index); /* NULL is fine */

/* The result of a key: 0, -ENOENT if there is none (err untouched), or an error. */
int index_find(struct index *index, const char *key, struct result *result, struct error *err);
/* Stores or replaces a result and forgets the key's failure. Its blobs must be stored already. */
int index_commit(struct index *index, const struct result *result, struct error *err);
void result_free(struct result *result); /* a zeroed one is fine */
/* Output of that port, or NULL. */
const struct blob *result_output(const struct result *result, const char *port);

/* Keys of results of a kind whose key_text begins with `start` and ends with `end`: what differs
 * lies between the two. *keys is malloc'd. */
int index_find_alike(struct index *index, const char *kind, const char *start, const char *end,
                     struct digest **keys, size_t *count, struct error *err);

int index_fail(struct index *index, const struct failure *failure, struct error *err);
int index_find_failure(struct index *index, const char *key, struct failure *failure,
                       struct error *err);
void failure_free(struct failure *failure);

/* The key that a stage of an experiment (full path of its file) last had a result under. */
int index_set_latest(struct index *index, const char *file, const char *stage, const char *key,
                     struct error *err);
int index_latest(struct index *index, const char *file, const char *stage, char key[65],
                 struct error *err);

/* The stat cache: a file that still looks as it did when it was hashed needs no hashing. */
int index_stat_find(struct index *index, const char *path, const struct stat *st,
                    struct digest *digest, struct error *err);
int index_stat_set(struct index *index, const char *path, const struct stat *st,
                   const struct digest *digest, struct error *err);

/* Many index_set_latest or index_stat_set in one transaction; a no-op inside another batch. */
int index_begin(struct index *index, struct error *err);
int index_end(struct index *index, struct error *err);

/* An output of some result. */
struct known_output {
    char *stage, *port;
    struct blob blob;
};

/* Every output of every result, by stage, key and place; malloc'd, for known_outputs_free. */
int index_outputs(struct index *index, struct known_output **outputs, size_t *count,
                  struct error *err);
void known_outputs_free(struct known_output *outputs, size_t count);

/* 0, or -EIO with what SQLite found unsound first. */
int index_check(struct index *index, struct error *err);

/* Remembers one invocation of `run`. */
struct run_record {
    const char *file;
    double started, finished;
    int stages, cached, ran, failed, status; /* status: what the program exits with */
};
int index_add_run(struct index *index, const struct run_record *run, struct error *err);

#endif
