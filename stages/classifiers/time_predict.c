/* See time_predict.h. */
#include "stages/classifiers/time_predict.h"

#include <errno.h>
#include <stdlib.h>

enum { REPEATS_ENOUGH = 5, REPEATS_MOST = 101 };
static const double ENOUGH_SECONDS = 1, MOST_SECONDS = 10, SWEEP_SECONDS = 0.1;

struct measurement {
    const struct classifier *classifier;
    const float *x;
    size_t n;       /* rows */
    uint8_t *out;   /* (n) */
    size_t singles; /* rows of a repeat, one call each; 0: one call for all rows */
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

struct time_summary time_summary(double *seconds, size_t n)
{
    qsort(seconds, n, sizeof *seconds, ascending);
    return (struct time_summary){.median = quantile(seconds, n, 0.5),
                                 .first_quartile = quantile(seconds, n, 0.25),
                                 .third_quartile = quantile(seconds, n, 0.75),
                                 .min = seconds[0],
                                 .max = seconds[n - 1]};
}

static int once(const struct measurement *m, double *seconds, struct error *err)
{
    const struct classifier *c = m->classifier;
    double start = clock_monotonic();
    int rc = 0;
    if (m->singles == 0)
        rc = c->predict(c->model, m->x, m->n, m->out, err);
    for (size_t k = 0; rc == 0 && k < m->singles; k++) {
        size_t row = k * m->n / m->singles;
        rc = c->predict(c->model, m->x + row * c->d, 1, m->out + row, err);
    }
    *seconds = clock_monotonic() - start;
    return rc;
}

static json_t *summary_json(double *seconds, size_t repeats, size_t images)
{
    struct time_summary s = time_summary(seconds, repeats);
    double each = (double)images;
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:I,s:I}", "median", s.median / each, "first_quartile",
                     s.first_quartile / each, "third_quartile", s.third_quartile / each, "min",
                     s.min / each, "max", s.max / each, "repeats", (json_int_t)repeats, "images",
                     (json_int_t)images);
}

static int repeat(const struct measurement *m, json_t **json, struct error *err)
{
    double seconds[REPEATS_MOST], total = 0;
    size_t repeats = 0;
    while (repeats < REPEATS_MOST &&
           (repeats < REPEATS_ENOUGH ? total <= MOST_SECONDS : total < ENOUGH_SECONDS)) {
        int rc = once(m, &seconds[repeats], err);
        if (rc < 0)
            return rc;
        total += seconds[repeats++];
    }
    *json = summary_json(seconds, repeats, m->singles ? m->singles : m->n);
    return *json ? 0 : error_set(err, ENOMEM, "out of memory for times");
}

/* Doubles the rows of a repeat until it takes SWEEP_SECONDS or has all rows; warms up, too. */
static int choose_singles(struct measurement *m, struct error *err)
{
    double seconds = 0;
    int rc = 0;
    for (m->singles = 1; rc == 0; m->singles *= 2) {
        rc = once(m, &seconds, err);
        if (seconds >= SWEEP_SECONDS || m->singles > m->n / 2)
            break;
    }
    if (seconds < SWEEP_SECONDS)
        m->singles = m->n;
    return rc;
}

int time_predict(const struct classifier *classifier, const float *x, size_t n, uint8_t *scratch,
                 json_t **json, struct error *err)
{
    struct measurement m = {classifier, x, n, scratch, 0};
    json_t *batch = NULL, *single = NULL;
    double ignored;
    int rc = once(&m, &ignored, err);
    if (rc == 0)
        rc = repeat(&m, &batch, err);
    if (rc == 0)
        rc = choose_singles(&m, err);
    if (rc == 0)
        rc = repeat(&m, &single, err);
    if (rc < 0) {
        json_decref(batch);
        return rc;
    }
    *json = json_pack("{s:o,s:o}", "batch", batch, "single", single);
    return *json ? 0 : error_set(err, ENOMEM, "out of memory for times");
}
