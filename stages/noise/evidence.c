/* See evidence.h. In most images the first pass detects a face. Further passes, with the image
 * turned or enlarged or with another cascade, are made only while support is low, so that many
 * passes cost little. For faces that the cascades miss, support and window size are predicted from
 * the shape, by a regression fitted on the set itself. */
#include "stages/noise/evidence.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <omp.h>
#include "stages/noise/faces.h"
#include "stages/data/formats.h"
#include "stages/noise/image_measures.h"
#include "kernels/math/pca.h"

#define FRONTAL         "haarcascade_frontalface_alt2.xml"
#define FRONTAL_ALT     "haarcascade_frontalface_alt.xml"
#define FRONTAL_DEFAULT "haarcascade_frontalface_default.xml"
#define PROFILE         "haarcascade_profileface.xml"

/* In this order. */
static const struct face_pass passes[] = {
    {.cascade = FRONTAL, .pad = 12, .enlarge = 1, .min_size = 20},
    {.cascade = FRONTAL_DEFAULT, .pad = 8, .enlarge = 1, .min_size = 24},
    {.cascade = FRONTAL, .pad = 12, .enlarge = 1, .min_size = 20, .turn = 18},
    {.cascade = FRONTAL, .pad = 12, .enlarge = 1, .min_size = 20, .turn = -18},
    {.cascade = FRONTAL_ALT, .pad = 12, .enlarge = 1, .min_size = 20},
    {.cascade = PROFILE, .pad = 12, .enlarge = 1, .min_size = 20},
    {.cascade = PROFILE, .pad = 12, .enlarge = 1, .min_size = 20, .mirrored = true},
    {.cascade = FRONTAL, .pad = 12, .enlarge = 1, .min_size = 20, .turn = 36},
    {.cascade = FRONTAL, .pad = 12, .enlarge = 1, .min_size = 20, .turn = -36},
    {.cascade = FRONTAL_DEFAULT, .pad = 10, .enlarge = 1, .min_size = 24, .turn = 18},
    {.cascade = FRONTAL_DEFAULT, .pad = 10, .enlarge = 1, .min_size = 24, .turn = -18},
    {.cascade = FRONTAL, .pad = 8, .enlarge = 1.5, .min_size = 12},
};

enum {
    PASSES = sizeof passes / sizeof *passes,
    BOXES = 8, /* of a pass */
    ALL_BOXES = BOXES * PASSES,
    PIXELS = FACE_SIZE * FACE_SIZE,
    SHAPE_COMPONENTS = 200,
    SHAPE_NEAR = 60,
    SHAPE_SQUARES = 60,
    PIXEL_COMPONENTS = 40,
};

static const float OVERLAP =
    0.3f; /* overlap, relative to the smaller box, above which two boxes are one face */

static bool apart(const struct face_box *a, const struct face_box *b)
{
    float width = fminf(a->x + a->size, b->x + b->size) - fmaxf(a->x, b->x);
    float height = fminf(a->y + a->size, b->y + b->size) - fmaxf(a->y, b->y);
    float smaller = fminf(a->size, b->size);
    return width <= 0 || height <= 0 || width * height < OVERLAP * smaller * smaller;
}

/* How many boxes have enough support and don't overlap any stronger box. */
static int count_faces(const struct face_box *boxes, int n, int support)
{
    struct face_box seen[BOXES];
    int faces = 0;
    for (int i = 0; i < n && boxes[i].support >= support; i++) {
        bool alone = true;
        for (int k = 0; k < faces && alone; k++)
            alone = apart(&boxes[i], &seen[k]);
        if (alone)
            seen[faces++] = boxes[i];
    }
    return faces;
}

static int by_size(const void *a, const void *b)
{
    float x = ((const struct face_box *)a)->size, y = ((const struct face_box *)b)->size;
    return (x > y) - (x < y);
}

/* The upper quartile of the sizes of the windows; small false detections inside a face don't change
 * it. */
