/* `fsck`: finds damage in the cache and, with --repair, repairs what can be repaired. */
#include "base/arena.h"
#include "dag/commands/commands.h"
#include "dag/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include "base/file.h"
#include "cache/fsck.h"

/* The stage that an attempt was at, by its job.json; "" if that can't be read. */
static json_t *attempt_stage(const struct attempt *a)
{
    char *path = must(file_path("%s/job.json", a->folder));
    json_t *job = json_load_file(path, 0, NULL);
    const char *name = json_string_value(json_object_get(job, "stage"));
    json_t *text = must(json_string(name ? name : ""));
    json_decref(job);
    free(path);
    return text;
}

static int days_left(const struct attempt *a)
{
    double idle = difftime(time(NULL), a->touched) / (24 * 3600);
    int left = (a->checkpoint ? WORK_CHECKPOINT_DAYS : WORK_DAYS) - (int)idle;
    return left > 0 ? left : 0;
}

/* ---- as JSON ---- */

static void append(json_t *list, json_t *item)
{
    if (json_array_append_new(list, must(item)) < 0)
        must(NULL);
}

static json_t *damages_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->damage_count; i++)
        append(list, json_pack("{s:s, s:s, s:s}", "digest", f->damages[i].digest.hex, "why",
                               f->damages[i].why, "outputs", f->damages[i].users));
    return list;
}

static json_t *faults_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->fault_count; i++)
        append(list,
               json_pack("{s:s, s:s}", "key", f->faults[i].key.hex, "why", f->faults[i].text));
    return list;
}

static json_t *suspects_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->suspect_count; i++)
        append(list, json_pack("{s:s, s:s}", "stage", f->suspects[i].stage, "key",
                               f->suspects[i].key.hex));
    return list;
}

static json_t *attempts_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->attempt_count; i++) {
        const struct attempt *a = &f->attempts[i];
        append(list, json_pack("{s:o, s:s, s:s, s:b, s:b, s:i}", "stage", attempt_stage(a), "key",
                               a->key, "folder", a->folder, "checkpoint", a->checkpoint, "running",
                               a->locked, "days_left", days_left(a)));
    }
    return list;
}

static json_t *fsck_json(const struct fsck *f, bool repaired)
{
    json_t *lost = must(json_array());
    for (size_t i = 0; i < f->lost_count; i++)
        append(lost, json_string(f->lost[i]));
    return must(json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:b}", "blobs",
                          (json_int_t)f->blobs, "bytes", (json_int_t)f->bytes, "results",
                          (json_int_t)f->results, "index_rebuilt", f->rebuilt, "damaged",
                          damages_json(f), "faults", faults_json(f), "suspects", suspects_json(f),
                          "missing", lost, "interrupted", attempts_json(f), "repaired", repaired));
}

/* ---- for people ---- */

static void print_attempts(const struct fsck *f)
{
    for (size_t i = 0; i < f->attempt_count; i++) {
        const struct attempt *a = &f->attempts[i];
        json_t *stage = attempt_stage(a);
        const char *name = json_string_value(stage);
        if (a->locked)
            printf("running      %.12s  %s\n", a->key, name);
        else
            printf("interrupted  %.12s  %s: %s; removed in %d day%s\n", a->key, name,
                   a->checkpoint ? "it can be resumed" : "it has no checkpoint", days_left(a),
                   days_left(a) == 1 ? "" : "s");
        json_decref(stage);
    }
}

static void print_fsck(const struct fsck *f, const char *folder, bool repaired)
{
    if (f->rebuilt)
        printf("damaged  index.sqlite: moved to damaged/ and made anew from the records\n");
    for (size_t i = 0; i < f->damage_count; i++)
        printf("damaged  %s  %s: %s\n", f->damages[i].digest.hex,
               *f->damages[i].users ? f->damages[i].users : "no output of a known result",
               f->damages[i].why);
    for (size_t i = 0; i < f->fault_count; i++)
        printf("fault    %s: %s\n", f->faults[i].key.hex, f->faults[i].text);
    for (size_t i = 0; i < f->suspect_count; i++)
        printf("suspect  %s  key %.12s: it may have read damaged bytes\n", f->suspects[i].stage,
               f->suspects[i].key.hex);
    for (size_t i = 0; i < f->lost_count; i++)
        printf("missing  %s\n", f->lost[i]);
    print_attempts(f);
    fprintf(stderr,
            "%zu results, %zu blobs, %.1f MB: %zu damaged, %zu faults, %zu suspects; %zu outputs "
            "missing\n",
            f->results, f->blobs, (double)f->bytes / 1e6, f->damage_count, f->fault_count,
            f->suspect_count, f->lost_count);
    if (f->damage_count + f->fault_count == 0)
        return;
    if (repaired)
        fprintf(stderr, "damaged files are in %s/damaged now; the next run makes them anew%s\n",
                folder, f->suspect_count ? ", and runs the suspects again" : "");
    else
        fprintf(stderr,
                "`ferdag fsck --repair` sets damaged files aside, and the next run makes them "
                "anew\n");
}

int command_fsck(const struct options *options, struct error *err)
{
    struct cache cache;
    struct fsck fsck = {0};
    struct stat st;
    if (stat(options->cache, &st) < 0) {
        error_errno(err, errno, "cannot open cache %s", options->cache);
        return EXIT_BAD;
    }
    int rc = fsck_open(&cache, options->cache, options->repair, &fsck, err);
    if (rc < 0)
        return session_status(rc);
    rc = fsck_look(&cache, &fsck, err);
    if (rc == 0 && options->repair)
        rc = fsck_repair(&cache, &fsck, err);
    if (rc == 0 && options->json)
        session_print(fsck_json(&fsck, options->repair));
    else if (rc == 0)
        print_fsck(&fsck, cache.folder, options->repair);
    bool sound = fsck.damage_count + fsck.fault_count == 0 || options->repair;
    fsck_free(&fsck);
    cache_close(&cache);
    return rc < 0 ? session_status(rc) : sound ? EXIT_DONE : EXIT_FAILED;
}
