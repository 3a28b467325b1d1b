/* What is known of a stage that has run. The index (index.h) and the record (record.h) each hold
 * all of it. */
#ifndef FERDAG_CACHE_RESULT_H
#define FERDAG_CACHE_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/metadata.h"
#include "cache/blob.h"

/* One output of a stage that has run. */
struct result_output {
    char *port;
    struct blob blob;
    bool has_metadata;        /* whether the index has the metadata of the blob's file */
    struct metadata metadata; /* of the file when its digest was last verified */
};

/* All strings are malloc'd and freed by result_free. */
struct result {
    char *key;   /* 64 hex digits */
    char *stage; /* the name under which it ran first; other stages may share the result */
    char *kind;
    char *params;             /* JSON object, with defaults */
    char *inputs;             /* JSON list of {"port", "stage", "key", "digest"} */
    char *key_text;           /* the canonical text whose digest is the key */
    double started, finished; /* seconds since 1970 */
    double seconds;           /* wall time of the process */
    double cpu_seconds;       /* user + system */
    int64_t peak_bytes;       /* largest resident set */
    int threads;
    struct digest log;             /* blob of the stage's log; empty if it was lost */
    struct result_output *outputs; /* in the order of the kind's table */
    size_t output_count;
    bool incomplete; /* the index has fewer outputs than the stage had */
};

void result_free(struct result *result); /* a zeroed one is allowed */

/* Output of that port, or NULL; valid until result_free. */
const struct blob *result_output(const struct result *result, const char *port);

/* Whether both have the same ports in the same order, with the same digests, sizes and forms. */
bool result_same_outputs(const struct result *a, const struct result *b);

#endif
