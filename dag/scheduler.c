/* See scheduler.h. */
#include "dag/scheduler.h"

void scheduler_fail(struct scheduler *s, int rc, const struct error *error)
{
    if (s->rc == 0) {
        s->rc = rc;
        *s->err = *error;
    }
    s->stopping = true;
    if (s->cancelled == 0)
        s->cancelled = clock_monotonic();
}

void scheduler_count(struct scheduler *s)
{
    struct progress *p = &s->progress;
    p->total = p->cached = p->ran = p->failed = p->not_run = 0;
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++) {
        const struct task *task = &s->plan->tasks[i];
        if (!task->wanted)
            continue;
        p->total++;
        p->cached += task->state == STATE_CACHED;
        p->ran += task->state == STATE_RAN;
        p->failed += task->state == STATE_FAILED;
        p->not_run += task->state == STATE_NOT_RUN;
    }
}

void scheduler_settle(struct scheduler *s, struct task *task, enum state state)
{
    struct error error = {""};
    int rc = plan_settle(s->plan, task, state, &error);
    if (rc < 0)
        scheduler_fail(s, rc, &error);
    if (state == STATE_RAN)
        estimates_renew(s->estimates, task->stage->kind);
    scheduler_count(s);
    s->changed = true;
}

void scheduler_set_latest(struct scheduler *s, const struct task *task)
{
    struct error error;
    int rc = index_set_latest(s->plan->cache->index, s->plan->experiment->full, task->stage->name,
                              task->key, &error);
    if (rc < 0)
        scheduler_fail(s, rc, &error);
}
