/* All that a training needs to go on after it was killed: weights, running statistics, momentum,
 * the best weights so far, and where it was. One .safetensors file, written whole; its metadata
 * holds the stage's key and a SHA-256 over all of it, so that a cut, altered or foreign file is
 * noticed. */
#ifndef FERDAG_STAGES_CNN_CHECKPOINT_H
#define FERDAG_STAGES_CNN_CHECKPOINT_H

#include "stages/cnn/weights.h"

/* Bytes that are read at most: weights, best weights and momentum. */
#define CHECKPOINT_FILE_LIMIT (3 * WEIGHTS_FILE_LIMIT)

struct training_state {
    int epoch;            /* epochs done */
    size_t batch;         /* batches done of the next one */
    double loss;          /* sum over that epoch's images so far */
    size_t correct;       /* of them, in training mode */
    int best_epoch;       /* 1 is the first; 0: none yet */
    double best_accuracy; /* on PublicTest */
    json_t *metrics;      /* a list with an object for each epoch done */
    json_t *seconds;      /* measured: a list, for each epoch done */
    double epoch_seconds; /* measured: of the running epoch */
    int resumed;          /* how often the training went on from a checkpoint */
    char origin[65];      /* key of the finished training that it went on from; "": none */
    int origin_epochs;    /* and what its param epochs was */
};

/* Its name in the stage's folder. */
#define CHECKPOINT_FILE "checkpoint.safetensors"

int checkpoint_write(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err);

/* Sets net, best and state from a checkpoint. Returns 1 if it did, 0 if there is no file, and
 * negative, with err telling why, if the file is no sound checkpoint of that key; then net and
 * best may hold anything and state is as it was. */
int checkpoint_read(const char *path, const char *key, struct net *net, struct weights *best,
                    struct training_state *state, struct error *err);

/* What a finished training leaves beside its outputs for one of more epochs: momentum and state
 * without anything measured, in a file of one third of a checkpoint's size, as the weights are in
 * best.safetensors and last.safetensors anyway. The SHA-256 is over all three. */
#define CHECKPOINT_LEFT_FILE "state.safetensors"

int checkpoint_leave(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err);

/* Sets net, best and state from the outputs of a finished training with that key, its last, best,
 * timing and state, in a folder. Returns 0, or negative, with err telling why, if one is missing or
 * damaged or they don't belong together; then net and best may hold anything and state is as it
 * was. */
int checkpoint_take_over(const char *folder, const char *key, struct net *net, struct weights *best,
                         struct training_state *state, struct error *err);

#endif
