/* soft_vote: the class with the highest mean of the softmax probabilities of several nets, a
 * baseline for classifiers on fused features. Nothing is trained. A row to be predicted is the
 * concatenation of the logits of the nets. */
#include "kernels/classifiers/vote.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "stages/classifiers/classifier.h"
#include "stages/kind.h"

static int predict(const void *model, const float *x, size_t n, uint8_t *out, struct error *err)
{
    (void)err;
    const struct job *job = model;
    vote_soft(x, n, job_input_count(job, "logits"), CLASSES, job->threads, out);
    return 0;
}

/* Reads the logits (n, CLASSES) of a net for a split, and checks that they are finite. */
static int read_logits(const struct job *job, size_t net, enum split split, size_t n,
                       struct array *a, struct error *err)
{
    char *path =
        format_string("%s/%s_logits.npy", job_input(job, "logits", net), split_names[split]);
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    int rc = array_read(path, ARRAY_F32, 2, a, err);
    if (rc == 0 && (a->shape[0] != n || a->shape[1] != CLASSES))
        rc = error_set(err, EINVAL, "%s: %zu x %zu logits, expected %zu x %d", path, a->shape[0],
                       a->shape[1], n, CLASSES);
    const float *x = a->data;
    for (size_t i = 0; rc == 0 && i < n * CLASSES; i++)
        if (!isfinite(x[i]))
            rc = error_set(err, EINVAL, "%s: row %zu, class %s: %s, expected a finite number", path,
                           i / CLASSES, class_names[i % CLASSES],
                           isnan(x[i]) ? "not a number" : "infinite");
    free(path);
    return rc;
}

static int gather(const struct job *job, enum split split, struct features *f, struct error *err)
{
    size_t nets = job_input_count(job, "logits"), width = CLASSES * sizeof(float);
    f->d = nets * CLASSES;
    size_t shape[2] = {f->n, f->d};
    int rc = array_make(&f->x, ARRAY_F32, 2, shape, err);
    for (size_t k = 0; rc == 0 && k < nets; k++) {
        struct array logits = {0};
        rc = read_logits(job, k, split, f->n, &logits, err);
        for (size_t i = 0; rc == 0 && i < f->n; i++)
            memcpy((char *)f->x.data + (i * nets + k) * width, (char *)logits.data + i * width,
                   width);
        array_free(&logits);
    }
    return rc;
}

static int read_split(const struct job *job, enum split split, struct features *f,
                      struct error *err)
{
    struct images images;
    *f = (struct features){0};
    int rc = images_read(job_input(job, "images", 0), split, &images, err);
    if (rc < 0)
        return rc;
    if (images.n == 0)
        rc = error_set(err, EINVAL, "images: the %s split is empty", split_names[split]);
    f->n = images.n;
    f->labels = images.labels;
    images.labels = (struct array){0};
    images_free(&images);
    if (rc == 0)
        rc = gather(job, split, f, err);
    if (rc < 0)
        features_free(f);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct classifier classifier = {.d = job_input_count(job, "logits") * CLASSES,
                                    .model = job,
                                    .predict = predict,
                                    .read = read_split};
    return classifier_finish(job, &classifier, -1, err);
}

static const struct port inputs[] = {
    {.name = "logits",
     .form = PORT_TREE,
     .many = true,
     .text = "logits of extract_features, one input for each net; public and private are read"},
    {.name = "images",
     .form = PORT_TREE,
     .text = "the data set of the logits, for the true classes"},
    {0},
};

static const struct param params[] = {{0}};

const struct kind kind_soft_vote = {
    .name = "soft_vote",
    .version = 2,
    .text =
        "soft voting: the class with the highest mean of the softmax probabilities of several nets",
    .inputs = inputs,
    .outputs = prediction_outputs,
    .params = params,
    .run = run,
};
