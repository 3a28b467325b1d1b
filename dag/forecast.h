/* How long a run will still take: arithmetic on what is known of each stage, and its words.
 *
 * The estimate for a stage that reports progress is its remaining work at the observed rate. Before
 * that it is the seconds of similar results (estimate.h), times the factor by which stages of its
 * kind are slower or faster now. Without such results it is the work of the stage, times the
 * observed seconds per unit of work of its kind. A stage without any of these has no estimate. */
#ifndef FERDAG_DAG_FORECAST_H
#define FERDAG_DAG_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "dag/experiment/experiment.h"

/* What is known of one stage. */
struct forecast_stage {
    const struct stage *stage;
    int on_gpus;     /* how many stages like it the GPUs allow at once; 0: any number */
    bool pending;    /* it runs or waits */
    bool running;    /* it runs; the members below `expected` are of this attempt */
    double expected; /* seconds of the whole stage as earlier results suggest, or -1 */
    double elapsed;  /* seconds since its start */
    bool reported;   /* it has reported progress */
    double done;     /* share done, 0 to 1, an earlier attempt's included */
    double gained;   /* share done between its first and its last report */
    double in;       /* seconds between these reports */
};

struct forecast {
    double seconds; /* until the last stage has ended, or -1 if not known */
    size_t stages;  /* that run or wait */
    size_t unknown; /* of them without an estimate; they are not in `seconds` */
    bool early;     /* a running stage may turn out to be partly done: it hasn't reported yet */
};

/* stages: those of the whole experiment by their places, users after their inputs. cpus, memory:
 * what they may use at once. seconds is -1 if no stage has an estimate, or one whose kind has
 * `work` has none. Stages that the program adds (`tables`, `report`) are quick: they don't count as
 * unknown. */
struct forecast forecast_make(const struct forecast_stage *stages, size_t count, int cpus,
                              uint64_t memory);

/* "about 21 days", "about 2 h 10 min" */
const char *forecast_words(double seconds, char *text, size_t size);

/* The last line printed about the time to go. */
struct forecast_news {
    double seconds, clock; /* clock 0: none yet */
};

/* Whether an estimate, made at `clock`, should be printed: the first one of ten minutes or more, or
 * one that differs from what is left of the last by half. */
bool forecast_is_news(const struct forecast_news *last, double seconds, double clock);

/* If the forecast should be printed, writes a line into text, updates last and returns true. */
bool forecast_line(const struct forecast *forecast, int cpus, double clock,
                   struct forecast_news *last, char *text, size_t size);

#endif
