/* See session.h. */
#include "dag/session.h"
#include "base/nearest.h"
#include "dag/cache_folder.h"
#include "dag/progress.h"
#include "dag/publish.h"
#include "dag/variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int session_status(int rc)
{
    return rc == 0 ? EXIT_DONE : rc == -EINVAL || rc == -ENOENT ? EXIT_BAD : EXIT_FAILED;
}

void session_print_problems(struct problems *problems)
{
    struct error line;
    problems_sort(problems);
    for (size_t i = 0; i < problems->count; i++) {
        problems_print(&problems->items[i], &line);
        fprintf(stderr, "ferdag: %s%s\n", problems->items[i].warning ? "warning: " : "", line.text);
    }
    size_t more = problems->errors + problems->warnings - problems->count;
    if (more)
        fprintf(stderr, "ferdag: and %zu more\n", more);
    if (problems->failed)
        fprintf(stderr, "ferdag: out of memory\n");
}

/* ---- messages from the cache ---- */

static void wipe(struct session *s)
{
    if (s->verifying_shown && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    s->verifying_shown = false;
}

static void print_notice(void *data, const char *text)
{
    wipe(data);
    fprintf(stderr, "ferdag: cache: %s\n", text);
}

/* The files of a copied cache have new stamps, so each blob is read once. */
static void print_verifying(void *data, uint64_t done, uint64_t all)
{
    struct session *s = data;
    double now = clock_monotonic();
    bool terminal = isatty(STDERR_FILENO);
    if (s->verifying_since == 0)
        s->verifying_since = now;
    if (now - s->verifying_since < 1 || /* not worth a message */
        (s->verifying_shown && (!terminal || !clock_report_due(&s->verifying_last))))
        return;
    fprintf(stderr, "%sverifying cached results whose files changed: %.1f of at most %.1f GB%s",
            terminal ? "\r" : "", (double)done / 1e9, (double)all / 1e9, terminal ? "" : "\n");
    s->verifying_shown = true;
}

static void report_cache(struct session *s)
{
    s->cache.data = s;
    s->cache.notice = print_notice;
    s->cache.verifying = print_verifying;
}

void session_print(json_t *value)
{
    /* `main` reports errors of stdout. */
    json_dumpf(must(value), stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
    json_decref(value);
}

static int pick(struct session *s, const struct options *options, struct error *err)
{
    struct experiment *e = &s->experiment;
    s->picked = must_alloc(e->stage_count * sizeof *s->picked);
    int rc = 0;
    for (size_t i = 0; i < e->stage_count; i++)
        s->picked[i] = options->name_count < 2;
    for (size_t i = 1; rc == 0 && i < options->name_count; i++)
        rc = experiment_pick(e, options->names[i], s->picked, err);
    return rc;
}

static int force(struct session *s, const struct options *options, struct error *err)
{
    bool *forced = must_alloc(s->experiment.stage_count * sizeof *forced);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < options->forced_count; i++)
        rc = experiment_pick(&s->experiment, options->forced[i], forced, err);
    for (size_t i = 0; rc == 0 && i < s->experiment.stage_count; i++)
        s->plan.tasks[i].forced = forced[i];
    free(forced);
    return rc;
}

/* Finds what would stop a run, before the cache is opened. */
static int check_surroundings(const struct session *s, const struct options *options)
{
    struct problems problems = {0};
    plan_check_wanted(&s->plan, options->cache, &problems);
    session_print_problems(&problems);
    int rc = problems_any(&problems) ? -EINVAL : 0;
    problems_free(&problems);
    return rc;
}

int session_check_report_folder(const struct options *options, const struct experiment *e,
                                struct error *err)
{
    for (size_t i = 0; i < e->stage_count; i++)
        if (e->stages[i]->implicit)
            return publish_check(variant_folder(e->arena, options, e->name), err);
    return 0;
}

int session_load(const struct options *options, struct experiment *e)
{
    struct problems problems = {0};
    int rc =
        experiment_load(e, options->names[0], options->settings, options->setting_count, &problems);
    session_print_problems(&problems);
    problems_free(&problems);
    e->problems = NULL;
    return rc < 0 ? EXIT_BAD : EXIT_DONE;
}

int session_find_backend(const struct options *options, const struct experiment *e,
                         const char **backend, struct error *err)
{
    const char *net = e->numerics[NUMERICS_NET];
    const char *stated = net ? numerics_backend(NUMERICS_NET, net) : NULL;
    bool chosen = strcmp(options->backend, "auto") != 0;
    if (stated && chosen && strcmp(stated, options->backend) != 0)
        return error_set(err, EINVAL, "--backend %s: the file states other numerics.net, '%s'",
                         options->backend, net);
    if (stated && chosen) {
        *backend = stated;
        return 0;
    }
    int rc = kind_backend(options->backend, backend, err);
    if (rc < 0)
        error_prefix(err, "--backend %s", options->backend);
    return rc;
}

int session_open_file(struct session *s, const struct options *options, struct error *err)
{
    *s = (struct session){0};
    int status = session_load(options, &s->experiment);
    if (status == EXIT_DONE &&
        session_find_backend(options, &s->experiment, &s->backend, err) < 0) {
        session_close(s);
        status = EXIT_BAD;
    }
    return status;
}

/* Opens the cache and starts the plan, after picking. */
static int start(struct session *s, const struct options *options, bool create, bool lenient,
                 struct error *err)
{
    plan_create(&s->plan, &s->experiment, &s->cache, s->backend, s->picked);
    s->plan.lenient = lenient;
    int rc = force(s, options, err);
    if (rc == 0 && (!lenient || options->dry))
        rc = check_surroundings(s, options);
    if (rc == 0)
        rc = cache_open(&s->cache, options->cache, create, err);
    if (rc == 0) {
        s->cache.by_size = !create;
        report_cache(s);
        rc = plan_start(&s->plan, err);
        wipe(s);
    }
    return rc;
}

int session_open(struct session *s, const struct options *options, bool create, struct error *err)
{
    int status = session_open_file(s, options, err);
    if (status != EXIT_DONE)
        return status;
    int rc = pick(s, options, err);
    if (rc == 0)
        rc = start(s, options, create, !create, err);
    if (rc < 0)
        session_close(s);
    return session_status(rc);
}

int session_open_loose(struct session *s, const struct options *options, bool *planned,
                       struct error *err)
{
    struct error why = {""};
    *planned = false;
    int status = session_open_file(s, options, err);
    if (status != EXIT_DONE || !cache_exists(options->cache))
        return status;
    int rc = start(s, options, false, true, &why);
    if (rc < 0)
        fprintf(stderr, "ferdag: without the states of the stages: %s\n", why.text);
    *planned = rc == 0;
    return EXIT_DONE;
}

int session_plan_tables(struct session *s, const struct options *options, struct error *err)
{
    s->picked = must_alloc(s->experiment.stage_count * sizeof *s->picked);
    s->picked[experiment_tables(&s->experiment)->place] = true;
    return start(s, options, true, true, err);
}

/* ---- one output ---- */

static struct nearest nearest_stage(const struct experiment *e, const char *text)
{
    struct nearest nearest = {.wrong = text};
    for (size_t i = 0; i < e->stage_count; i++)
        nearest_offer(&nearest, e->stages[i]->name);
    return nearest;
}

/* With or without its last dot and what follows, whichever is nearer to a stage's name. */
static int unknown_stage(const struct experiment *e, const char *text, struct error *err)
{
    const char *dot = strrchr(text, '.');
    const char *start = arena_copy(e->arena, text, dot ? (size_t)(dot - text) : strlen(text));
    struct nearest whole = nearest_stage(e, text), cut = nearest_stage(e, start);
    bool use_cut = cut.best && (!whole.best || cut.distance < whole.distance);
    size_t n = strlen(start);
    for (size_t i = 0; i < e->stage_count; i++)
        if (strncmp(e->stages[i]->name, start, n) == 0 && e->stages[i]->name[n] == '/')
            return error_set(err, EINVAL,
                             "%s: '%s' is a matrix; name one of its stages, such as '%s'", e->file,
                             start, e->stages[i]->name);
    return error_set(err, EINVAL, "%s: unknown stage '%s'%s", e->file, use_cut ? start : text,
                     nearest_hint(use_cut ? &cut : &whole));
}

static int find_port(const struct experiment *e, const struct stage *stage, const char *port,
                     size_t *output, struct error *err)
{
    struct nearest nearest = {.wrong = port};
    for (*output = 0; *output < stage->output_count; ++*output) {
        if (strcmp(stage->outputs[*output].port, port) == 0)
            return 0;
        nearest_offer(&nearest, stage->outputs[*output].port);
    }
    return error_set(err, EINVAL, "%s: unknown output '%s' of stage '%s' (kind %s)%s", e->file,
                     port, stage->name, stage->kind->name, nearest_hint(&nearest));
}

/* Both names may have dots: the stage "train/0.5", the output ".state". */
static int find_output(const struct experiment *e, const char *text, struct output_name *name,
                       struct error *err)
{
    *name = (struct output_name){.stage = experiment_stage(e, text)};
    if (name->stage)
        return 0;
    for (const char *dot = strchr(text, '.'); dot; dot = strchr(dot + 1, '.')) {
        name->stage = experiment_stage(e, arena_copy(e->arena, text, (size_t)(dot - text)));
        if (name->stage)
            return find_port(e, name->stage, dot + 1, &name->output, err);
    }
    return unknown_stage(e, text, err);
}

int session_open_output(struct session *s, const struct options *options, const char *text,
                        struct output_name *name, struct error *err)
{
    int status = session_open_file(s, options, err);
    if (status != EXIT_DONE)
        return status;
    int rc = find_output(&s->experiment, text, name, err);
    if (rc == 0) {
        s->picked = must_alloc(s->experiment.stage_count * sizeof *s->picked);
        s->picked[name->stage->place] = true;
        rc = start(s, options, false, true, err);
    }
    if (rc < 0)
        session_close(s);
    return session_status(rc);
}

bool session_took_forgotten(const struct session *s)
{
    bool any = false;
    for (size_t i = 0; s->cache.forgotten && i < s->experiment.stage_count; i++) {
        const struct task *task = &s->plan.tasks[i];
        struct result result;
        if (task->state != STATE_CACHED)
            continue;
        if (index_find(s->cache.index, task->key, &result, NULL) == 0) {
            result_free(&result);
            continue;
        }
        any = true;
        fprintf(stderr,
                "ferdag: stage %s: its cached result may have been computed from damaged bytes; "
                "run again\n",
                task->stage->name);
    }
    return any;
}

void session_close(struct session *s)
{
    plan_free(&s->plan);
    cache_close(&s->cache);
    free(s->picked);
    experiment_free(&s->experiment);
    *s = (struct session){0};
}

int session_each_picked(const struct options *options, session_print_stage *print,
                        struct error *err)
{
    struct session s;
    int rc = session_open(&s, options, false, err);
    if (rc != EXIT_DONE)
        return rc;
    json_t *list = options->json ? must(json_array()) : NULL;
    for (size_t i = 0; rc == 0 && i < s.experiment.stage_count; i++)
        if (s.picked[i])
            rc = print(&s.plan, &s.plan.tasks[i], list, err);
    if (list)
        session_print(list);
    session_close(&s);
    return session_status(rc);
}
