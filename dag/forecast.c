/* See forecast.h. */
#include "dag/forecast.h"
#include "base/arena.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
/* In seconds: the shortest observation that gives a rate; the shortest time to go that deserves a
 * line; the shortest time between two lines. */
enum { SHORTEST_OBSERVATION = 4, NEWS_FROM = 10 * MINUTE, NEWS_APART = MINUTE };

static bool is_observed(const struct forecast_stage *s)
{
    return s->running && s->gained > 0 && s->in >= SHORTEST_OBSERVATION;
}

/* Rates of the observed stages of one kind; 0: none observed. */
struct rates {
    double by_expected; /* seconds per expected second */
    double by_work;     /* seconds per unit of work */
};

static struct rates observe_kind(const struct forecast_stage *stages, size_t count,
                                 const struct kind *kind)
{
    double expected = 0, expected_in = 0, work = 0, work_in = 0;
    for (size_t i = 0; i < count; i++) {
        const struct forecast_stage *s = &stages[i];
        if (s->stage->kind != kind || !is_observed(s))
            continue;
        if (s->expected > 0) {
            expected += s->gained * s->expected;
            expected_in += s->in;
        }
        if (s->stage->work > 0) {
            work += s->gained * s->stage->work;
            work_in += s->in;
        }
    }
    return (struct rates){
        .by_expected = expected > 0 ? expected_in / expected : 0,
        .by_work = work > 0 ? work_in / work : 0,
    };
}

/* Seconds until the stage has ended, from its start or from now if it runs; -1: not known. */
static double seconds_left(const struct forecast_stage *s, const struct forecast_stage *stages,
                           size_t count)
{
    if (is_observed(s))
        return s->in / s->gained * (1 - s->done);
    struct rates rates = observe_kind(stages, count, s->stage->kind);
    double whole = -1;
    if (s->expected >= 0)
        whole = s->expected * (rates.by_expected > 0 ? rates.by_expected : 1);
    else if (s->stage->work > 0 && rates.by_work > 0)
        whole = s->stage->work * rates.by_work;
    if (whole < 0)
        return -1;
    return s->reported ? whole * (1 - s->done) : fmax(whole - s->elapsed, 0);
}

/* How many stages like it can run at once. */
static double side_by_side(const struct forecast_stage *s, int cpus, uint64_t memory)
{
    const struct stage *stage = s->stage;
    double by_cpu = floor((double)cpus / stage->cpu);
    double by_memory = stage->mem ? floor((double)memory / (double)stage->mem) : by_cpu;
    double by_gpu = s->on_gpus ? s->on_gpus : by_cpu;
    return fmax(fmin(fmin(by_cpu, by_memory), by_gpu), 1);
}

/* Whether the first report of the stage may show that an earlier attempt did a part. */
static bool may_be_ahead(const struct forecast_stage *s)
{
    return s->running && s->stage->work > 0 && !s->reported;
}

struct forecast forecast_make(const struct forecast_stage *stages, size_t count, int cpus,
                              uint64_t memory)
{
    struct forecast f = {.seconds = -1};
    double *chain = must_alloc((count + 1) * sizeof *chain); /* from the stage's start to the end */
    double shared = 0, longest = 0;
    size_t known = 0, uncertain = 0;
    for (size_t i = count; i > 0; i--) {
        const struct forecast_stage *s = &stages[i - 1];
        double left = s->pending ? seconds_left(s, stages, count) : 0;
        f.stages += s->pending;
        f.unknown += left < 0 && !s->stage->implicit;
        f.early |= s->pending && may_be_ahead(s);
        known += s->pending && left >= 0;
        uncertain += left < 0 && s->stage->work > 0;
        left = fmax(left, 0);
        for (size_t k = 0; k < s->stage->user_count; k++)
            chain[i - 1] = fmax(chain[i - 1], chain[s->stage->users[k]->place]);
        chain[i - 1] += left;
        longest = fmax(longest, chain[i - 1]);
        shared += left / side_by_side(s, cpus, memory);
    }
    free(chain);
    if (known > 0 && uncertain == 0)
        f.seconds = fmax(shared, longest);
    return f;
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

bool forecast_is_news(const struct forecast_news *last, double seconds, double clock)
{
    if (last->clock == 0)
        return seconds >= NEWS_FROM;
    double expected = last->seconds - (clock - last->clock);
    return clock - last->clock >= NEWS_APART && fmax(expected, seconds) >= NEWS_FROM &&
           (seconds > 1.5 * expected || seconds < expected / 1.5);
}

bool forecast_line(const struct forecast *f, int cpus, double clock, struct forecast_news *last,
                   char *text, size_t size)
{
    char words[48], without[64] = "";
    if (f->seconds < 0 || f->early || !forecast_is_news(last, f->seconds, clock))
        return false;
    forecast_words(f->seconds, words, sizeof words);
    if (f->unknown)
        snprintf(without, sizeof without, ", not counting %zu of unknown length", f->unknown);
    if (last->clock == 0)
        snprintf(text, size,
                 "%zu %s to go, %s at -j %d%s; you can stop at any time, the same command resumes",
                 f->stages, f->stages == 1 ? "stage" : "stages", words, cpus, without);
    else
        snprintf(text, size, "new estimate for the %zu %s to go: %s%s", f->stages,
                 f->stages == 1 ? "stage" : "stages", words, without);
    *last = (struct forecast_news){.seconds = f->seconds, .clock = clock};
    return true;
}
