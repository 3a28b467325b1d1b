/* The state from which a killed training resumes: weights, running statistics, momentum, the best
 * weights so far, and its position. One .safetensors file, replaced atomically. Its metadata holds
 * the stage's key and a SHA-256 over everything, so that a truncated, altered or foreign file is
 * detected. */
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

/* Sets net, best and state from a checkpoint. Returns 1; 0 if there is no file; or a negative code
 * with err filled if the file is no intact checkpoint of that key. Then net and best are undefined
 * and state is unchanged. */
int checkpoint_read(const char *path, const char *key, struct net *net, struct weights *best,
                    struct training_state *state, struct error *err);

/* What a finished training writes besides its outputs, so that one with more epochs can continue
 * it: momentum, and the state without measured times. The weights are in best.safetensors and
 * last.safetensors; the SHA-256 covers all three files. */
#define CHECKPOINT_LEFT_FILE "state.safetensors"

int checkpoint_leave(const char *path, const char *key, struct net *net, const struct weights *best,
                     const struct training_state *state, struct error *err);

/* Sets net, best and state from the outputs of a finished training with that key in a folder: last,
 * best, timing and state. Returns 0, or a negative code with err filled if one is missing or
 * damaged or they don't belong together; then net and best are undefined and state is unchanged. */
int checkpoint_take_over(const char *folder, const char *key, struct net *net, struct weights *best,
                         struct training_state *state, struct error *err);

#endif
