/* Checks of blobs before they are used, and what follows from damage. For cache/ alone; the rest of
 * the program calls cache_check and cache_damaged (cache.h). */
#ifndef FERDAG_CACHE_CHECK_H
#define FERDAG_CACHE_CHECK_H

#include "cache/cache.h"

/* As cache_check. known: the blob's metadata in the index, or NULL to look it up. */
int check_blob(struct cache *cache, const struct blob *blob, const struct metadata *known,
               struct error *err);

/* Reports that a stage replaced a damaged blob, and forgets results that may have been computed
 * from the damaged bytes. */
int check_replaced(struct cache *cache, const struct digest *digest, struct error *err);

/* Moves a damaged blob to CACHE/damaged, so that its stage runs again. */
int check_quarantine(struct cache *cache, const struct digest *digest, struct error *err);

#endif