static float window_size(struct face_box *boxes, int n, int support)
{
    qsort(boxes, (size_t)n, sizeof *boxes, by_size);
    int seen = 0;
    for (int i = 0; i < n; i++) {
        seen += boxes[i].support;
        if (4 * seen >= 3 * support)
            return boxes[i].size;
    }
    return 0;
}

static int detect(struct face_finder *finder, const uint8_t *pixels, size_t i,
                  const struct detection_settings *settings, struct noise_evidence *e,
                  struct error *err)
{
    struct face_box boxes[ALL_BOXES];
    int total = 0, support = 0, faces = 0;
    for (int pass = 0; pass < PASSES && support < settings->enough; pass++) {
        int found = 0;
        int rc = face_finder_detect(finder, pass, pixels, boxes + total, BOXES, &found, err);
        if (rc < 0)
            return rc;
        int apart_here = count_faces(boxes + total, found, settings->face_support);
        faces = apart_here > faces ? apart_here : faces;
        for (int k = 0; k < found; k++)
            support += boxes[total + k].support;
        total += found;
    }
    e->values[SUPPORT][i] = (float)(support < settings->enough ? support : settings->enough);
    e->window[i] = window_size(boxes, total, support);
    e->faces[i] = (uint8_t)faces;
    return 0;
}

struct shared {
    const uint8_t *pixels;
    const struct detection_settings *settings;
    void (*progress)(void *user, size_t done);
    void *user;
    struct noise_evidence *evidence;
    atomic_size_t next;
    atomic_int rc;
};

/* Run by each thread: takes batches of images until none is left or a thread has failed. */
static int detect_batches(struct shared *s, struct error *err)
{
    enum { BATCH = 32 };
    struct face_finder *finder;
    size_t n = s->evidence->n;
    int rc = face_finder_open(&finder, s->settings->cascades, passes, PASSES, err);
    while (rc == 0 && atomic_load(&s->rc) == 0) {
        size_t from = atomic_fetch_add(&s->next, BATCH);
        if (from >= n)
            break;
        for (size_t i = from; rc == 0 && i < n && i < from + BATCH; i++)
            rc = detect(finder, s->pixels + i * PIXELS, i, s->settings, s->evidence, err);
        if (s->progress && omp_get_thread_num() == 0)
            s->progress(s->user, from);
    }
    face_finder_close(finder);
    return rc;
}

static int detect_all(struct shared *s, struct error *err)
{
#pragma omp parallel num_threads(s->settings->threads)
    {
        struct error mine = {""};
        int rc = detect_batches(s, &mine);
        int none = 0;
        if (rc < 0 && atomic_compare_exchange_strong(&s->rc, &none, rc))
            *err = mine;
    }
    return atomic_load(&s->rc);
}

static void measure_tones(const uint8_t *pixels, int threads, struct noise_evidence *e)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t i = 0; i < e->n; i++) {
        struct tones tones = image_tones(pixels + i * PIXELS);
        e->values[ENTROPY][i] = tones.entropy;
        e->values[CENTRE_ENTROPY][i] = tones.centre_entropy;
        e->values[LINES][i] = tones.lines;
        e->values[FLAT][i] = tones.flat;
    }
}

static int measure_pixels(const uint8_t *pixels, struct noise_evidence *e, struct error *err)
{
    struct pca pca;
    float *x = malloc(e->n * SMALL_SIZE * sizeof *x);
    if (!x)
        return error_set(err, ENOMEM, "out of memory for %zu images", e->n);
    for (size_t i = 0; i < e->n; i++)
        image_small(pixels + i * PIXELS, x + i * SMALL_SIZE);
    int rc = pca_fit(x, e->n, SMALL_SIZE, PIXEL_COMPONENTS, PIXEL_COMPONENTS, &pca, err);
    free(x);
    if (rc == 0)
        memcpy(e->values[PIXEL_DISTANCE], pca.distance, e->n * sizeof *pca.distance);
    pca_free(&pca);
    return rc;
}

