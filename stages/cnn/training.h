/* One training of train_cnn, from its params to its outputs: training_start.c prepares it,
 * training.c is its loop, training_outputs.c writes its outputs. */
#ifndef FERDAG_STAGES_CNN_TRAINING_H
#define FERDAG_STAGES_CNN_TRAINING_H

#include "stages/cnn/checkpoint.h"
#include "stages/cnn/crop.h"
#include "stages/cnn/engines.h"
#include "stages/cnn/evaluate.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "stages/cnn/schedule.h"

/* In a line of the state's metrics: how many watched images are correct. Not in the output metrics.
 */
#define WATCHED_CORRECT "watched_correct"

struct training {
    const struct job *job;
    struct engines engines; /* those of spec */
    struct net_spec spec;
    struct net *net, *full_net; /* full_net: of evaluation on whole images */
    struct images train, public;
    struct images watched; /* the private split of the port `watched`; n == 0: not connected */
    /* Resident: on net; on full_net or net; likewise. */
    struct net_images train_images, public_images, watched_images;
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
    struct crop *crops; /* of the running epoch, in its order, as the labels: the net's queue */
    uint8_t *labels;
    struct evaluation evaluation; /* of PublicTest, then of watched */
    float *logits;                /* for the larger of the two */

    size_t sums_from; /* batch of the running epoch with which the device's sums begin */
    double checkpoint_seconds;
    double started, last_checkpoint, last_report; /* on clock_monotonic */
    double trained_seconds;                       /* in this process, evaluation left out */
    size_t trained_images;
    bool warm; /* the first step, which also builds the backend's kernels, is done */
};

/* Steps of an epoch. */
size_t training_steps(const struct training *t);

/* Reads the params and the images, makes nets and buffers, and sets the net from a checkpoint, else
 * from a finished training of fewer epochs, else from the seed. training_finish frees also what a
 * failure left. */
int training_start(struct training *t, const struct job *job, struct error *err);
void training_finish(struct training *t);

/* Trains until the last epoch, or until it stops early. */
int training_run(struct training *t, struct error *err);

/* Writes all outputs of a training that has ended. */
int training_write(struct training *t, struct error *err);

#endif
