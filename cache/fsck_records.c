/* See fsck.h: the index and the results' records, which both hold every result. */
#define _GNU_SOURCE
#include "base/file.h"
#include "cache/fsck.h"
#include "cache/quarantine.h"
#include "cache/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- opening, and rebuilding the index ---- */

/* Adds a record's result to the index. fsck_scan_records reports damaged records. */
static int import(void *data, const struct digest *key, struct error *err)
{
    struct cache *cache = data;
    struct result result;
    int rc = record_read(cache->folder, key->hex, &result, NULL);
    if (rc < 0)
        return rc == -ENOMEM ? error_set(err, ENOMEM, "out of memory reading records") : 0;
    rc = index_put_result(cache->index, &result, err);
    result_free(&result);
    return rc;
}

static int import_all(struct cache *cache, struct error *err)
{
    char *damaged = format_string("%s/damaged/index.sqlite", cache->folder);
    int rc = damaged ? index_begin_transaction(cache->index, err)
                     : error_set(err, ENOMEM, "out of memory");
    if (rc == 0) {
        rc = record_list(cache->folder, import, cache, err);
        index_salvage(cache->index, damaged);
        if (rc == 0)
            rc = index_end_transaction(cache->index, err);
        else
            index_rollback(cache->index);
    }
    free(damaged);
    return rc;
}

static int rebuild(struct cache *cache, const char *folder, struct error *err)
{
    static const char *const names[] = {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
        char *path = format_string("%s/%s", folder, names[i]);
        rc = path ? quarantine(folder, path, names[i], err)
                  : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    if (rc == 0)
        rc = cache_open(cache, folder, true, err);
    if (rc < 0)
        return rc;
    rc = import_all(cache, err);
    if (rc < 0)
        cache_close(cache);
    return rc;
}

/* Whether it is the error of an index that SQLite can't read. */
static bool is_damage(int rc)
{
    return rc == -EUCLEAN || rc == -EIO;
}

int fsck_open(struct cache *cache, const char *folder, bool repair, struct fsck *f,
              struct error *err)
{
    *f = (struct fsck){0};
    int rc = cache_open(cache, folder, false, err);
    if (rc == 0) {
        rc = index_check(cache->index, err);
        if (rc < 0)
            cache_close(cache);
    }
    if (!is_damage(rc) || !repair)
        return rc;
    f->rebuilt = true;
    err->text[0] = 0;
    return rebuild(cache, folder, err);
}

/* ---- record against index ---- */

static const struct fault_type no_record = {"it has no record", "writes it from the index",
                                            "written from the index", false};
static const struct fault_type damaged_record = {
    "its record is damaged", "moves it to damaged/ and writes it from the index",
    "moved to damaged/ and written from the index", false};
static const struct fault_type not_in_index = {"it is not in the index", "adds it from its record",
                                               "added to the index from its record", false};
static const struct fault_type differs = {"the index and its record have different outputs",
                                          "takes those of the record",
                                          "the index has those of the record", false};
static const struct fault_type lost_result = {
    "its outputs are unknown: the index lacks them, and its record is lost or damaged",
    "removes it, so that its stage runs again in the next run",
    "removed; its stage runs again in the next run", true};

static int add_fault(struct fsck *f, const struct digest *key, const char *stage,
                     const struct fault_type *type, struct error *err)
{
    struct fault *larger = realloc(f->faults, (f->fault_count + 1) * sizeof *larger);
    if (!larger)
        return error_set(err, ENOMEM, "out of memory checking the cache");
    f->faults = larger;
    struct fault *fault = &larger[f->fault_count];
    *fault = (struct fault){.key = *key, .stage = strdup(stage), .type = type};
    if (!fault->stage)
        return error_set(err, ENOMEM, "out of memory checking the cache");
    f->fault_count++;
    return 0;
}

/* A result as the index and its record have it. in_index, in_record: what reading them returned. */
struct versions {
    struct result known, recorded;
    int in_index, in_record;
};

/* The one that repair keeps: the record, whose bytes are checked, or else the index's; NULL if both
 * are lost or damaged. */
static const struct result *valid_version(const struct versions *v)
{
    return v->in_record == 0                          ? &v->recorded
           : v->in_index == 0 && !v->known.incomplete ? &v->known
                                                      : NULL;
}

static const struct fault_type *find_fault(const struct versions *v)
{
    return !valid_version(v)                                                      ? &lost_result
           : v->in_record == -ENOENT                                              ? &no_record
           : v->in_record < 0                                                     ? &damaged_record
           : v->in_index == -ENOENT                                               ? &not_in_index
           : v->known.incomplete || !result_same_outputs(&v->known, &v->recorded) ? &differs
                                                                                  : NULL;
}

/* Checks a result. A fault of one with lost outputs is not reported: it is removed anyway. */
static int scan_versions(struct cache *cache, struct fsck *f, const struct digest *key,
                         const struct versions *v, struct error *err)
{
    const struct result *valid = valid_version(v);
    const struct fault_type *fault = find_fault(v);
    bool lost = false;
    int rc = valid ? fsck_scan_outputs(cache, f, valid, &lost, err) : 0;
    const char *stage = valid ? valid->stage : v->in_index == 0 ? v->known.stage : "";
    return rc == 0 && fault && !lost ? add_fault(f, key, stage, fault, err) : rc;
}

struct record_scan {
    struct cache *cache;
    struct fsck *fsck;
    bool not_in_index; /* only keys that the index lacks */
};

static int scan_key(void *data, const struct digest *key, struct error *err)
{
    const struct record_scan *scan = data;
    struct versions v = {0};
    v.in_index = index_find(scan->cache->index, key->hex, &v.known, err);
    int rc = v.in_index == -ENOENT ? 0 : v.in_index;
    if (rc == 0 && !(scan->not_in_index && v.in_index == 0)) {
        scan->fsck->results++;
        v.in_record = record_read(scan->cache->folder, key->hex, &v.recorded, NULL);
        rc = scan_versions(scan->cache, scan->fsck, key, &v, err);
    }
    result_free(&v.known);
    result_free(&v.recorded);
    return rc;
}

int fsck_scan_records(struct cache *cache, struct fsck *f, struct error *err)
{
    struct record_scan scan = {.cache = cache, .fsck = f};
    struct digest *keys;
    size_t count;
    int rc = index_keys(cache->index, &keys, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = scan_key(&scan, &keys[i], err);
    free(keys);
    scan.not_in_index = true;
    return rc < 0 ? rc : record_list(cache->folder, scan_key, &scan, err);
}

/* ---- repair ---- */

/* A sound record wins, since its bytes are checked; otherwise it is rewritten from the index. */
static int repair_result(struct cache *cache, const char *key, struct error *err)
{
    struct result result;
    int rc = record_read(cache->folder, key, &result, NULL);
    if (rc == 0) {
        rc = index_put_result(cache->index, &result, err);
        result_free(&result);
        return rc;
    }
    if (rc != -ENOENT && rc != -ENOMEM) /* damaged or unreadable */
        rc = record_quarantine(cache->folder, key, err);
    if (rc < 0 && rc != -ENOENT)
        return *err->text ? rc : error_set(err, -rc, "cannot read the record of result %s", key);
    rc = index_find(cache->index, key, &result, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    rc = result.incomplete ? index_remove_result(cache->index, key, err)
                           : record_write(cache->folder, &result, true, err);
    result_free(&result);
    return rc;
}

int fsck_repair_records(struct cache *cache, const struct fsck *f, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->fault_count; i++)
        rc = repair_result(cache, f->faults[i].key.hex, err);
    return rc;
}
