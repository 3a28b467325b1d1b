/* See affected.h. */
#include "cache/affected.h"
#include "base/file.h"
#include "cache/record.h"
#include "cache/tree.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void affected_free(struct affected *affected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(affected[i].stage);
    free(affected);
}

static int out_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory looking for results of damaged blobs");
}

/* State of a search. */
struct search {
    struct cache *cache;
    double since;           /* when the blob was last verified */
    struct digest *digests; /* of the blob, and of folders that contain it */
    size_t digest_count;
    char *output; /* an output that is one of them, or NULL */
    struct affected *affected;
    size_t count;
    struct error *err;
};

/* ---- all results, in the index and in records that the index lacks ---- */

typedef int result_action(struct search *s, const struct result *result);

struct walk {
    struct search *search;
    result_action *action;
};

static int at_record(void *data, const struct digest *key, struct error *err)
{
    const struct walk *walk = data;
    struct cache *cache = walk->search->cache;
    struct result result;
    int rc = index_find(cache->index, key->hex, &result, err);
    if (rc == 0)
        result_free(&result);
    if (rc != -ENOENT)
        return rc;
    if (record_read(cache->folder, key->hex, &result, NULL) < 0)
        return 0; /* a key without a valid record has no result */
    rc = walk->action(walk->search, &result);
    result_free(&result);
    return rc;
}

static int each_result(struct search *s, result_action *action)
{
    struct walk walk = {s, action};
    struct digest *keys;
    size_t count;
    int rc = index_keys(s->cache->index, &keys, &count, s->err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(s->cache->index, keys[i].hex, &result, s->err);
        if (rc == 0) {
            rc = action(s, &result);
            result_free(&result);
        }
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    return rc < 0 ? rc : record_list(s->cache->folder, at_record, &walk, s->err);
}

/* ---- folders that contain the blob ---- */

static int add_digest(struct search *s, const struct digest *digest)
{
    struct digest *larger = realloc(s->digests, (s->digest_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(s->err);
    s->digests = larger;
    larger[s->digest_count++] = *digest;
    return 0;
}

static bool is_searched(const struct search *s, const char *hex)
{
    for (size_t i = 0; i < s->digest_count; i++)
        if (strcmp(s->digests[i].hex, hex) == 0)
            return true;
    return false;
}

static bool contains(const struct cache *cache, const struct blob *blob,
                     const struct digest *digest)
{
    struct tree tree;
    bool found = false;
    if (!blob->tree || cache_read_tree(cache, blob, &tree, NULL) < 0)
        return false;
    for (size_t i = 0; i < tree.count; i++)
        found |= strcmp(tree.entries[i].digest.hex, digest->hex) == 0;
    tree_free(&tree);
    return found;
}

static int name_output(struct search *s, const struct result *result, const char *port)
{
    s->output = format_string("output %s of stage %s", port, result->stage);
    return s->output ? 0 : out_of_memory(s->err);
}

static int add_folders(struct search *s, const struct result *result)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < result->output_count; i++) {
        const struct blob *blob = &result->outputs[i].blob;
        if (!is_searched(s, blob->digest.hex)) {
            if (!contains(s->cache, blob, &s->digests[0]))
                continue;
            rc = add_digest(s, &blob->digest);
        }
        if (rc == 0 && !s->output)
            rc = name_output(s, result, result->outputs[i].port);
    }
    return rc;
}

/* ---- results that read one of them ---- */

/* Whether an input of the result is such a blob, and the stage didn't verify it. */
static bool read_unverified(const struct search *s, const struct result *r)
{
    json_t *inputs = json_loads(r->inputs, 0, NULL), *item;
    size_t i;
    bool unverified = false;
    json_array_foreach(inputs, i, item)
    {
        const char *hex = json_string_value(json_object_get(item, "digest"));
        unverified |=
            hex && is_searched(s, hex) && !json_is_true(json_object_get(item, "verified"));
    }
    json_decref(inputs);
    return unverified;
}

static int add_affected(struct search *s, const struct result *result)
{
    if (result->finished < s->since || !read_unverified(s, result))
        return 0;
    struct affected *larger = realloc(s->affected, (s->count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(s->err);
    s->affected = larger;
    struct affected *one = &larger[s->count];
    *one = (struct affected){.stage = strdup(result->stage)};
    snprintf(one->key.hex, sizeof one->key.hex, "%s", result->key);
    if (!one->stage)
        return out_of_memory(s->err);
    s->count++;
    return 0;
}

int affected_find(struct cache *cache, const struct digest *digest, struct affected **affected,
                  size_t *count, char **output, struct error *err)
{
    struct search s = {.cache = cache, .err = err};
    struct metadata metadata;
    int rc = index_find_blob(cache->index, digest, &metadata, &s.since, err);
    if (rc == 0 || rc == -ENOENT)
        rc = add_digest(&s, digest);
    if (rc == 0)
        rc = each_result(&s, add_folders);
    if (rc == 0)
        rc = each_result(&s, add_affected);
    free(s.digests);
    if (rc < 0) {
        affected_free(s.affected, s.count);
        s.affected = NULL;
        s.count = 0;
    }
    if (output && rc == 0)
        *output = s.output;
    else
        free(s.output);
    *affected = s.affected;
    *count = s.count;
    return rc;
}

int affected_forget_result(struct cache *cache, const char *key, struct error *err)
{
    int rc = record_quarantine(cache->folder, key, err);
    return rc < 0 ? rc : index_remove_result(cache->index, key, err);
}

int affected_forget(struct cache *cache, const struct affected *affected, size_t count,
                    struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = affected_forget_result(cache, affected[i].key.hex, err);
    return rc;
}
