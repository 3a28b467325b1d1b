/* See evaluate.h. */
#include "stages/cnn/evaluate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum view view_named(const char *name)
{
    return strcmp(name, "full") == 0       ? VIEW_FULL
           : strcmp(name, "ten_crop") == 0 ? VIEW_TEN_CROP
                                           : VIEW_CENTER;
}

enum precision precision_named(const char *name)
{
    return strcmp(name, "bf16") == 0   ? PRECISION_BF16
           : strcmp(name, "auto") == 0 ? PRECISION_AUTO
                                       : PRECISION_FP32;
}

void precision_log(const struct net *net, enum precision requested)
{
    if (requested == PRECISION_BF16 && net_precision(net) != PRECISION_BF16)
        printf("computes in fp32: the %s backend has no bf16 on this machine\n", net_backend(net));
}

int view_size(enum view view, int crop)
{
    return view == VIEW_FULL ? FACE_SIZE : crop;
}

static struct crop view_crop(enum view view, int index, int crop)
{
    if (view == VIEW_TEN_CROP)
        return crop_of_ten(index, crop);
    return crop_center(view_size(view, crop));
}

static void add(float *sum, const float *x, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += weight * x[i];
}

static int crops_of(enum view view)
{
    return view == VIEW_TEN_CROP ? TEN_CROPS : 1;
}

int evaluate_queue(struct evaluation *e, const struct net_images *images, struct error *err)
{
    size_t views = (size_t)crops_of(e->view), n = images->n;
    struct crop *crops = calloc(n * views, sizeof *crops);
    if (!crops)
        return error_set(err, ENOMEM, "out of memory for the crops of %zu images", n);
    for (size_t view = 0; view < views; view++)
        for (size_t i = 0; i < n; i++) {
            crops[view * n + i] = view_crop(e->view, (int)view, e->crop);
            crops[view * n + i].image = (uint32_t)i;
        }
    int rc = net_queue(e->net, images, crops, NULL, n * views, err);
    free(e->crops); /* not before the net has another queue */
    e->crops = crops;
    e->queued = n;
    return rc;
}

void evaluate_free(struct evaluation *e)
{
    free(e->crops);
    e->crops = NULL;
}

struct buffers {
    float *logits, *features; /* of one batch */
};

static int make_buffers(const struct evaluation *e, struct buffers *b, struct error *err)
{
    size_t n = (size_t)e->batch;
    b->logits = malloc(n * CLASSES * sizeof(float));
    b->features = malloc(n * net_features(e->net) * sizeof(float));
    if (b->logits && b->features)
        return 0;
    return error_set(err, ENOMEM, "out of memory for a batch of %d images", e->batch);
}

/* Adds the means over all views of images first .. first+n-1 to their logits and features. */
static int evaluate_batch(const struct evaluation *e, size_t first, size_t n, struct buffers *b,
                          float *logits, float *features, struct error *err)
{
    size_t width = net_features(e->net);
    int views = crops_of(e->view);
    for (int view = 0; view < views; view++) {
        int rc = net_predict(e->net, (size_t)view * e->queued + first, n, logits ? b->logits : NULL,
                             features ? b->features : NULL, err);
        if (rc < 0)
            return rc;
        if (logits)
            add(logits, b->logits, n * CLASSES, 1.0f / (float)views);
        if (features)
            add(features, b->features, n * width, 1.0f / (float)views);
    }
    return 0;
}

int evaluate(const struct evaluation *e, size_t first, size_t n, float *logits, float *features,
             struct error *err)
{
    struct buffers b = {0};
    size_t width = net_features(e->net);
    int rc = make_buffers(e, &b, err);
    if (rc == 0 && logits)
        memset(logits, 0, n * CLASSES * sizeof *logits);
    if (rc == 0 && features)
        memset(features, 0, n * width * sizeof *features);
    for (size_t done = 0; rc == 0 && done < n; done += (size_t)e->batch) {
        size_t left = n - done, count = left < (size_t)e->batch ? left : (size_t)e->batch;
        rc = evaluate_batch(e, first + done, count, &b, logits ? logits + done * CLASSES : NULL,
                            features ? features + done * width : NULL, err);
        if (rc == 0 && e->tick)
            e->tick(e->context, done + count);
    }
    free(b.logits);
    free(b.features);
    return rc;
}

void evaluate_classes(const float *logits, size_t n, uint8_t *predicted)
{
    for (size_t i = 0; i < n; i++) {
        const float *row = logits + i * CLASSES;
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            if (row[k] > row[best])
                best = k;
        predicted[i] = (uint8_t)best;
    }
}

double evaluate_loss(const float *logits, const uint8_t *labels, size_t n, size_t *correct)
{
    double sum = 0;
    *correct = 0;
    for (size_t i = 0; i < n; i++) {
        const float *row = logits + i * CLASSES;
        uint8_t best;
        double exponentials = 0;
        evaluate_classes(row, 1, &best);
        for (int k = 0; k < CLASSES; k++)
            exponentials += exp((double)row[k] - (double)row[best]);
        sum += log(exponentials) - ((double)row[labels[i]] - (double)row[best]);
        *correct += best == labels[i];
    }
    return n > 0 ? sum / (double)n : 0;
}
