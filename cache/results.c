/* See cache.h: results, found by key and added. */
#include "cache/cache.h"
#include "base/clock.h"
#include "cache/check.h"
#include "cache/record.h"
#include "cache/store_local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void drop_output(struct result *result, size_t i)
{
    free(result->outputs[i].port);
    result->output_count--;
    memmove(&result->outputs[i], &result->outputs[i + 1],
            (result->output_count - i) * sizeof *result->outputs);
}

/* 0 if all blobs are there, -ENOENT if not, or an error. Drops missing outputs with a dot. */
static int check_outputs(struct cache *cache, struct result *result, struct error *err)
{
    int rc = result->incomplete ? -ENOENT : 0;
    for (size_t i = 0; rc == 0 && i < result->output_count;) {
        const struct result_output *output = &result->outputs[i];
        int there =
            check_blob(cache, &output->blob, output->has_metadata ? &output->metadata : NULL, err);
        if (there == 0)
            i++;
        else if (there == -ENOENT && output->port[0] == '.')
            drop_output(result, i);
        else
            rc = there;
    }
    return rc;
}

/* Finds a result by its record and adds it to the index. `lost`: what the index has for the key, if
 * its blobs were checked already, or NULL. */
static int find_record(struct cache *cache, const char *key, const struct result *lost,
                       struct result *result, struct error *err)
{
    int rc = record_read(cache->folder, key, result, NULL);
    if (rc == -EINVAL || rc == -ENOENT)
        return -ENOENT; /* fsck reports a damaged record */
    if (rc < 0)
        return error_set(err, -rc, "cannot read the record of result %s", key);
    rc = lost && !lost->incomplete && result_same_outputs(lost, result)
             ? -ENOENT
             : check_outputs(cache, result, err);
    if (rc == 0 && !cache->read_only)
        rc = index_put_result(cache->index, result, err);
    if (rc < 0)
        result_free(result);
    return rc;
}

int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err)
{
    struct result found;
    int rc = index_find(cache->index, key, &found, err);
    if (rc == -ENOENT)
        return find_record(cache, key, NULL, result, err);
    if (rc < 0)
        return rc;
    rc = check_outputs(cache, &found, err);
    if (rc == 0) {
        *result = found;
        return 0;
    }
    if (rc == -ENOENT)
        rc = find_record(cache, key, &found, result, err);
    result_free(&found);
    return rc;
}

int cache_add_result(struct cache *cache, const struct result *result,
                     const struct blob_writer *writer, struct error *err)
{
    double now = clock_now();
    int rc = index_begin_transaction(cache->index, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < writer->stored_count; i++)
        if (writer->stored[i].replaced)
            rc = check_replaced(cache, &writer->stored[i].digest, err);
    for (size_t i = 0; rc == 0 && i < writer->stored_count; i++)
        rc = index_put_blob(cache->index, &writer->stored[i].digest, &writer->stored[i].metadata,
                            now, err);
    if (rc == 0)
        rc = index_put_result(cache->index, result, err);
    if (rc == 0)
        rc = index_end_transaction(cache->index, err);
    else
        index_rollback(cache->index);
    return rc;
}
