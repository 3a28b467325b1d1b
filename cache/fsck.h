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
    bool needed; /* one of them is not optional, so that its stage runs again */
};

/* An error in a result's record, or in what the index has of the result, and its repair. */
struct fault_type {
    const char *text;              /* "it is not in the index" */
    const char *repair, *repaired; /* "adds it from its record", "added from its record" */
    bool lost;                     /* the result can't be restored */
};

struct fault {
    struct digest key;
    char *stage; /* "" if unknown */
    const struct fault_type *type;
};

/* An output without all of its blobs, so that its stage runs again. Outputs whose names start with
 * a dot are optional and never lost. */
struct lost_output {
    struct digest key; /* of the result */
    char *name;        /* "STAGE.PORT" */
    bool damaged;      /* blobs are damaged; else some are missing */
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
    struct lost_output *lost;         /* all outputs of a result in a row */
    size_t lost_count, missing_count; /* missing: those that aren't damaged */
    struct attempt *attempts;         /* unfinished stages: no damage */
    size_t attempt_count;
};

/* Opens the cache for fsck_scan. A damaged index is -EUCLEAN; with `repair` it moves to damaged/
 * and is rebuilt from the records. */
int fsck_open(struct cache *cache, const char *folder, bool repair, struct fsck *fsck,
              struct error *err);

/* Reads every blob and checks every result. fsck_free frees, also after an error. */
int fsck_scan(struct cache *cache, struct fsck *fsck, struct error *err);

/* Moves damaged blobs and records to damaged/, removes affected results and those with lost
 * outputs, and makes the index and the records agree. -EROFS if the cache can't be written. */
int fsck_repair(struct cache *cache, const struct fsck *fsck, struct error *err);
void fsck_free(struct fsck *fsck);

/* Whether something is wrong, apart from an index that was rebuilt. */
bool fsck_found(const struct fsck *fsck);

/* In fsck_outputs.c: adds the result's lost outputs, and its outputs to the users of damaged blobs.
 * *lost: whether an output is lost. */
int fsck_scan_outputs(struct cache *cache, struct fsck *fsck, const struct result *result,
                      bool *lost, struct error *err);

/* Order of damaged blobs, for qsort and bsearch. */
int fsck_by_digest(const void *a, const void *b);

/* In fsck_records.c: check all results and fill faults; repair them. */
int fsck_scan_records(struct cache *cache, struct fsck *fsck, struct error *err);
int fsck_repair_records(struct cache *cache, const struct fsck *fsck, struct error *err);

#endif
