/* See rules.h. Evidence counts by its rank in the set, not by absolute bounds, so that the same
 * threshold fits photographs and drawn faces. */
#include "stages/noise/rules.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const noise_rule_names[NOISE_RULES] = {"no_face", "drawing", "small_face",
                                                   "several_faces"};

static const int unusual_side[EVIDENCES] = {
    /* 1: high is unusual, -1: low is unusual */
    [SUPPORT] = -1,       [PREDICTED_SUPPORT] = -1, [SHAPE_DISTANCE] = 1,  [SHAPE_RARITY] = 1,
    [PIXEL_DISTANCE] = 1, [ENTROPY] = -1,           [CENTRE_ENTROPY] = -1, [LINES] = 1,
    [FLAT] = 1,
};

struct ranked {
    float value;
    size_t row;
};

static int unusual_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* rarity[i] = -log10 of the share of images at least as unusual as image i; equals share a rank. */
static void rarities(const float *values, int side, size_t n, struct ranked *order, float *rarity)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){(float)side * values[i], i};
    qsort(order, n, sizeof *order, unusual_first);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && order[end].value == order[i].value; end++)
            ;
        for (size_t k = i; k < end; k++)
            rarity[order[k].row] = (float)-log10((double)end / (double)n);
    }
}

static void add_weighted(const struct noise_evidence *e, const struct noise_settings *settings,
                         enum noise_rule rule, int evidence, const float *rarity,
                         struct noise_verdict *verdicts)
{
    double sum = 0, weight = settings->weights[rule][evidence];
    for (int k = 0; k < EVIDENCES; k++)
        sum += settings->weights[rule][k];
    if (weight == 0 || sum * settings->threshold == 0)
        return;
    for (size_t i = 0; i < e->n; i++)
        verdicts[i].scores[rule] += (float)(weight * rarity[i] / (sum * settings->threshold));
}

static void judge_faces(const struct noise_evidence *e, const struct noise_settings *settings,
                        size_t i, struct noise_verdict *v)
{
    if (e->values[SUPPORT][i] >= (float)settings->size_support && e->window[i] > 0) {
        v->face = (float)settings->face_share * (e->window[i] + e->predicted_window[i]) / 2;
        if (v->face > 0)
            v->scores[SMALL_FACE] = (float)settings->min_face / v->face;
        if (v->face >= (float)settings->min_face) /* exactly min_face isn't too small */
            v->scores[SMALL_FACE] = fminf(v->scores[SMALL_FACE], nextafterf(1, 0));
    }
    v->scores[SEVERAL_FACES] = (float)e->faces[i] / (float)(settings->max_faces + 1);
}

int noise_judge(const struct noise_evidence *e, const struct noise_settings *settings,
                struct noise_verdict *verdicts, struct error *err)
{
    struct ranked *order = malloc(e->n * sizeof *order + 1);
    float *rarity = malloc(e->n * sizeof *rarity + 1);
    memset(verdicts, 0, e->n * sizeof *verdicts);
    int rc = order && rarity ? 0 : error_set(err, ENOMEM, "out of memory ranking %zu images", e->n);
    for (int k = 0; k < EVIDENCES && rc == 0; k++) {
        rarities(e->values[k], unusual_side[k], e->n, order, rarity);
        add_weighted(e, settings, NO_FACE, k, rarity, verdicts);
        add_weighted(e, settings, DRAWING, k, rarity, verdicts);
    }
    for (size_t i = 0; i < e->n && rc == 0; i++) {
        struct noise_verdict *v = &verdicts[i];
        judge_faces(e, settings, i, v);
        for (int rule = 0; rule < NOISE_RULES; rule++) {
            if (v->scores[rule] > v->score) {
                v->score = v->scores[rule];
                v->rule = (enum noise_rule)rule;
            }
        }
    }
    free(order);
    free(rarity);
    return rc;
}
