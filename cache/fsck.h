/* Looks for damage that nothing else notices: blobs whose bytes no longer have their digest (a run
 * checks sizes alone, since reading all would take longer than most runs), and an index that SQLite
 * finds unsound. A damaged blob is set aside, never mended: the stages that made it run again. */
#ifndef FERDAG_CACHE_FSCK_H
#define FERDAG_CACHE_FSCK_H

#include "cache/cache.h"

struct damage {
    struct digest digest; /* by which the blob is stored */
    char *why;
    char *users; /* "train/full/vgg19.best, ...", the outputs of known results that it is or that
                    hold it; "": none, such as a log */
};

struct fsck {
    size_t blobs; /* looked at */
    uint64_t bytes;
    struct damage *damages; /* sorted by digest */
    size_t damage_count;
    char **lost; /* "STAGE.PORT": outputs of which a blob is missing; they run again anyway */
    size_t lost_count;
};

/* Reads every blob and asks of every result. An unsound index is -EIO. fsck_free frees, also after
 * an error. */
int fsck_look(struct cache *cache, struct fsck *fsck, struct error *err);
/* Moves the damaged blobs to CACHE/damaged/DIGEST. */
int fsck_set_aside(struct cache *cache, const struct fsck *fsck, struct error *err);
void fsck_free(struct fsck *fsck);

#endif
