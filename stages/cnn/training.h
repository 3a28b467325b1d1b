/* One training of train_cnn, from its params to its outputs: training_start.c prepares it,
 * training.c is its loop, training_outputs.c writes its outputs, training_trial.c estimates its
 * time. */
#ifndef FERDAG_STAGES_CNN_TRAINING_H
#define FERDAG_STAGES_CNN_TRAINING_H

#include "stages/cnn/checkpoint.h"
#include "stages/cnn/crop.h"
#include "stages/cnn/evaluate.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "stages/cnn/schedule.h"

struct training {
    const struct job *job;
    struct net_spec spec;
    struct net *net, *full_net; /* full_net: of evaluation on whole images */
    struct images train, public;
    struct net_images train_images, public_images; /* resident: on net; on full_net or net */
    struct scale scale;
    struct schedule schedule;
    struct net_step step;
    enum view view;
    uint64_t seed;
    int crop;
    bool flip;

    struct training_state state;
    struct weights now, best;
    uint32_t *order;
    struct crop *crops; /* of the current batch, as its labels */
    uint8_t *labels;
    float *logits; /* of PublicTest */

    size_t sums_from; /* batch of the running epoch with which the device's sums begin */
    double started, last_checkpoint, last_report; /* on job_clock */
    double trained_seconds;                       /* in this process, evaluation left out */
    size_t trained_images;
    bool warm; /* the first step, which also builds the backend's kernels, is done */
};

/* Steps of an epoch. */
size_t training_steps(const struct training *t);

/* Reads the params and the images, makes nets and buffers for batches of the param's size but at
 * most at_once images. training_finish frees also what a failure left. */
int training_prepare(struct training *t, const struct job *job, int at_once, struct error *err);

/* The same for whole batches, and sets the net from a checkpoint, else from a finished training of
 * fewer epochs, else from the seed. */
int training_start(struct training *t, const struct job *job, struct error *err);
void training_finish(struct training *t);

/* Trains on the next of the running epoch's `batches`; the device adds up its loss and accuracy. */
int training_batch(struct training *t, size_t batches, struct error *err);

/* Fills in *e for an evaluation of the current net on PublicTest. */
int training_evaluation(struct training *t, struct evaluation *e, struct error *err);

/* Trains until the last epoch, or until it stops early. */
int training_run(struct training *t, struct error *err);

/* Writes all outputs of a training that has ended. */
int training_write(struct training *t, struct error *err);

/* The kind's trial: see stages/kind.h. */
int training_trial(struct job *job, double *seconds, struct error *err);

#endif
