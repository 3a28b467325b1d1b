/* Finds damage in the cache and repairs what can be repaired.
 *
 * A run trusts the stamps of blobs, which show every write through the file system. fsck reads all
 * bytes, and so finds what a failing medium did, and compares the index with the results' records.
 * A damaged blob is never repaired but set aside: the stages that made it run again, and those that
 * may have read it too. */
#ifndef FERDAG_CACHE_FSCK_H
#define FERDAG_CACHE_FSCK_H

#include "cache/cache.h"
#include "cache/suspects.h"
#include "cache/work.h"

struct damage {
    struct digest digest; /* by which the blob is stored */
    char *why;
    char *users; /* "train/full/vgg19.best, ...", the outputs of known results that it is or that
                    hold it; "": none, such as a log */
};

/* Something wrong with a result: its record, or what the index has of it. */
struct fault {
    struct digest key;
    char *text;
};

struct fsck {
    size_t blobs, results; /* looked at */
    uint64_t bytes;
    bool rebuilt;           /* the index was damaged, and made anew from the records */
    struct damage *damages; /* sorted by digest */
    size_t damage_count;
    struct fault *faults;
    size_t fault_count;
    struct suspect *suspects; /* results that may have read a damaged blob */
    size_t suspect_count;
    char **lost; /* "STAGE.PORT": outputs of which a blob is missing; they run again anyway */
    size_t lost_count;
    struct attempt *attempts; /* interrupted stages: nothing wrong */
    size_t attempt_count;
};

/* Opens the cache for fsck_look. A damaged index is -EUCLEAN; with `repair` it moves to damaged/
 * and a new one is made from the records. */
int fsck_open(struct cache *cache, const char *folder, bool repair, struct fsck *fsck,
              struct error *err);

/* Reads every blob and looks at every result. fsck_free frees, also after an error. */
int fsck_look(struct cache *cache, struct fsck *fsck, struct error *err);

/* Sets damaged blobs and records aside, forgets results that may have read them, and makes index
 * and records agree. */
int fsck_repair(struct cache *cache, const struct fsck *fsck, struct error *err);
void fsck_free(struct fsck *fsck);

/* Of fsck_records.c: fills faults; repairs them. */
int fsck_look_at_records(struct cache *cache, struct fsck *fsck, struct error *err);
int fsck_repair_records(struct cache *cache, const struct fsck *fsck, struct error *err);
int fsck_add_fault(struct fsck *fsck, const char *key, const char *text, struct error *err);

#endif
