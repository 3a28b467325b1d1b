/* See suspects.h. */
#include "cache/suspects.h"
#include "cache/tree.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void suspects_free(struct suspect *suspects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(suspects[i].stage);
    free(suspects);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory looking for results of damaged blobs");
}

/* A search in progress. */
struct search {
    struct cache *cache;
    double since; /* when the blob was last known to be right */
    struct suspect *suspects;
    size_t count;
    struct error *err;
};

/* Whether one of the recorded inputs is that blob, and wasn't verified by the stage. */
static bool read_unverified(const struct result *r, const struct digest *digest)
{
    json_t *inputs = json_loads(r->inputs, 0, NULL), *item;
    size_t i;
    bool unverified = false;
    json_array_foreach(inputs, i, item)
    {
        const char *hex = json_string_value(json_object_get(item, "digest"));
        unverified |= hex && strcmp(hex, digest->hex) == 0 &&
                      !json_is_true(json_object_get(item, "verified"));
    }
    json_decref(inputs);
    return unverified;
}

static int add(struct search *s, const struct digest *key, const char *stage)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->suspects[i].key.hex, key->hex) == 0)
            return 0;
    struct suspect *larger = realloc(s->suspects, (s->count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(s->err);
    s->suspects = larger;
    larger[s->count] = (struct suspect){.key = *key, .stage = strdup(stage)};
    if (!larger[s->count].stage)
        return out_of_memory(s->err);
    s->count++;
    return 0;
}

/* Adds results that read the blob itself. */
static int add_readers(struct search *s, const struct digest *digest)
{
    struct digest *keys;
    size_t count;
    int rc = index_find_readers(s->cache->index, digest, &keys, &count, s->err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(s->cache->index, keys[i].hex, &result, s->err);
        if (rc == 0 && result.started >= s->since && read_unverified(&result, digest))
            rc = add(s, &keys[i], result.stage);
        result_free(&result);
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    return rc;
}

static bool holds(const struct cache *cache, const struct blob *blob, const struct digest *digest)
{
    struct tree tree;
    bool held = false;
    if (!blob->tree || tree_read(cache->folder, blob, &tree, NULL) < 0)
        return false;
    for (size_t i = 0; i < tree.count; i++)
        held |= strcmp(tree.entries[i].digest.hex, digest->hex) == 0;
    tree_free(&tree);
    return held;
}

/* Adds results that read a folder with the blob in it. */
static int add_folder_readers(struct search *s, const struct digest *digest)
{
    struct digest *keys;
    size_t count;
    int rc = index_keys(s->cache->index, &keys, &count, s->err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(s->cache->index, keys[i].hex, &result, s->err);
        for (size_t k = 0; rc == 0 && k < result.output_count; k++)
            if (holds(s->cache, &result.outputs[k].blob, digest))
                rc = add_readers(s, &result.outputs[k].blob.digest);
        result_free(&result);
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    return rc;
}

int suspects_find(struct cache *cache, const struct digest *digest, struct suspect **suspects,
                  size_t *count, struct error *err)
{
    struct search s = {.cache = cache, .err = err};
    struct stamp stamp;
    int rc = index_blob_find(cache->index, digest, &stamp, &s.since, err);
    if (rc == 0 || rc == -ENOENT)
        rc = add_readers(&s, digest);
    if (rc == 0)
        rc = add_folder_readers(&s, digest);
    if (rc < 0) {
        suspects_free(s.suspects, s.count);
        s.suspects = NULL;
        s.count = 0;
    }
    *suspects = s.suspects;
    *count = s.count;
    return rc;
}
