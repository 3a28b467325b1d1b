/* Results that may have been computed from a damaged blob. */
#ifndef FERDAG_CACHE_SUSPECTS_H
#define FERDAG_CACHE_SUSPECTS_H

#include "cache/cache.h"

struct suspect {
    struct digest key;
    char *stage;
};

/* Results that read the blob, as it is or in a folder, and that started after it was last known to
 * be right. A stage that verified its inputs before it started isn't among them. *suspects is
 * malloc'd, suspects_free frees. */
int suspects_find(struct cache *cache, const struct digest *digest, struct suspect **suspects,
                  size_t *count, struct error *err);
void suspects_free(struct suspect *suspects, size_t count);

#endif
