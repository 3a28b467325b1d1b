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
 * *affected is malloc'd; affected_free frees. */
int affected_find(struct cache *cache, const struct digest *digest, struct affected **affected,
                  size_t *count, struct error *err);

/* Removes results, so that their stages run again: their records move to CACHE/damaged. Call it
 * before check_quarantine: afterwards a repetition would no longer find them. */
int affected_forget(struct cache *cache, const struct affected *affected, size_t count,
                    struct error *err);
void affected_free(struct affected *affected, size_t count);

#endif
