/* Results that may have been computed from a damaged blob. */
#ifndef FERDAG_CACHE_SUSPECTS_H
#define FERDAG_CACHE_SUSPECTS_H

#include "cache/cache.h"

struct suspect {
    struct digest key;
    char *stage;
};

/* Results that read the blob, as it is or in a folder, and that ended after it was last known to be
 * right. A stage that verified its inputs before it started isn't among them. *suspects is
 * malloc'd, suspects_free frees. */
int suspects_find(struct cache *cache, const struct digest *digest, struct suspect **suspects,
                  size_t *count, struct error *err);
/* So that their stages run again: to be done before the blob is set aside, as nothing but the
 * damaged blob tells who they are. */
int suspects_forget(struct cache *cache, const struct suspect *suspects, size_t count,
                    struct error *err);
void suspects_free(struct suspect *suspects, size_t count);

#endif
