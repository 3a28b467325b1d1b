/* `fsck`: finds damage in the cache and, with --repair, repairs what can be repaired. */
#include "base/arena.h"
#include "dag/commands/commands.h"
#include "dag/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
        append(list, json_pack("{s:s, s:s, s:s}", "key", f->faults[i].key.hex, "stage",
                               f->faults[i].stage, "why", f->faults[i].type->text));
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
    for (size_t i = 0; i < f->lost_count; i++)
        if (!f->lost[i].damaged)
            append(missing, json_string(f->lost[i].name));
    return must(json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:b}", "blobs",
                          (json_int_t)f->blobs, "bytes", (json_int_t)f->bytes, "results",
                          (json_int_t)f->results, "index_rebuilt", f->rebuilt, "damaged",
                          damaged_json(f), "faults", faults_json(f), "affected", affected_json(f),
                          "missing", missing, "attempts", attempts_json(f), "repaired", repaired));
}

/* ---- as text ---- */

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_attempts(const struct fsck *f)
{
    for (size_t i = 0; i < f->attempt_count; i++) {
        const struct attempt *a = &f->attempts[i];
        json_t *stage = attempt_stage(a);
        printf("%-11s  %s  key %.12s", attempt_state(a), json_string_value(stage), a->key);
        if (!a->locked)
            printf(": %s; its folder is removed in %d day%s",
                   a->checkpoint ? "it can be resumed" : "it has no checkpoint", days_left(a),
                   plural((size_t)days_left(a)));
        putchar('\n');
        json_decref(stage);
    }
}

/* Ends a finding's line with its repair. */
static void print_repair(bool repaired, const char *repair, const char *done)
{
    printf("; %s%s\n", repaired ? "repaired: " : "--repair ", repaired ? done : repair);
}

static void print_damaged(const struct damaged_blob *d, bool repaired)
{
    printf("damaged  %s  blob %.12s: %s%s", *d->users ? d->users : "no output of a known result",
           d->digest.hex, d->why, d->needed ? "; its stage runs again in the next run" : "");
    print_repair(repaired, "moves the blob to damaged/", "the blob moved to damaged/");
}

static void print_findings(const struct fsck *f, bool repaired)
{
    if (f->rebuilt)
        printf("damaged  index.sqlite: it could not be read; repaired: moved to damaged/ and "
               "rebuilt from the results' "
               "records\n");
    for (size_t i = 0; i < f->damaged_count; i++)
        print_damaged(&f->damaged[i], repaired);
    for (size_t i = 0; i < f->lost_count; i++) {
        if (f->lost[i].damaged)
            continue; /* printed with the blob */
        printf("missing  %s  key %.12s: its stage runs again in the next run", f->lost[i].name,
               f->lost[i].key.hex);
        print_repair(repaired, "removes the result", "the result was removed");
    }
    for (size_t i = 0; i < f->affected_count; i++) {
        printf("affected %s  key %.12s: it may have been computed from damaged bytes",
               f->affected[i].stage, f->affected[i].key.hex);
        print_repair(repaired, "removes the result, so that its stage runs again in the next run",
                     "the result was removed; its stage runs again in the next run");
    }
    for (size_t i = 0; i < f->fault_count; i++) {
        const struct fault *fault = &f->faults[i];
        printf("fault    %s  key %.12s: %s", *fault->stage ? fault->stage : "unknown stage",
               fault->key.hex, fault->type->text);
        print_repair(repaired, fault->type->repair, fault->type->repaired);
    }
    print_attempts(f);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The number of results whose stages run again. A result may be found for several reasons. */
static size_t lost_results(const struct fsck *f)
{
    size_t n = 0, different = 0;
    const char **keys =
        must_alloc((f->fault_count + f->affected_count + f->lost_count + 1) * sizeof *keys);
    for (size_t i = 0; i < f->fault_count; i++)
        if (f->faults[i].type->lost)
            keys[n++] = f->faults[i].key.hex;
    for (size_t i = 0; i < f->affected_count; i++)
        keys[n++] = f->affected[i].key.hex;
    for (size_t i = 0; i < f->lost_count; i++)
        keys[n++] = f->lost[i].key.hex;
    qsort(keys, n, sizeof *keys, by_text);
    for (size_t i = 0; i < n; i++)
        different += i == 0 || strcmp(keys[i], keys[i - 1]) != 0;
    free(keys);
    return different;
}

static void print_size(uint64_t bytes)
{
    if (bytes < 1000)
        fprintf(stderr, "%" PRIu64 " byte%s", bytes, plural(bytes));
    else if (bytes < 1000000)
        fprintf(stderr, "%.1f kB", (double)bytes / 1e3);
    else
        fprintf(stderr, "%.1f MB", (double)bytes / 1e6);
}

/* "2 damaged blobs, 1 fault" of what there is, or "no damage". */
static void print_counts(const struct fsck *f)
{
    const struct {
        size_t count;
        const char *what;
    } counts[] = {{f->rebuilt, "damaged index"},
                  {f->damaged_count, "damaged blob"},
                  {f->missing_count, "missing output"},
                  {f->affected_count, "affected result"},
                  {f->fault_count, "fault"}};
    const char *between = "";
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (!counts[i].count)
            continue;
        fprintf(stderr, "%s%zu %s%s", between, counts[i].count, counts[i].what,
                plural(counts[i].count));
        between = ", ";
    }
    fprintf(stderr, "%s\n", *between ? "" : "no damage");
}

/* What --repair does, or did. */
static void print_advice(const struct fsck *f, const char *folder, bool repaired)
{
    size_t lost = lost_results(f);
    if (repaired && f->damaged_count)
        fprintf(stderr, "repaired: damaged blobs are now in %s/damaged; ", folder);
    else if (repaired)
        fprintf(stderr, "repaired; ");
    else
        fprintf(stderr, "`ferdag fsck --repair` %s; ",
                !lost            ? "repairs all of it"
                : f->fault_count ? "removes what can't be restored and repairs the rest"
                                 : "removes what can't be restored");
    if (lost == 0)
        fprintf(stderr, "no stage runs again\n");
    else
        fprintf(stderr, "the stage%s of %zu result%s in the next run\n", plural(lost), lost,
                lost == 1 ? " runs again" : "s run again");
}

static void print_summary(const struct fsck *f, const char *folder, bool repaired)
{
    fprintf(stderr, "%zu result%s, %zu blob%s, ", f->results, plural(f->results), f->blobs,
            plural(f->blobs));
    print_size(f->bytes);
    fprintf(stderr, ": ");
    print_counts(f);
    if (fsck_found(f) || f->rebuilt)
        print_advice(f, folder, repaired);
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
        print_findings(&fsck, options->repair);
        print_summary(&fsck, cache.folder, options->repair);
    }
    bool sound = !fsck_found(&fsck) || options->repair;
    fsck_free(&fsck);
    cache_close(&cache);
    return rc < 0 ? session_status(rc) : sound ? EXIT_DONE : EXIT_FAILED;
}
