/* See check.h. A blob whose file still has the metadata (base/metadata.h) that the index has for it
 * is taken to be sound; any other is read. */
#include "cache/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/affected.h"
#include "cache/store_local.h"
#include "cache/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- verified blobs ---- */

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct digest *)a)->hex, ((const struct digest *)b)->hex);
}

/* Whether this process has verified it, in a read-only cache whose index can't store that. */
static bool was_verified(const struct cache *cache, const struct digest *digest)
{
    return cache->verified_count && bsearch(digest, cache->verified, cache->verified_count,
                                            sizeof *cache->verified, by_digest);
}

static int remember(struct cache *cache, const struct digest *digest,
                    const struct metadata *metadata, double when, struct error *err)
{
    if (!cache->read_only)
        return index_put_blob(cache->index, digest, metadata, when, err);
    struct digest *larger =
        realloc(cache->verified, (cache->verified_count + 1) * sizeof *cache->verified);
    if (!larger)
        return 0; /* it will be read again */
    cache->verified = larger;
    larger[cache->verified_count++] = *digest;
    qsort(larger, cache->verified_count, sizeof *larger, by_digest);
    return 0;
}

/* ---- damage ---- */

static void notify(struct cache *cache, const char *text)
{
    if (cache->notice)
        cache->notice(cache->data, text);
}

/* "output o of stage join is damaged (WHY); CONSEQUENCE". output: NULL if unknown. */
static void notify_damage(struct cache *cache, const struct digest *digest, const char *output,
                          const char *why, const char *consequence)
{
    char *text = output
                     ? format_string("%s is damaged (%s)%s", output, why, consequence)
                     : format_string("blob %.12s is damaged (%s)%s", digest->hex, why, consequence);
    if (text)
        notify(cache, text);
    free(text);
}

static void notify_affected(struct cache *cache, const struct affected *affected, size_t count)
{
    char more[40] = "";
    if (count == 0)
        return;
    if (count > 1)
        snprintf(more, sizeof more, " and %zu other result%s", count - 1, count > 2 ? "s" : "");
    char *text = format_string(
        "%s%s may have been computed from the damaged bytes%s", affected[0].stage, more,
        cache->read_only ? "" : ": removed from the cache, so that they run again");
    if (text)
        notify(cache, text);
    free(text);
}

/* Reports a damaged blob, and forgets results that may have been computed from it. */
static int report_damage(struct cache *cache, const struct digest *digest, const char *why,
                         const char *consequence, struct error *err)
{
    struct affected *affected = NULL;
    size_t count = 0;
    char *output = NULL;
    int rc = affected_find(cache, digest, &affected, &count, &output, err);
    notify_damage(cache, digest, output, why, consequence);
    if (rc == 0)
        notify_affected(cache, affected, count);
    if (rc == 0 && !cache->read_only)
        rc = affected_forget(cache, affected, count, err);
    cache->forgotten += count;
    affected_free(affected, count);
    free(output);
    return rc;
}

int check_replaced(struct cache *cache, const struct digest *digest, struct error *err)
{
    char *why = format_string("blob %.12s had other bytes than were stored", digest->hex);
    int rc = report_damage(cache, digest, why ? why : "other bytes", "; it was replaced", err);
    free(why);
    return rc;
}

int check_quarantine(struct cache *cache, const struct digest *digest, struct error *err)
{
    int rc = store_local_quarantine(cache->blobs, digest, err);
    return rc < 0 ? rc : index_remove_blob(cache->index, digest, err);
}

int cache_damaged(struct cache *cache, const struct digest *digest, const char *why,
                  struct error *err)
{
    int rc = report_damage(
        cache, digest, why,
        cache->read_only ? "" : "; it is moved to damaged/ and its stage runs again", err);
    return rc < 0 || cache->read_only ? rc : check_quarantine(cache, digest, err);
}

/* As cache_damaged, but -ENOENT for 0. */
static int missing_by_damage(struct cache *cache, const struct digest *digest, const char *why,
                             struct error *err)
{
    int rc = cache_damaged(cache, digest, why, err);
    return rc < 0 ? rc : -ENOENT;
}

/* ---- checks ---- */

int cache_verify(const struct cache *cache, const struct digest *digest, struct error *err)
{
    struct metadata metadata;
    return store_local_verify(cache->blobs, digest, &metadata, err);
}

/* Reads a blob unless that was done. 0, -ENOENT or an error. */
static int verify(struct cache *cache, const struct digest *digest, uint64_t size,
                  struct error *err)
{
    struct metadata metadata;
    struct error why = {""};
    uint64_t all = 0;
    if (was_verified(cache, digest))
        return 0;
    double began = clock_now();
    int rc = store_local_verify(cache->blobs, digest, &metadata, &why);
    cache->verified_bytes += size;
    if (cache->verifying && index_blob_bytes(cache->index, &all, NULL) == 0)
        cache->verifying(cache->data, cache->verified_bytes, all);
    if (rc == 0)
        return remember(cache, digest, &metadata, began, err);
    if (rc == -EILSEQ || rc == -EIO)
        return missing_by_damage(cache, digest, why.text, err);
    if (rc == -ENOENT)
        return rc;
    if (err)
        *err = why;
    return rc;
}

/* Called for a blob without a file of its size: -ENOENT or an error. */
static int check_size(struct cache *cache, const struct digest *digest, struct error *err)
{
    struct stat st;
    char *path = store_local_path(cache->blobs, digest);
    char *why = format_string("blob %.12s has another size than was stored", digest->hex);
    int rc = -ENOENT;
    if (!path || !why)
        rc = error_set(err, ENOMEM, "out of memory checking a blob");
    else if (lstat(path, &st) == 0)
        rc = missing_by_damage(cache, digest, why, err);
    free(why);
    free(path);
    return rc;
}

/* 0, -ENOENT or an error. known: as in check_blob. */
static int check_file(struct cache *cache, const struct digest *digest, uint64_t size,
                      const struct metadata *known, struct error *err)
{
    struct metadata now, stored;
    double when;
    if (store_local_metadata(cache->blobs, digest, size, &now) < 0)
        return check_size(cache, digest, err);
    if (known && metadata_equal(known, &now))
        return 0;
    if (cache->read_only && cache->by_size)
        return 0;
    if (!known && index_find_blob(cache->index, digest, &stored, &when, err) == 0 &&
        metadata_equal(&stored, &now))
        return 0;
    return verify(cache, digest, size, err);
}

int check_blob(struct cache *cache, const struct blob *blob, const struct metadata *known,
               struct error *err)
{
    int rc = check_file(cache, &blob->digest, blob->size, known, err);
    if (rc < 0 || !blob->tree)
        return rc;
    struct tree tree;
    struct error why;
    rc = cache_read_tree(cache, blob, &tree, &why);
    if (rc == -EINVAL) /* another program stored it */
        return missing_by_damage(cache, &blob->digest, why.text, err);
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]))
            rc = check_file(cache, &tree.entries[i].digest, tree.entries[i].size, NULL, err);
    tree_free(&tree);
    return rc;
}

int cache_check(struct cache *cache, const struct blob *blob, struct error *err)
{
    return check_blob(cache, blob, NULL, err);
}