/* Predicts support and window size from the shape for every image. */
static int predict_from_shape(const struct pca *pca, int enough, struct noise_evidence *e,
                              struct error *err)
{
    double *target = malloc(e->n * sizeof *target), *predicted = malloc(e->n * sizeof *predicted);
    uint8_t *reliable = malloc(e->n);
    size_t count = 0;
    int rc = target && predicted && reliable
                 ? 0
                 : error_set(err, ENOMEM, "out of memory for %zu images", e->n);
    for (size_t i = 0; rc == 0 && i < e->n; i++)
        target[i] = log1p(e->values[SUPPORT][i]);
    if (rc == 0)
        rc = pca_regress(pca, SHAPE_SQUARES, target, NULL, predicted, err);
    for (size_t i = 0; rc == 0 && i < e->n; i++) {
        e->values[PREDICTED_SUPPORT][i] = (float)predicted[i];
        target[i] = predicted[i] = e->window[i];
        reliable[i] = e->values[SUPPORT][i] >= (float)enough;
        count += reliable[i];
    }
    if (rc == 0 && count > 0) /* without reliable sizes the measured windows are used */
        rc = pca_regress(pca, SHAPE_SQUARES, target, reliable, predicted, err);
    for (size_t i = 0; rc == 0 && i < e->n; i++)
        e->predicted_window[i] = (float)predicted[i];
    free(target);
    free(predicted);
    free(reliable);
    return rc;
}

static int measure_shapes(const uint8_t *pixels, const struct detection_settings *settings,
                          struct noise_evidence *e, struct error *err)
{
    struct pca pca = {0};
    float *x = malloc(e->n * SHAPE_SIZE * sizeof *x);
    if (!x)
        return error_set(err, ENOMEM, "out of memory for %zu images", e->n);
#pragma omp parallel for num_threads(settings->threads) schedule(static)
    for (size_t i = 0; i < e->n; i++)
        image_shape(pixels + i * PIXELS, x + i * SHAPE_SIZE);
    int rc = pca_fit(x, e->n, SHAPE_SIZE, SHAPE_COMPONENTS, SHAPE_NEAR, &pca, err);
    free(x);
    if (rc == 0) {
        memcpy(e->values[SHAPE_DISTANCE], pca.distance, e->n * sizeof *pca.distance);
        memcpy(e->values[SHAPE_RARITY], pca.rarity, e->n * sizeof *pca.rarity);
        rc = predict_from_shape(&pca, settings->enough, e, err);
    }
    pca_free(&pca);
    return rc;
}

static int make_evidence(struct noise_evidence *e, size_t n, struct error *err)
{
    *e = (struct noise_evidence){.n = n};
    bool made = true;
    for (int k = 0; k < EVIDENCES; k++)
        made &= (e->values[k] = calloc(n + 1, sizeof(float))) != NULL;
    e->window = calloc(n + 1, sizeof *e->window);
    e->predicted_window = calloc(n + 1, sizeof *e->predicted_window);
    e->faces = calloc(n + 1, 1);
    if (made && e->window && e->predicted_window && e->faces)
        return 0;
    return error_set(err, ENOMEM, "out of memory for %zu images", n);
}

int noise_evidence_gather(const uint8_t *pixels, size_t n,
                          const struct detection_settings *settings,
                          void (*progress)(void *user, size_t done), void *user,
                          struct noise_evidence *evidence, struct error *err)
{
    struct shared shared = {.pixels = pixels,
                            .settings = settings,
                            .progress = progress,
                            .user = user,
                            .evidence = evidence};
    int rc = make_evidence(evidence, n, err);
    if (rc == 0)
        rc = detect_all(&shared, err);
    if (rc == 0 && n > 0) {
        measure_tones(pixels, settings->threads, evidence);
        rc = measure_pixels(pixels, evidence, err);
    }
    if (rc == 0 && n > 0)
        rc = measure_shapes(pixels, settings, evidence, err);
    if (rc < 0)
        noise_evidence_free(evidence);
    return rc;
}

void noise_evidence_free(struct noise_evidence *e)
{
    for (int k = 0; k < EVIDENCES; k++)
        free(e->values[k]);
    free(e->window);
    free(e->predicted_window);
    free(e->faces);
    *e = (struct noise_evidence){0};
}
