/* See forecast.h. */
#include "dag/forecast.h"
#include "dag/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
enum { SHORTEST_WATCH = 4, NEWS_FROM = 10 * MINUTE, NEWS_APART = MINUTE };

static bool watched(const struct forecast_stage *s)
{
    return s->work > 0 && s->gained > 0 && s->seconds >= SHORTEST_WATCH;
}

double forecast_seconds(const struct forecast_stage *stages, size_t count, double *speed)
{
    double seconds = 0, work = 0, shared = 0, longest = 0;
    for (size_t i = 0; i < count; i++)
        if (watched(&stages[i])) {
            seconds += stages[i].seconds;
            work += stages[i].gained * stages[i].work;
        }
    if (work > 0)
        *speed = seconds / work;
    if (!(*speed > 0))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct forecast_stage *s = &stages[i];
        double whole = watched(s) ? s->seconds / s->gained : s->work * *speed;
        double left = whole * (1 - s->done);
        shared += left / s->lanes;
        longest = left > longest ? left : longest;
    }
    return shared > longest ? shared : longest;
}

const char *forecast_words(double seconds, char *text, size_t size)
{
    long minutes = lround(seconds / MINUTE), fives = lround(seconds / (5 * MINUTE)) * 5;
    long hours = lround(seconds / HOUR), days = lround(seconds / DAY);
    if (minutes < 1)
        snprintf(text, size, "less than a minute");
    else if (minutes < 60)
        snprintf(text, size, "about %ld min", minutes);
    else if (hours < 10 && fives % 60)
        snprintf(text, size, "about %ld h %02ld min", fives / 60, fives % 60);
    else if (hours < 48)
        snprintf(text, size, "about %ld h", hours);
    else
        snprintf(text, size, "about %ld days", days);
    return text;
}

bool forecast_is_news(const struct forecast_said *said, double seconds, double clock)
{
    if (said->clock == 0)
        return seconds >= NEWS_FROM;
    double expected = said->seconds - (clock - said->clock);
    return clock - said->clock >= NEWS_APART && fmax(expected, seconds) >= NEWS_FROM &&
           (seconds > 1.5 * expected || seconds < expected / 1.5);
}

static struct forecast *of_kind(struct forecast **forecasts, const struct kind *kind)
{
    for (; *forecasts; forecasts = &(*forecasts)->next)
        if ((*forecasts)->kind == kind)
            return *forecasts;
    *forecasts = must_alloc(sizeof **forecasts);
    (*forecasts)->kind = kind;
    return *forecasts;
}

static int lanes(const struct stage *stage, int jobs, uint64_t memory)
{
    int by_cpu = jobs / stage->cpu;
    uint64_t by_memory = stage->mem ? memory / stage->mem : (uint64_t)by_cpu;
    if (by_memory < (uint64_t)by_cpu)
        by_cpu = (int)by_memory;
    return by_cpu > 1 ? by_cpu : 1;
}

/* Stages of the kind that are to be done or not done yet; returns how many. *tried: their work is
 * in seconds, by trials. */
static size_t gather(const struct kind *kind, const struct run *run, struct forecast_stage *stages,
                     bool *tried)
{
    size_t count = 0;
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        const struct task *task = &run->plan->tasks[i];
        if (!task->wanted || task->stage->kind != kind || state_is_settled(task->state))
            continue;
        const struct activity *a = progress_find(&run->progress, task->stage->name);
        struct forecast_stage *s = &stages[count++];
        double seconds = trials_seconds(run->trials, task->stage);
        *tried = seconds > 0; /* for one as for all */
        *s = (struct forecast_stage){.work = *tried ? seconds : task->stage->work,
                                     .lanes =
                                         lanes(task->stage, run->options->jobs, run->memory_limit)};
        if (!a || !(a->total > 0))
            continue;
        s->done = fmin(fmax(a->done / a->total, 0), 1);
        s->gained = (a->done - a->first) / a->total;
        s->seconds = a->heard - a->spoke;
    }
    return count;
}

static void tell(struct forecast *f, struct progress *progress, size_t count, double left, int jobs)
{
    char words[48];
    double now = progress_clock();
    forecast_words(left, words, sizeof words);
    progress->remaining = fmax(progress->remaining, left);
    if (!forecast_is_news(&f->said, left, now))
        return;
    if (f->said.clock == 0)
        progress_say(progress,
                     "%s: %zu %s to go, %s at -j %d; stop whenever you like, the same "
                     "command goes on where it was",
                     f->kind->name, count, count == 1 ? "stage" : "stages", words, jobs);
    else
        progress_say(progress, "%s: now it looks like %s for the %zu %s to go", f->kind->name,
                     words, count, count == 1 ? "stage" : "stages");
    f->said = (struct forecast_said){.seconds = left, .clock = now};
}

void forecast_look(struct run *run)
{
    struct forecast_stage *stages = must_alloc(run->plan->experiment->stage_count * sizeof *stages);
    run->progress.remaining = -1;
    for (size_t i = 0; kinds[i]; i++) {
        bool tried = false;
        size_t count = kinds[i]->work ? gather(kinds[i], run, stages, &tried) : 0;
        if (count == 0 || trials_running(run, kinds[i]) || trials_due(run, kinds[i]))
            continue;
        struct forecast *f = of_kind(&run->forecasts, kinds[i]);
        if (tried && f->speed == 0 && !trials_begun(run->trials, kinds[i]))
            f->speed = 1; /* until a stage was watched */
        double left = forecast_seconds(stages, count, &f->speed);
        if (left >= 0)
            tell(f, &run->progress, count, left, run->options->jobs);
    }
    free(stages);
}

void forecast_free(struct forecast *forecasts)
{
    for (struct forecast *next; forecasts; forecasts = next) {
        next = forecasts->next;
        free(forecasts);
    }
}
