/* See rules.h. Evidence counts by its distance from the set's own median, not by absolute bounds,
 * so that the same threshold fits photographs and drawn faces. Distances, not ranks: a set with no
 * noise then loses no image, and one with much noise loses all of it. */
#include "stages/noise/rules.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const noise_rule_names[NOISE_RULES] = {"no_face", "drawing", "small_face",
                                                   "several_faces"};

/* Each rule weighs few pieces of evidence, with small whole weights; their sums are 5 and 3. No
 * face: the detector decides, but profiles, tilted heads and hands before a face have low scores
 * too, and only the grey values tell text, icons and blank images from them. */
static const struct {
    enum evidence evidence;
    int unusual; /* 1: high values, -1: low ones */
    float weights[2];
} weighed[] = {
    {DETECTION, -1, {[NO_FACE] = 3}},
    {ENTROPY, -1, {[NO_FACE] = 1}},
    {SHADES, -1, {[NO_FACE] = 1, [DRAWING] = 1}},
    {CENTRE_ENTROPY, -1, {[DRAWING] = 1}},
    {LINES, 1, {[DRAWING] = 1}},
};

enum { WEIGHED = sizeof weighed / sizeof *weighed };

/* Bound of a single distance. A third of it is less than the default threshold, so that one piece
 * of evidence alone can't make an image a drawing: hair or a net before a face has many lines. */
static const float MOST_UNUSUAL = 7.5F;

/* dlib's own decision: from there on, a size is reliable. On photographs, half of the small boxes
 * with scores from -0.5 to 0 are an eye or a mouth of a large face. */
static const float SURE_FACE = 0;

/* A further face counts from this score. Two thirds of the faces drawn side by side reach it; the
 * others are removed as small ones. The best second box is -1.1 on 2,000 single drawn faces, and
 * -0.33 on the photographs of FER2013, where all those near that are parts of one face. */
static const float FURTHER_FACE = -0.3F;

/* The side of a box relative to the height of the face region, brows to chin: the median of drawn
 * faces of 22 to 36 pixels, where both are known; half of them lie within 0.03. With a ruler on 18
 * photographs near 24 pixels it was 1.12. */
static const float BOX_TO_FACE = 1.14F;

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sorts. n > 0. */
static float median(float *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The median of the values, and their robust standard deviation: 1.4826 makes the median absolute
 * deviation that of a normal distribution. Where more than half of the values are equal, the mean
 * absolute deviation, times 1.2533 likewise. */
static void centre_of(const float *values, size_t n, float *work, float *middle, float *deviation)
{
    double sum = 0;
    memcpy(work, values, n * sizeof *work);
    *middle = median(work, n);
    for (size_t i = 0; i < n; i++) {
        work[i] = fabsf(values[i] - *middle);
        sum += work[i];
    }
    float typical = median(work, n);
    *deviation = typical > 0 ? 1.4826F * typical : (float)(1.2533 * sum / (double)n);
}

static void add_evidence(const struct noise_evidence *e, int k, double threshold, float *work,
                         struct noise_verdict *verdicts)
{
    const float *values = e->values[weighed[k].evidence], *weights = weighed[k].weights;
    float sums[2] = {0}, middle, deviation;
    for (int i = 0; i < WEIGHED; i++)
        for (int rule = NO_FACE; rule <= DRAWING; rule++)
            sums[rule] += weighed[i].weights[rule];
    centre_of(values, e->n, work, &middle, &deviation);
    if (deviation == 0) /* all are equal: nothing is unusual */
        return;
    for (size_t i = 0; i < e->n; i++) {
        float distance = (float)weighed[k].unusual * (values[i] - middle) / deviation;
        distance = fminf(fmaxf(distance, 0), MOST_UNUSUAL);
        for (int rule = NO_FACE; rule <= DRAWING; rule++)
            verdicts[i].scores[rule] += weights[rule] / sums[rule] * distance / (float)threshold;
    }
}

static void judge_faces(const struct noise_evidence *e, const struct noise_settings *settings,
                        size_t i, struct noise_verdict *v)
{
    float further = e->scores[i][settings->max_faces] - FURTHER_FACE;
    v->scores[SEVERAL_FACES] = fmaxf(0, 1 + further);
    if (e->scores[i][0] < SURE_FACE || e->face[i] <= 0)
        return;
    v->face = e->face[i] / BOX_TO_FACE;
    if (further >= 0)
        return;
    v->scores[SMALL_FACE] = (float)settings->min_face / v->face;
    if (v->face >= (float)settings->min_face) /* exactly min_face isn't too small */
        v->scores[SMALL_FACE] = fminf(v->scores[SMALL_FACE], nextafterf(1, 0));
}

int noise_judge(const struct noise_evidence *e, const struct noise_settings *settings,
                struct noise_verdict *verdicts, struct error *err)
{
    float *work = malloc((e->n + 1) * sizeof *work);
    if (!work)
        return error_set(err, ENOMEM, "out of memory judging %zu images", e->n);
    memset(verdicts, 0, e->n * sizeof *verdicts);
    for (int k = 0; k < WEIGHED && e->n > 0; k++)
        add_evidence(e, k, settings->threshold, work, verdicts);
    for (size_t i = 0; i < e->n; i++) {
        struct noise_verdict *v = &verdicts[i];
        judge_faces(e, settings, i, v);
        for (int rule = 0; rule < NOISE_RULES; rule++) {
            if (v->scores[rule] > v->score) {
                v->score = v->scores[rule];
                v->rule = (enum noise_rule)rule;
            }
        }
    }
    free(work);
    return 0;
}
