/* See training.h: how long a training will take, from some of its steps and a look at some of
 * PublicTest.
 *
 * Steps are cut down to few images. On a CPU an image costs nearly the same in a batch of 16 as in
 * one of 128 (within 15 % for VGG19 and ResNeXt29 of width 64 and ResNet18 of width 16), and so a
 * wide net's trial takes seconds and a fraction of its training's memory. */
#include "stages/cnn/training.h"

enum { AT_ONCE = 16, LEAST_STEPS = 2, MOST_STEPS = 50 };
static const double LEAST_SECONDS = .2; /* of steps, unless that is too many */

/* Seconds for an image of the training split. The first step, which builds kernels, isn't counted.
 */
static int measure_steps(struct training *t, double *each, struct error *err)
{
    size_t batch = (size_t)t->spec.batch, batches = training_steps(t);
    int rc = 0;
    crop_order(t->seed, 0, t->order, t->train.n);
    for (int steps = 0; rc == 0 && steps <= MOST_STEPS; steps++) {
        if (steps > LEAST_STEPS && t->trained_seconds >= LEAST_SECONDS)
            break;
        if ((t->state.batch + 1) * batch > t->train.n)
            t->state.batch = 0; /* a smaller batch would need kernels of its own */
        rc = training_batch(t, batches, err);
    }
    if (rc == 0)
        *each = t->trained_seconds / (double)t->trained_images;
    return rc;
}

/* Seconds for an image of PublicTest; again, the first time isn't counted. */
static int measure_look(struct training *t, double *each, struct error *err)
{
    size_t some = t->public.n;
    struct evaluation e;
    double before = 0;
    if (some > (size_t)t->spec.batch)
        some = (size_t)t->spec.batch;
    int rc = training_evaluation(t, &e, err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        before = job_clock();
        rc = evaluate(&e, 0, some, t->logits, NULL, err);
    }
    if (rc == 0)
        *each = (job_clock() - before) / (double)some;
    return rc;
}

int training_trial(struct job *job, double *seconds, struct error *err)
{
    struct training t;
    double step = 0, look = 0;
    int rc = training_prepare(&t, job, AT_ONCE, err);
    if (rc == 0)
        rc = measure_steps(&t, &step, err);
    if (rc == 0)
        rc = measure_look(&t, &look, err);
    if (rc == 0)
        *seconds = t.schedule.epochs * (step * (double)t.train.n + look * (double)t.public.n);
    training_finish(&t);
    return rc;
}
