/* Finds damage in the cache and repairs what can be repaired.
 *
 * A run trusts the metadata of blobs' files, which shows every write through the file system. fsck
 * reads all bytes, and so finds what a failing medium did, and compares the index with the results'
 * records. The bytes of a damaged blob can't be restored: the blob moves to CACHE/damaged, and the
 * stage that made it runs again, as do stages that may have read it. */
#ifndef FERDAG_CACHE_FSCK_H
#define FERDAG_CACHE_FSCK_H

#include "cache/affected.h"
#include "cache/cache.h"
#include "cache/attempts.h"

struct damaged_blob {
    struct digest digest; /* under which the blob is stored */
    char *why;
    char *users; /* "train/full/vgg19.best, ...": outputs of known results that are this blob or a
                    folder with it; "": none, as for a log */
};

/* An error in a result's record, or in what the index has of the result. */
struct fault {
    struct digest key;
    char *text;
};

struct fsck {
    size_t blobs, results; /* checked */
    uint64_t bytes;
    bool rebuilt;                 /* the index was damaged, and rebuilt from the records */
    struct damaged_blob *damaged; /* sorted by digest */
    size_t damaged_count;
    struct fault *faults;
    size_t fault_count;
    struct affected *affected; /* results that may have been computed from a damaged blob */
    size_t affected_count;
    char **missing; /* "STAGE.PORT": outputs without all of their blobs; their stages run again */
    size_t missing_count;
    struct attempt *attempts; /* unfinished stages: no damage */
    size_t attempt_count;
};

/* Opens the cache for fsck_scan. A damaged index is -EUCLEAN; with `repair` it moves to damaged/
 * and is rebuilt from the records. */
int fsck_open(struct cache *cache, const char *folder, bool repair, struct fsck *fsck,
              struct error *err);

/* Reads every blob and checks every result. fsck_free frees, also after an error. */
int fsck_scan(struct cache *cache, struct fsck *fsck, struct error *err);

/* Moves damaged blobs and records to damaged/, forgets affected results, and makes the index and
 * the records agree. -EROFS if the cache can't be written. */
int fsck_repair(struct cache *cache, const struct fsck *fsck, struct error *err);
void fsck_free(struct fsck *fsck);

/* In fsck_records.c: fill faults; repair them. */
int fsck_scan_records(struct cache *cache, struct fsck *fsck, struct error *err);
int fsck_repair_records(struct cache *cache, const struct fsck *fsck, struct error *err);

#endif
