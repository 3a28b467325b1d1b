/* See fsck.h: blobs, and the results to which they belong. */
#define _GNU_SOURCE
#include "cache/fsck.h"
#include "base/clock.h"
#include "cache/check.h"
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

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct damaged_blob *)a)->digest.hex,
                  ((const struct damaged_blob *)b)->digest.hex);
}

static int scan_blobs(struct scan *scan, struct error *err)
{
    struct fsck *f = scan->fsck;
    int rc = store_list(&scan->cache->blobs->base, scan_blob, scan, err);
    if (f->damaged_count)
        qsort(f->damaged, f->damaged_count, sizeof *f->damaged, by_digest);
    return rc;
}

/* ---- results ---- */

/* One output of a known result. */
struct output_of {
    const char *stage, *port;
    const struct blob *blob;
};

/* Adds the output to the users of that blob, if the blob is damaged. */
static int add_user(struct fsck *f, const struct output_of *output, const struct digest *digest,
                    struct error *err)
{
    struct damaged_blob key = {.digest = *digest};
    struct damaged_blob *d = f->damaged_count ? bsearch(&key, f->damaged, f->damaged_count,
                                                        sizeof *f->damaged, by_digest)
                                              : NULL;
    char *users;
    if (!d)
        return 0;
    if (asprintf(&users, "%s%s%s.%s", d->users, *d->users ? ", " : "", output->stage,
                 output->port) < 0)
        return out_of_memory(err);
    free(d->users);
    d->users = users;
    return 0;
}

static int add_missing(struct fsck *f, const struct output_of *output, struct error *err)
{
    char **larger = realloc(f->missing, (f->missing_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->missing = larger;
    if (asprintf(&larger[f->missing_count], "%s.%s", output->stage, output->port) < 0)
        return out_of_memory(err);
    f->missing_count++;
    return 0;
}

static bool is_stored(const struct cache *cache, const struct digest *digest, uint64_t size)
{
    struct metadata metadata;
    return store_local_metadata(cache->blobs, digest, size, &metadata) == 0;
}

static int scan_output(const struct scan *scan, const struct output_of *output, struct error *err)
{
    const struct cache *cache = scan->cache;
    const struct blob *blob = output->blob;
    struct tree tree = {0};
    bool stored = is_stored(cache, &blob->digest, blob->size);
    int rc = add_user(scan->fsck, output, &blob->digest, err);
    if (rc == 0 && stored && blob->tree && cache_read_tree(cache, blob, &tree, NULL) < 0)
        stored = false;
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        const struct tree_entry *e = &tree.entries[i];
        if (!tree_is_file(e))
            continue;
        stored &= is_stored(cache, &e->digest, e->size);
        rc = add_user(scan->fsck, output, &e->digest, err);
    }
    tree_free(&tree);
    /* an output with a dot only helps later stages, and may be missing */
    return rc == 0 && output->port[0] != '.' && !stored ? add_missing(scan->fsck, output, err) : rc;
}

static int scan_results(const struct scan *scan, struct error *err)
{
    struct index *index = scan->cache->index;
    struct digest *keys;
    size_t count;
    int rc = index_keys(index, &keys, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(index, keys[i].hex, &result, err);
        for (size_t k = 0; rc == 0 && k < result.output_count; k++) {
            const struct result_output *o = &result.outputs[k];
            rc = scan_output(scan, &(struct output_of){result.stage, o->port, &o->blob}, err);
        }
        result_free(&result);
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    return rc;
}

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
        rc = scan_results(&scan, err);
    for (size_t i = 0; rc == 0 && i < f->damaged_count; i++)
        rc = add_affected(&scan, &f->damaged[i].digest, err);
    if (rc == 0)
        rc = fsck_scan_records(cache, f, err);
    if (rc == 0)
        rc = attempt_list(cache, &f->attempts, &f->attempt_count, err);
    return rc;
}

int fsck_repair(struct cache *cache, const struct fsck *f, struct error *err)
{
    if (!f->damaged_count && !f->fault_count)
        return 0;
    if (cache->read_only)
        return error_set(err, EROFS, "the cache %s can't be written, so nothing was repaired",
                         cache->folder);
    int rc = affected_forget(cache, f->affected, f->affected_count, err);
    for (size_t i = 0; rc == 0 && i < f->damaged_count; i++)
        rc = check_quarantine(cache, &f->damaged[i].digest, err);
    return rc < 0 ? rc : fsck_repair_records(cache, f, err);
}

void fsck_free(struct fsck *f)
{
    for (size_t i = 0; i < f->damaged_count; i++) {
        free(f->damaged[i].why);
        free(f->damaged[i].users);
    }
    for (size_t i = 0; i < f->fault_count; i++)
        free(f->faults[i].text);
    for (size_t i = 0; i < f->missing_count; i++)
        free(f->missing[i]);
    free(f->damaged);
    free(f->faults);
    free(f->missing);
    affected_free(f->affected, f->affected_count);
    attempts_free(f->attempts, f->attempt_count);
    *f = (struct fsck){0};
}
