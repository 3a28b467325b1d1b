/* `run`: runs the stages that are out of date. `report`: runs only tables and report. */
#define _GNU_SOURCE
#include "dag/commands/commands.h"
#include "base/utf8.h"
#include "dag/backend_change.h"
#include "dag/cache_folder.h"
#include "dag/progress.h"
#include "dag/publish.h"
#include "dag/result_links.h"
#include "dag/run.h"
#include "dag/session.h"
#include "dag/variant.h"
#include "stages/gpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <time.h>

static const char *state_name(enum state state, bool dry)
{
    switch (state) {
    case STATE_WAITING:
        return dry ? "may_run" : "not_run";
    case STATE_READY:
        return dry ? "would_run" : "not_run";
    case STATE_CACHED:
        return "cached";
    case STATE_RAN:
        return "ran";
    case STATE_FAILED:
        return "failed";
    default:
        return "not_run";
    }
}

static json_t *stage_json(const struct plan *plan, const struct task *task, bool dry)
{
    const char *obstacle = plan_obstacle(plan, task->stage);
    json_t *item = json_pack("{s:s, s:s, s:s, s:s}", "name", task->stage->name, "kind",
                             task->stage->kind->name, "key", task->key, "state",
                             obstacle ? "cannot_run" : state_name(task->state, dry));
    must(item);
    if (state_has_result(task->state)) {
        json_object_set_new(item, "seconds", json_real(task->result.seconds));
        json_t *outputs = must(json_object());
        for (size_t i = 0; i < task->result.output_count; i++)
            json_object_set_new(outputs, task->result.outputs[i].port,
                                json_string(task->result.outputs[i].blob.digest.hex));
        json_object_set_new(item, "outputs", outputs);
    }
    if (task->message || obstacle)
        json_object_set_new(item, "message",
                            must(utf8_json(task->message ? task->message : obstacle)));
    return item;
}

static json_t *stages_json(const struct plan *plan, bool dry)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < plan->experiment->stage_count; i++)
        if (plan->tasks[i].wanted)
            json_array_append_new(list, stage_json(plan, &plan->tasks[i], dry));
    return list;
}

static const char *stages_word(size_t count)
{
    return count == 1 ? "stage" : "stages";
}

/* run -n: one line for each stage that would run or can't. */
static void print_plan(const struct plan *plan, bool json)
{
    size_t cached = 0, would = 0, may = 0, cannot = 0;
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        const char *obstacle = plan_obstacle(plan, task->stage);
        if (!task->wanted)
            continue;
        cached += task->state == STATE_CACHED;
        would += task->state == STATE_READY;
        may += task->state == STATE_WAITING && !obstacle;
        cannot += obstacle != NULL;
        if (!json && obstacle)
            printf("cannot run %s: %s\n", task->stage->name, obstacle);
        else if (!json && task->state != STATE_CACHED)
            printf("%-9s %s\n", task->state == STATE_READY ? "would run" : "may run",
                   task->stage->name);
    }
    size_t all = cached + would + may + cannot;
    if (json) {
        session_print(
            must(json_pack("{s:o, s:I, s:I, s:I, s:I}", "stages", stages_json(plan, true), "cached",
                           (json_int_t)cached, "would_run", (json_int_t)would, "may_run",
                           (json_int_t)may, "cannot_run", (json_int_t)cannot)));
        return;
    }
    fprintf(stderr, "%zu %s: %zu cached, %zu would run, %zu may run after %s", all,
            stages_word(all), cached, would, may, would == 1 ? "it" : "them");
    if (cannot)
        fprintf(stderr, ", %zu cannot run", cannot);
    fputc('\n', stderr);
}

static int exit_status(const struct run_totals *t)
{
    return t->interrupted ? EXIT_INTERRUPTED : t->failed ? EXIT_FAILED : EXIT_DONE;
}

static void print_totals(const struct plan *plan, const struct run_totals *t, const char *report,
                         const char *results, bool json)
{
    char time[32];
    fprintf(stderr, "%zu %s: %zu cached, %zu ran, %zu failed", t->stages, stages_word(t->stages),
            t->cached, t->ran, t->failed);
    if (t->not_run)
        fprintf(stderr, ", %zu not run", t->not_run);
    fprintf(stderr, " in %s\n", duration_text(t->seconds, time, sizeof time));
    if (report)
        fprintf(stderr, "report: %s\n", report);
    if (results && t->ran)
        fprintf(stderr, "results: %s/results\n", results);
    if (!json)
        return;
    json_t *all =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:f, s:i, s:o?}", "stages", stages_json(plan, false),
                  "cached", (json_int_t)t->cached, "ran", (json_int_t)t->ran, "failed",
                  (json_int_t)t->failed, "not_run", (json_int_t)t->not_run, "seconds", t->seconds,
                  "exit", exit_status(t), "report", report ? must(utf8_json(report)) : NULL);
    session_print(all);
}

