/* The four nets, on any backend: created from a table of layers, trained a batch at a time, and
 * asked for logits and features. Images are crops of resident grey images, which the caller queues;
 * a batch is some consecutive ones of the queue. Results are float32 in NCHW order; the backend
 * chooses layouts and precision inside. */
#ifndef FERDAG_KERNELS_NETS_NET_H
#define FERDAG_KERNELS_NETS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/backends/types.h"

enum net_model { NET_VGG19, NET_RESNET18, NET_PREACT_RESNET18, NET_RESNEXT29, NET_MODELS };

struct net_spec {
    enum net_model model;
    int width;      /* channels of the first stage: 64 in the paper; 1 to 512 */
    int classes;    /* 7 */
    int image_size; /* height and width of the input: 32 to 64 (40 for crops, 48 for whole images)
                     */
    int batch;      /* the largest batch */
    bool training;  /* false: no gradients, no momentum; less memory, batch norm folded */
    enum precision precision;
    const char *backend; /* "auto", "ref", "cpu", "cuda" */
    int threads;
    /* Engines that net_engines of an equal net returned; NULL: the backend's usual choice. Needed
     * until net_create returns; a backend without engines ignores them. An opaque list is all that
     * callers know of engines: they store it and hand it back. */
    const struct engine_choices *engines;
    bool times_engines; /* instead: passes time engines and take the fastest (backend.h) */
};

struct net;

int net_create(struct net **net, const struct net_spec *spec, struct error *err);
void net_free(struct net *net); /* NULL is fine */

/* He-normal (fan-out, as PyTorch's kaiming_normal_ does for convolutions): the same weights for the
 * same seed on all backends. */
int net_init(struct net *net, uint64_t seed, struct error *err);

/* Parameters and buffers, in the order and under the names of the usual PyTorch model
 * ("layer1.0.conv1.weight", OIHW float32; "...running_mean"; "...num_batches_tracked" is a scalar
 * of type int64 in PyTorch and has dims 0). */
struct net_param {
    const char *name;
    size_t dims, shape[4];
    size_t count;   /* number of values */
    bool trainable; /* false: running statistics and num_batches_tracked */
};

size_t net_param_count(const struct net *net);
const struct net_param *net_param(const struct net *net, size_t i);
int net_get(struct net *net, size_t i, float *values, struct error *err);
int net_set(struct net *net, size_t i, const float *values, struct error *err);
/* SGD momentum of a trainable parameter, same shape. */
int net_get_momentum(struct net *net, size_t i, float *values, struct error *err);
int net_set_momentum(struct net *net, size_t i, const float *values, struct error *err);
/* Gradient of the last net_train_step or net_gradients, before clipping and weight decay. */
int net_get_gradient(struct net *net, size_t i, float *values, struct error *err);

/* Images that are resident on a net's device, until the net is freed. */
struct net_images {
    struct image_set *set;
    size_t n, size;
};
/* Makes them resident. The source's pixels and levels must live as long as the net. -EINVAL if they
 * are smaller than the net's images. */
int net_add_images(struct net *net, const struct image_source *source, struct net_images *images,
                   struct error *err);

/* Sets the net's queue: n crops, 1 or more, of images of `from` (which net_add_images made for this
 * net), and their labels; NULL: for evaluation only. It replaces the queue before. The caller keeps
 * both arrays unchanged until the next queue or until the net is freed. -EINVAL if a crop isn't
 * inside its image, or a label isn't less than the number of classes. After an error the queue is
 * empty. */
int net_queue(struct net *net, const struct net_images *from, const struct crop *crops,
              const uint8_t *labels, size_t n, struct error *err);

/* The following functions process a batch: the n images from position `first` of the queue on. They
 * return -EINVAL if n isn't 1 to spec.batch, if the queue has fewer images, or if a training lacks
 * labels. */

struct net_step {
    struct sgd sgd;         /* of all trainable parameters */
    double label_smoothing; /* 0: off */
};

/* One SGD step on a batch. The device adds up loss and accuracy, in training mode. It may return
 * before the step has run. */
int net_train_step(struct net *net, size_t first, size_t n, const struct net_step *step,
                   struct error *err);

/* Waits for the queued steps and copies their sums to *sums, then sets the sums to *next: zeros, or
 * sums that were read before, so that a resumed training adds in the same order. Either may be
 * NULL. The sums of a new net are zero. */
int net_loss_sums(struct net *net, struct loss_sums *sums, const struct loss_sums *next,
                  struct error *err);

/* As net_train_step up to the gradients, without the update. *loss is the mean cross-entropy of
 * these images; the sums stay as they were. */
int net_gradients(struct net *net, size_t first, size_t n, double label_smoothing, double *loss,
                  struct error *err);

/* Evaluation mode (running statistics): logits (n, classes) and features (n, net_features), the
 * output of the last pooling layer; either may be NULL. */
int net_predict(struct net *net, size_t first, size_t n, float *logits, float *features,
                struct error *err);

size_t net_features(const struct net *net); /* 8*width, 16*width for ResNeXt29 */

/* Multiply-adds of one image forward, times 2. */
double net_flops(const struct net *net);

/* The same without creating the net; only model, width, classes and image_size matter. */
double net_spec_flops(const struct net_spec *spec);

/* "cpu", "ref", ...: the backend that `auto` became. */
const char *net_backend(const struct net *net);

/* Whether its backend has engines to choose from. */
bool net_has_engines(const struct net *net);

/* The engines that it was given or has timed, in no order. The caller frees *choices; the texts are
 * the net's. */
int net_engines(struct net *net, struct engine_choice **choices, size_t *count, struct error *err);

/* The precision that it computes in: fp32 instead of bf16 where the CPU or the backend lacks bf16.
 */
enum precision net_precision(const struct net *net);

/* The nets' names, by enum net_model, and joined by "|" for a param's choices. */
extern const char *const net_model_names[NET_MODELS];
extern const char net_model_choices[];

/* The net of that name; NET_MODELS if there is none. */
enum net_model net_model_find(const char *name);

/* Properties of this machine that decide results, such as "cpu avx512_core_bf16"; see
 * stages/kind.h. Returns 0, -EINVAL for an unknown backend, -ENODEV for one that can't be used on
 * this machine, or -ENOSPC. */
int net_numerics(const char *backend, char *text, size_t size, struct error *err);

#endif
