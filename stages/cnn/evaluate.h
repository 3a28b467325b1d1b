/* Evaluation of a trained net: on the centre crop, the mean over ten crops, or the whole image.
 * Training uses it for PublicTest after each epoch, and extract_features for all splits. */
#ifndef FERDAG_STAGES_CNN_EVALUATE_H
#define FERDAG_STAGES_CNN_EVALUATE_H

#include "kernels/nets/net.h"
#include "stages/cnn/crop.h"

enum view { VIEW_CENTER, VIEW_TEN_CROP, VIEW_FULL };

#define VIEW_CHOICES "center|ten_crop|full"

/* The view of that name, which is one of VIEW_CHOICES. */
enum view view_named(const char *name);

#define PRECISION_CHOICES "fp32|bf16|auto"

/* The precision of that name, which is one of PRECISION_CHOICES. */
enum precision precision_named(const char *name);

/* Prints a line for the log if the net computes in fp32 although bf16 was requested. */
void precision_log(const struct net *net, enum precision requested);

/* Height and width of the net's input, for which it must have been created. */
int view_size(enum view view, int crop);

struct evaluation {
    struct net *net;
    enum view view;
    int crop;                                 /* size of crops, for the first two views */
    int batch;                                /* at most this many images at a time */
    void (*tick)(void *context, size_t done); /* called after each batch; may be NULL */
    void *context;
    struct crop *crops; /* the net's queue, by evaluate_queue: (crops of the view, queued) */
    size_t queued;      /* images */
};

/* Queues all images of a set on the net, in all crops of the view: once before calls of evaluate,
 * and again after the net has had another queue. `images` are resident on the net's device. The
 * caller frees the crops with evaluate_free, when the net is freed or has another queue. */
int evaluate_queue(struct evaluation *e, const struct net_images *images, struct error *err);
void evaluate_free(struct evaluation *e);

/* Logits (n, CLASSES) and features (n, net_features) of n queued images from `first` on; either may
 * be NULL. Of several views they are the means (of logits, not of probabilities, as the public code
 * does). */
int evaluate(const struct evaluation *e, size_t first, size_t n, float *logits, float *features,
             struct error *err);

/* Mean cross-entropy (natural logarithm) of logits (n, CLASSES); *correct counts the rows whose
 * largest logit is at their label. */
double evaluate_loss(const float *logits, const uint8_t *labels, size_t n, size_t *correct);

/* The class of the largest logit, the first of equals, for each row. */
void evaluate_classes(const float *logits, size_t n, uint8_t *predicted);

#endif
