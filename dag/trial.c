/* See trial.h. */
#include "dag/trial.h"
#include "base/file.h"
#include "cache/work.h"
#include "dag/continuation.h"
#include "dag/folder.h"
#include "dag/scheduler.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A trial that takes longer is given up; when a kind's have taken that long, no more are started.
 */
enum { LONGEST_TRIAL = 120, LONGEST_IN_ALL = 60 };

static bool same_pace(const struct stage *a, const struct stage *b)
{
    return a->kind == b->kind && strcmp(a->pace, b->pace) == 0;
}

/* ---- what they tell ---- */

double trials_seconds(const struct trial *trials, const struct stage *stage)
{
    double seconds = 0, work = 0;
    if (!stage->pace)
        return -1;
    for (const struct trial *t = trials; t; t = t->next) {
        if (t->stage->kind != stage->kind || !(t->seconds > 0))
            continue;
        if (same_pace(t->stage, stage))
            return t->seconds;
        seconds += t->seconds;
        work += t->stage->work;
    }
    return work > 0 ? seconds / work * stage->work : -1;
}

bool trials_begun(const struct trial *trials, const struct kind *kind)
{
    bool begun = false;
    for (const struct trial *t = trials; t; t = t->next)
        begun |= t->begun && t->stage->kind == kind;
    return begun;
}

/* ---- which are due ---- */

static bool known(const struct run *run, const struct stage *stage)
{
    for (const struct trial *t = run->trials; t; t = t->next)
        if (same_pace(t->stage, stage))
            return true;
    return false;
}

/* Once a stage of the kind has started, its own progress tells more than a trial. */
static bool kind_is_open(const struct run *run, const struct kind *kind)
{
    double now = progress_clock();
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        const struct task *task = &run->plan->tasks[i];
        if (task->stage->kind == kind && (task->state == STATE_RUNNING ||
                                          task->state == STATE_RAN || task->state == STATE_FAILED))
            return false;
    }
    for (const struct trial *t = run->trials; t; t = t->next)
        if (t->stage->kind == kind && now - t->started > LONGEST_IN_ALL)
            return false;
    return true;
}

/* The next to try, that of most work first, as it counts most; NULL if none is due. kind NULL: of
 * any kind. */
static struct task *next_due(const struct run *run, const struct kind *kind)
{
    struct task *next = NULL;
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        struct task *task = &run->plan->tasks[i];
        const struct stage *stage = task->stage;
        if (stage->pace && (!kind || stage->kind == kind) && task->wanted &&
            task->state == STATE_READY && !task->blocked &&
            (!next || stage->work > next->stage->work) && !known(run, stage) &&
            kind_is_open(run, stage->kind))
            next = task;
    }
    return run->stopping || run->options->only_report ? NULL : next;
}

bool trials_due(const struct run *run, const struct kind *kind)
{
    return next_due(run, kind);
}

bool trials_running(const struct run *run, const struct kind *kind)
{
    const struct trial *t = run->trials;
    while (t && !(t->running && (!kind || t->stage->kind == kind)))
        t = t->next;
    return t;
}

/* ---- their lives ---- */

/* By a run that was stopped, or as part of a shorter one that was not. */
static bool was_begun(const struct plan *plan, const struct task *task)
{
    struct earlier *earlier = NULL;
    size_t count = 0;
    if (task->forced)
        return false;
    char *folder = work_last(plan->cache, task->key);
    bool begun = folder;
    free(folder);
    if (!begun && earlier_find(plan, task, &earlier, &count, NULL) == 0)
        begun = count > 0;
    earlier_free(earlier, count);
    return begun;
}

static bool any_begun(const struct plan *plan, const struct kind *kind)
{
    bool begun = false;
    for (size_t i = 0; !begun && i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        if (task->wanted && task->state == STATE_READY && task->stage->kind == kind)
            begun = was_begun(plan, task);
    }
    return begun;
}

static void end(struct trial *t)
{
    t->running = false;
    t->run->cpus -= t->stage->cpu;
    t->run->memory -= t->stage->mem;
    progress_stop(&t->run->progress, t->name, NULL);
    if (t->folder)
        file_remove_tree(t->folder, NULL);
}

static void said(struct child *child, const json_t *line)
{
    struct trial *t = child->data;
    double seconds = json_number_value(json_object_get(line, "seconds"));
    if (isfinite(seconds) && seconds > 0)
        t->seconds = seconds;
}

static void ended(struct child *child)
{
    struct trial *t = child->data;
    end(t);
    run_start_ready(t->run);
}

static void start(struct run *run, const struct task *task)
{
    struct trial *t = must_alloc(sizeof *t);
    *t = (struct trial){
        .next = run->trials,
        .run = run,
        .stage = task->stage,
        .started = progress_clock(),
        .begun = any_begun(run->plan, task->stage->kind),
        .running = true,
        .name = must(file_path("%s (trial)", task->stage->name)),
        .child = {.data = t, .trial = true, .said = said, .ended = ended},
    };
    run->trials = t;
    run->cpus += task->stage->cpu;
    run->memory += task->stage->mem;
    progress_start_quietly(&run->progress, t->name);
    if (folder_prepare_trial(run->plan, task, &t->folder, NULL) < 0 ||
        child_start(&t->child, &run->loop, task->stage->kind->name, t->folder, task->stage->cpu, -1,
                    NULL) < 0)
        end(t);
}

bool trials_start(struct run *run)
{
    const struct task *due;
    while ((due = next_due(run, NULL))) {
        if (!run_fits(run, due->stage))
            return false;
        start(run, due);
    }
    return true;
}

bool trials_own(const struct run *run, pid_t pid)
{
    for (const struct trial *t = run->trials; t; t = t->next)
        if (t->running && child_is(&t->child, pid))
            return true;
    return false;
}

void trials_tick(struct run *run)
{
    double now = progress_clock();
    for (struct trial *t = run->trials; t; t = t->next) {
        if (!t->running)
            continue;
        if (run->stopping || now - t->started > LONGEST_TRIAL)
            child_signal(&t->child, SIGKILL);
        child_tick(&t->child);
    }
}

void trials_free(struct trial *trials)
{
    for (struct trial *next; trials; trials = next) {
        next = trials->next;
        free(trials->name);
        free(trials->folder);
        free(trials);
    }
}
