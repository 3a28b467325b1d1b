/* See session.h. */
#include "dag/session.h"
#include "dag/progress.h"
#include "dag/publish.h"
#include "dag/variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- what the cache reports ---- */

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

/* After a cache was copied, all that is needed of it is read once. */
static void print_verifying(void *data, uint64_t done, uint64_t all)
{
    struct session *s = data;
    double now = progress_clock();
    bool terminal = isatty(STDERR_FILENO);
    if (s->verifying_since == 0)
        s->verifying_since = now;
    if (now - s->verifying_since < 1 || /* soon over */
        (s->verifying_shown && (!terminal || now - s->verifying_last < 0.3)))
        return;
    fprintf(stderr, "%sverifying cached results whose files changed: %.1f of at most %.1f GB%s",
            terminal ? "\r" : "", (double)done / 1e9, (double)all / 1e9, terminal ? "" : "\n");
    s->verifying_last = now;
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
    /* What can fail is stdout, whose error `main` reports. */
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

/* What can be found before a run is found before the cache is touched. */
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

int session_open(struct session *s, const struct options *options, bool create, struct error *err)
{
    *s = (struct session){0};
    char numerics[256];
    int rc = kind_numerics(NUMERICS_NET, options->backend, 1, numerics, sizeof numerics, err);
    if (rc < 0)
        return EXIT_BAD;
    if (session_load(options, &s->experiment) != EXIT_DONE)
        return EXIT_BAD;
    rc = pick(s, options, err);
    if (rc == 0) {
        plan_create(&s->plan, &s->experiment, &s->cache, options->backend, s->picked);
        rc = force(s, options, err);
    }
    if (rc == 0)
        rc = check_surroundings(s, options);
    if (rc == 0)
        rc = cache_open(&s->cache, options->cache, create, err);
    if (rc == 0) {
        s->cache.by_size = !create;
        report_cache(s);
        rc = plan_start(&s->plan, err);
        wipe(s);
    }
    if (rc < 0)
        session_close(s);
    return session_status(rc);
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
