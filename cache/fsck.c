/* See fsck.h: blobs, the results that damaged ones affect, and the repair. */
#define _GNU_SOURCE
#include "cache/fsck.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/check.h"
#include "cache/record.h"
#include "cache/store_local.h"
#include "cache/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory checking the cache");
}

/* A scan in progress. */
struct scan {
    struct cache *cache;
    struct fsck *fsck;
};

/* ---- blobs ---- */

static int add_damaged(struct fsck *f, const struct digest *digest, const char *why,
                       struct error *err)
{
    struct damaged_blob *larger = realloc(f->damaged, (f->damaged_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->damaged = larger;
    struct damaged_blob *d = &larger[f->damaged_count++];
    *d = (struct damaged_blob){.digest = *digest, .why = strdup(why), .users = strdup("")};
    return d->why && d->users ? 0 : out_of_memory(err);
}

static int scan_blob(void *data, const struct digest *digest, struct error *err)
{
    const struct scan *scan = data;
    struct fsck *f = scan->fsck;
    struct error why = {""};
    struct metadata metadata;
    double began = clock_now();
    int rc = store_local_verify(scan->cache->blobs, digest, &metadata, &why);
    if (rc == -ENOENT)
        return 0; /* another run moved it to damaged/ meanwhile */
    f->blobs++;
    if (rc < 0)
        return add_damaged(f, digest, why.text, err);
    f->bytes += metadata.size;
    return index_put_blob(scan->cache->index, digest, &metadata, began, err);
}

static int scan_blobs(struct scan *scan, struct error *err)
{
    struct fsck *f = scan->fsck;
    int rc = store_list(&scan->cache->blobs->base, scan_blob, scan, err);
    if (f->damaged_count)
        qsort(f->damaged, f->damaged_count, sizeof *f->damaged, fsck_by_digest);
    return rc;
}

/* ---- affected results ---- */

static bool is_affected(const struct fsck *f, const struct digest *key)
{
    for (size_t i = 0; i < f->affected_count; i++)
        if (strcmp(f->affected[i].key.hex, key->hex) == 0)
            return true;
    return false;
}

/* Adds the results that one damaged blob affects. */
static int add_affected(const struct scan *scan, const struct digest *digest, struct error *err)
{
    struct fsck *f = scan->fsck;
    struct affected *more;
    size_t count;
    int rc = affected_find(scan->cache, digest, &more, &count, NULL, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (is_affected(f, &more[i].key))
            continue;
        struct affected *larger = realloc(f->affected, (f->affected_count + 1) * sizeof *larger);
        if (!larger) {
            rc = out_of_memory(err);
            break;
        }
        f->affected = larger;
        larger[f->affected_count++] = more[i];
        more[i].stage = NULL; /* moved */
    }
    affected_free(more, count);
    return rc;
}

int fsck_scan(struct cache *cache, struct fsck *f, struct error *err)
{
    struct scan scan = {cache, f};
    int rc = scan_blobs(&scan, err);
    if (rc == 0)
        rc = fsck_scan_records(cache, f, err);
    for (size_t i = 0; rc == 0 && i < f->damaged_count; i++)
        rc = add_affected(&scan, &f->damaged[i].digest, err);
    if (rc == 0)
        rc = attempt_list(cache, &f->attempts, &f->attempt_count, err);
    return rc;
}

/* ---- what was found ---- */

bool fsck_found(const struct fsck *f)
{
    return f->damaged_count || f->fault_count || f->affected_count || f->lost_count;
}

/* ---- repair ---- */

/* *lost: whether the result still lacks outputs; another run may have computed it since the scan.
 */
static int look_again(struct cache *cache, const char *key, bool *lost, struct error *err)
{
    struct fsck found = {0};
    struct result result;
    int rc = record_read(cache->folder, key, &result, NULL);
    if (rc < 0)
        rc = index_find(cache->index, key, &result, err);
    *lost = true;
    if (rc == 0 && !result.incomplete)
        rc = fsck_scan_outputs(cache, &found, &result, lost, err);
    result_free(&result);
    fsck_free(&found);
    return rc == -ENOENT ? 0 : rc;
}

static int forget_lost(struct cache *cache, const struct fsck *f, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->lost_count; i++) {
        const char *key = f->lost[i].key.hex;
        bool lost;
        if (i > 0 && strcmp(key, f->lost[i - 1].key.hex) == 0)
            continue; /* another output of the same result */
        rc = look_again(cache, key, &lost, err);
        if (rc == 0 && lost)
            rc = affected_forget_result(cache, key, err);
    }
    return rc;
}

int fsck_repair(struct cache *cache, const struct fsck *f, struct error *err)
{
    if (!fsck_found(f))
        return 0;
    if (cache->read_only)
        return error_set(err, EROFS, "the cache %s can't be written, so nothing was repaired",
                         cache->folder);
    int rc = affected_forget(cache, f->affected, f->affected_count, err);
    for (size_t i = 0; rc == 0 && i < f->damaged_count; i++)
        rc = check_quarantine(cache, &f->damaged[i].digest, err);
    if (rc == 0)
        rc = forget_lost(cache, f, err);
    return rc < 0 ? rc : fsck_repair_records(cache, f, err);
}

void fsck_free(struct fsck *f)
{
    for (size_t i = 0; i < f->damaged_count; i++) {
        free(f->damaged[i].why);
        free(f->damaged[i].users);
    }
    for (size_t i = 0; i < f->fault_count; i++)
        free(f->faults[i].stage);
    for (size_t i = 0; i < f->lost_count; i++)
        free(f->lost[i].name);
    free(f->damaged);
    free(f->faults);
    free(f->lost);
    affected_free(f->affected, f->affected_count);
    attempts_free(f->attempts, f->attempt_count);
    *f = (struct fsck){0};
}
