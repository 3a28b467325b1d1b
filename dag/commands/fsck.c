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

/* Name of the stage of an attempt, from its job.json; "" if that can't be read. */
static json_t *attempt_stage(const struct attempt *a)
{
    char *path = must(format_string("%s/job.json", a->folder));
    json_t *job = json_load_file(path, 0, NULL);
    const char *name = json_string_value(json_object_get(job, "stage"));
    json_t *text = must(json_string(name ? name : ""));
    json_decref(job);
    free(path);
    return text;
}

/* Days until a run removes the attempt's folder. */
static int days_left(const struct attempt *a)
{
    double idle = difftime(time(NULL), a->touched) / (24 * 3600);
    int left = (a->checkpoint ? ATTEMPT_CHECKPOINT_DAYS : ATTEMPT_DAYS) - (int)idle;
    return left > 0 ? left : 0;
}

/* ---- as JSON ---- */

static void append(json_t *list, json_t *item)
{
    if (json_array_append_new(list, must(item)) < 0)
        must(NULL);
}

static json_t *damaged_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->damaged_count; i++)
        append(list, json_pack("{s:s, s:s, s:s}", "digest", f->damaged[i].digest.hex, "why",
                               f->damaged[i].why, "outputs", f->damaged[i].users));
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

static json_t *affected_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->affected_count; i++)
        append(list, json_pack("{s:s, s:s}", "stage", f->affected[i].stage, "key",
                               f->affected[i].key.hex));
    return list;
}

static const char *attempt_state(const struct attempt *a)
{
    return a->locked ? "running" : a->failed ? "failed" : "interrupted";
}

static json_t *attempts_json(const struct fsck *f)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < f->attempt_count; i++) {
        const struct attempt *a = &f->attempts[i];
        append(list, json_pack("{s:o, s:s, s:s, s:s, s:b, s:i}", "stage", attempt_stage(a), "key",
                               a->key, "folder", a->folder, "state", attempt_state(a), "checkpoint",
                               a->checkpoint, "days_left", days_left(a)));
    }
    return list;
}

static json_t *fsck_json(const struct fsck *f, bool repaired)
{
    json_t *missing = must(json_array());
    for (size_t i = 0; i < f->missing_count; i++)
        append(missing, json_string(f->missing[i]));
    return must(json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:b}", "blobs",
                          (json_int_t)f->blobs, "bytes", (json_int_t)f->bytes, "results",
                          (json_int_t)f->results, "index_rebuilt", f->rebuilt, "damaged",
                          damaged_json(f), "faults", faults_json(f), "affected", affected_json(f),
                          "missing", missing, "attempts", attempts_json(f), "repaired", repaired));
}

/* ---- as text ---- */

static void print_attempts(const struct fsck *f)
{
    for (size_t i = 0; i < f->attempt_count; i++) {
        const struct attempt *a = &f->attempts[i];
        json_t *stage = attempt_stage(a);
        const char *name = json_string_value(stage);
        if (a->locked)
            printf("running      %.12s  %s\n", a->key, name);
        else
            printf("%-11s  %.12s  %s: %s; its folder is removed in %d day%s\n", attempt_state(a),
                   a->key, name, a->checkpoint ? "it can be resumed" : "it has no checkpoint",
                   days_left(a), days_left(a) == 1 ? "" : "s");
        json_decref(stage);
    }
}

static void print_findings(const struct fsck *f)
{
    if (f->rebuilt)
        printf("damaged  index.sqlite: moved to damaged/ and rebuilt from the results' records\n");
    for (size_t i = 0; i < f->damaged_count; i++)
        printf("damaged  %s  %s: %s\n", f->damaged[i].digest.hex,
               *f->damaged[i].users ? f->damaged[i].users : "no output of a known result",
               f->damaged[i].why);
    for (size_t i = 0; i < f->fault_count; i++)
        printf("fault    %s: %s\n", f->faults[i].key.hex, f->faults[i].text);
    for (size_t i = 0; i < f->affected_count; i++)
        printf("affected %s  key %.12s: it may have been computed from damaged bytes\n",
               f->affected[i].stage, f->affected[i].key.hex);
    for (size_t i = 0; i < f->missing_count; i++)
        printf("missing  %s\n", f->missing[i]);
    print_attempts(f);
}

static void print_summary(const struct fsck *f, const char *folder, bool repaired)
{
    fprintf(stderr,
            "%zu results, %zu blobs, %.1f MB: %zu damaged, %zu faults, %zu affected results, %zu "
            "missing outputs\n",
            f->results, f->blobs, (double)f->bytes / 1e6, f->damaged_count, f->fault_count,
            f->affected_count, f->missing_count);
    if (f->damaged_count + f->fault_count == 0)
        return;
    if (repaired)
        fprintf(stderr, "damaged files are now in %s/damaged; their stages%s run again next time\n",
                folder, f->affected_count ? " and those of affected results" : "");
    else
        fprintf(stderr, "`ferdag fsck --repair` moves damaged files to damaged/, so that their "
                        "stages run again\n");
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
    rc = fsck_scan(&cache, &fsck, err);
    if (rc == 0 && options->repair)
        rc = fsck_repair(&cache, &fsck, err);
    if (rc == 0 && options->json)
        session_print(fsck_json(&fsck, options->repair));
    if (rc == 0 && !options->json) {
        print_findings(&fsck);
        print_summary(&fsck, cache.folder, options->repair);
    }
    bool sound = fsck.damaged_count + fsck.fault_count == 0 || options->repair;
    fsck_free(&fsck);
    cache_close(&cache);
    return rc < 0 ? session_status(rc) : sound ? EXIT_DONE : EXIT_FAILED;
}
