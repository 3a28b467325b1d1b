/* See evidence.h. Nearly all time goes into the detection of faces. */
#include "stages/noise/evidence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <omp.h>
#include "stages/data/formats.h"
#include "stages/noise/faces.h"
#include "stages/noise/image_measures.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

static int measure(struct face_finder *finder, const uint8_t *pixels, size_t i,
                   struct noise_evidence *e, struct error *err)
{
    struct face_box boxes[MOST_FACES];
    int found = 0, rc = face_finder_detect(finder, pixels, boxes, MOST_FACES, &found, err);
    if (rc < 0)
        return rc;
    for (int k = 0; k < MOST_FACES; k++)
        e->scores[i][k] = k < found ? boxes[k].score : FACE_LEAST_SCORE;
    e->face[i] = found > 0 ? boxes[0].size : 0;
    struct tones tones = image_tones(pixels);
    e->values[DETECTION][i] = e->scores[i][0];
    e->values[ENTROPY][i] = tones.entropy;
    e->values[CENTRE_ENTROPY][i] = tones.centre_entropy;
    e->values[LINES][i] = tones.lines;
    e->values[SHADES][i] = tones.shades;
    return 0;
}

struct shared {
    const uint8_t *pixels;
    void (*progress)(void *user, size_t done);
    void *user;
    struct noise_evidence *evidence;
    atomic_size_t next;
    atomic_int rc;
};

/* Run by each thread: takes batches of images until none is left or a thread has failed. */
static int measure_batches(struct shared *s, struct error *err)
{
    enum { BATCH = 32 };
    struct face_finder *finder;
    size_t n = s->evidence->n;
    int rc = face_finder_open(&finder, err);
    while (rc == 0 && atomic_load(&s->rc) == 0) {
        size_t from = atomic_fetch_add(&s->next, BATCH);
        if (from >= n)
            break;
        for (size_t i = from; rc == 0 && i < n && i < from + BATCH; i++)
            rc = measure(finder, s->pixels + i * PIXELS, i, s->evidence, err);
        if (s->progress && omp_get_thread_num() == 0)
            s->progress(s->user, from);
    }
    face_finder_close(finder);
    return rc;
}

static int measure_all(struct shared *s, int threads, struct error *err)
{
#pragma omp parallel num_threads(threads)
    {
        struct error mine = {""};
        int rc = measure_batches(s, &mine);
        int none = 0;
        if (rc < 0 && atomic_compare_exchange_strong(&s->rc, &none, rc))
            *err = mine;
    }
    return atomic_load(&s->rc);
}

static int make_evidence(struct noise_evidence *e, size_t n, struct error *err)
{
    *e = (struct noise_evidence){.n = n};
    bool made = true;
    for (int k = 0; k < EVIDENCES; k++)
        made &= (e->values[k] = calloc(n + 1, sizeof(float))) != NULL;
    e->face = calloc(n + 1, sizeof *e->face);
    e->scores = calloc(n + 1, sizeof *e->scores);
    if (made && e->face && e->scores)
        return 0;
    return error_set(err, ENOMEM, "out of memory for %zu images", n);
}

int noise_evidence_gather(const uint8_t *pixels, size_t n, int threads,
                          void (*progress)(void *user, size_t done), void *user,
                          struct noise_evidence *evidence, struct error *err)
{
    struct shared shared = {
        .pixels = pixels, .progress = progress, .user = user, .evidence = evidence};
    int rc = make_evidence(evidence, n, err);
    if (rc == 0)
        rc = measure_all(&shared, threads, err);
    if (rc < 0)
        noise_evidence_free(evidence);
    return rc;
}

void noise_evidence_free(struct noise_evidence *e)
{
    for (int k = 0; k < EVIDENCES; k++)
        free(e->values[k]);
    free(e->face);
    free(e->scores);
    *e = (struct noise_evidence){0};
}
