/* See fsck.h: which outputs of results lack blobs, and which outputs a damaged blob is part of. */
#include "cache/fsck.h"
#include "base/file.h"
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

int fsck_by_digest(const void *a, const void *b)
{
    return strcmp(((const struct damaged_blob *)a)->digest.hex,
                  ((const struct damaged_blob *)b)->digest.hex);
}

static struct damaged_blob *find_damaged(const struct fsck *f, const struct digest *digest)
{
    struct damaged_blob key = {.digest = *digest};
    return f->damaged_count
               ? bsearch(&key, f->damaged, f->damaged_count, sizeof *f->damaged, fsck_by_digest)
               : NULL;
}

/* An output of a known result while it is checked. */
struct output_scan {
    const struct cache *cache;
    struct fsck *fsck;
    const struct result *result;
    const struct result_output *output;
    bool missing, damaged; /* blobs of it are */
};

/* Names start with a dot: such an output only helps later stages. */
static bool is_optional(const struct result_output *output)
{
    return output->port[0] == '.';
}

static int add_user(const struct output_scan *scan, struct damaged_blob *damaged, struct error *err)
{
    char *users = format_string("%s%s%s.%s", damaged->users, *damaged->users ? ", " : "",
                                scan->result->stage, scan->output->port);
    if (!users)
        return out_of_memory(err);
    free(damaged->users);
    damaged->users = users;
    damaged->needed |= !is_optional(scan->output);
    return 0;
}

static int add_lost(const struct output_scan *scan, struct error *err)
{
    struct fsck *f = scan->fsck;
    struct lost_output *larger = realloc(f->lost, (f->lost_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->lost = larger;
    struct lost_output *lost = &larger[f->lost_count];
    *lost = (struct lost_output){
        .name = format_string("%s.%s", scan->result->stage, scan->output->port),
        .damaged = scan->damaged,
    };
    snprintf(lost->key.hex, sizeof lost->key.hex, "%s", scan->result->key);
    if (!lost->name)
        return out_of_memory(err);
    f->lost_count++;
    f->missing_count += !scan->damaged;
    return 0;
}

static bool is_stored(const struct cache *cache, const struct digest *digest, uint64_t size)
{
    struct metadata metadata;
    return store_local_metadata(cache->blobs, digest, size, &metadata) == 0;
}

static int scan_output_blob(struct output_scan *scan, const struct digest *digest, uint64_t size,
                            struct error *err)
{
    struct damaged_blob *damaged = find_damaged(scan->fsck, digest);
    scan->damaged |= damaged != NULL;
    scan->missing |= !damaged && !is_stored(scan->cache, digest, size);
    return damaged ? add_user(scan, damaged, err) : 0;
}

static int scan_output(struct output_scan *scan, struct error *err)
{
    const struct blob *blob = &scan->output->blob;
    struct tree tree = {0};
    int rc = scan_output_blob(scan, &blob->digest, blob->size, err);
    if (rc == 0 && blob->tree && cache_read_tree(scan->cache, blob, &tree, NULL) < 0)
        scan->missing = true;
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]))
            rc = scan_output_blob(scan, &tree.entries[i].digest, tree.entries[i].size, err);
    tree_free(&tree);
    return rc;
}

int fsck_scan_outputs(struct cache *cache, struct fsck *f, const struct result *result, bool *lost,
                      struct error *err)
{
    int rc = 0;
    *lost = false;
    for (size_t i = 0; rc == 0 && i < result->output_count; i++) {
        struct output_scan scan = {
            .cache = cache, .fsck = f, .result = result, .output = &result->outputs[i]};
        rc = scan_output(&scan, err);
        if (rc < 0 || is_optional(scan.output) || (!scan.missing && !scan.damaged))
            continue;
        *lost = true;
        rc = add_lost(&scan, err);
    }
    return rc;
}
