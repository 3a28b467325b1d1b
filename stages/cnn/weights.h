/* A net's weights as a .safetensors file under PyTorch's names, with the metadata that is needed to
 * use them. */
#ifndef FERDAG_STAGES_CNN_WEIGHTS_H
#define FERDAG_STAGES_CNN_WEIGHTS_H

#include "kernels/nets/net.h"
#include "stages/data/safetensors.h"

/* Bytes that are read at most: above the widest net that train_cnn allows. */
#define WEIGHTS_FILE_LIMIT ((size_t)8 << 30)

/* The metadata, besides "format": "pt" and the names of the classes. */
struct weights_notes {
    enum net_model model;
    int width, crop;
    double mean, deviation; /* input = (level/255 - mean) / deviation */
};

/* All parameters and buffers of a net, one after the other in the net's order. */
struct weights {
    size_t count;
    float *values;
};

int weights_make(struct weights *w, const struct net *net, struct error *err);
void weights_free(struct weights *w);
int weights_from_net(struct weights *w, struct net *net, struct error *err);
int weights_to_net(const struct weights *w, struct net *net, struct error *err);

/* Names and shapes are the net's, values are w's. */
int weights_write(const char *path, const struct net *net, const struct weights *w,
                  const struct weights_notes *notes, struct error *err);

/* Reads a file and its notes, which are checked against the ranges that train_cnn allows. */
int weights_open(const char *path, struct safetensors *s, struct weights_notes *notes,
                 struct error *err);
/* Sets every parameter of the net from a file that must have exactly those names and shapes. */
int weights_load(struct net *net, const struct safetensors *s, struct error *err);

#endif