static int record(struct session *s, const struct run_totals *t, double started, struct error *err)
{
    if (t->ran + t->failed + t->not_run == 0)
        return 0; /* nothing ran, so there is nothing to record */
    struct run_record record = {
        .file = s->experiment.full,
        .started = started,
        .finished = started + t->seconds,
        .stages = (int)t->stages,
        .cached = (int)t->cached,
        .ran = (int)t->ran,
        .failed = (int)t->failed,
        .status = exit_status(t),
    };
    return index_add_run(s->cache.index, &record, err);
}

/* *results is the folder, if there are links below it. A run doesn't fail for want of links, such
 * as where `out` is a file. */
static void link_results(const struct plan *plan, const char *folder, const char **results)
{
    struct error error = {""};
    bool any;
    if (result_links_update(plan, folder, &any, &error) < 0)
        fprintf(stderr, "ferdag: no links to the results in %s/results: %s\n", folder, error.text);
    else if (any)
        *results = folder;
}

/* Prints how many results of another backend will be computed again because `auto` takes this one
 * now, and how to keep them or why they can't be kept. */
static void announce_change(const struct plan *plan, const struct options *options)
{
    const char *other, *found;
    struct error why = {""};
    size_t count = strcmp(options->backend, "auto") == 0 ? backend_change_count(plan, &other) : 0;
    if (count == 0)
        return;
    fprintf(stderr, "ferdag: %zu %s %s of the backend %s and will be computed again with %s; ",
            count, stages_word(count), count == 1 ? "has a result" : "have results", other,
            plan->backend);
    if (kind_backend(other, &found, &why) == 0)
        fprintf(stderr, "`--backend %s` keeps those results\n", other);
    else
        fprintf(stderr, "%s can't be used: %s\n", other, why.text);
}

static bool has_gpu_stages(const struct plan *plan)
{
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        if (task->wanted && !state_is_settled(task->state) && task->stage->kind->gpu &&
            !task->stage->numerics)
            return true;
    }
    return false;
}

/* Says why `auto` doesn't take a GPU that is there. */
static void announce_unused(const struct plan *plan, const struct options *options)
{
    const char *found;
    struct error why = {""};
    if (strcmp(options->backend, "auto") == 0 && strcmp(plan->backend, "cuda") != 0 &&
        has_gpu_stages(plan) && gpus_count(NULL) > 0 && kind_backend("cuda", &found, &why) < 0)
        fprintf(stderr, "ferdag: nets, SVMs and kNN don't use a GPU: %s\n", why.text);
}

static int run(const struct options *options, bool only_report, struct error *err)
{
    struct session s;
    int status = session_open(&s, options, !options->dry, err);
    if (status != EXIT_DONE)
        return status;
    if (session_check_report_folder(options, &s.experiment, err) < 0) {
        session_close(&s);
        return EXIT_BAD;
    }
    if (!only_report) {
        announce_change(&s.plan, options);
        announce_unused(&s.plan, options);
    }
    if (options->dry) {
        print_plan(&s.plan, options->json);
        session_close(&s);
        return EXIT_DONE;
    }
    struct arena *arena = s.experiment.arena;
    if (!options->cache_given && !cache_folder_is_here(options->cache))
        fprintf(stderr, "cache: %s\n", options->cache);
    struct run_options run_options = {
        .same = variant_options(arena, options),
        .jobs = options->jobs,
        .keep_going = options->keep_going || only_report,
        .only_report = only_report,
    };
    struct run_totals totals = {0};
    const char *folder = variant_folder(arena, options, s.experiment.name);
    const char *report = NULL, *results = NULL;
    double started = (double)time(NULL);
    int rc = run_plan(&s.plan, &run_options, &totals, err);
    bool forgotten = rc == 0 && session_took_forgotten(&s);
    if (rc == 0 && !forgotten)
        rc = publish_report(&s.plan, folder, &report, err);
    if (rc == 0)
        rc = record(&s, &totals, started, err);
    if (rc == 0 && !forgotten)
        link_results(&s.plan, folder, &results);
    print_totals(&s.plan, &totals, report, results, options->json);
    session_close(&s);
    return rc < 0 || forgotten ? EXIT_FAILED : exit_status(&totals);
}

int command_run(const struct options *options, struct error *err)
{
    return run(options, false, err);
}

int command_report(const struct options *options, struct error *err)
{
    return run(options, true, err);
}
