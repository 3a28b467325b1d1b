/* Results that may have been computed from a damaged blob. */
#ifndef FERDAG_CACHE_AFFECTED_H
#define FERDAG_CACHE_AFFECTED_H

#include "cache/cache.h"

struct affected {
    struct digest key;
    char *stage;
};

/* Finds the results that read the blob, directly or in a folder, and finished after its bytes were
 * last verified. A result whose stage verified its inputs before it started is not affected.
 * *affected is malloc'd; affected_free frees. *output, unless `output` is NULL, is the first output
 * that is the blob or a folder with it, as "output o of stage join", malloc'd; NULL: unknown. */
int affected_find(struct cache *cache, const struct digest *digest, struct affected **affected,
                  size_t *count, char **output, struct error *err);

/* Removes results, so that their stages run again: their records move to CACHE/damaged. Call it
 * before check_quarantine: afterwards a repetition would no longer find them. */
int affected_forget(struct cache *cache, const struct affected *affected, size_t count,
                    struct error *err);
/* Removes one result: its record, if it has one, moves to CACHE/damaged. */
int affected_forget_result(struct cache *cache, const char *key, struct error *err);
void affected_free(struct affected *affected, size_t count);

#endif
