/* engines.json, which choose_engines writes and train_cnn and extract_features may read: for each
 * convolution of a net the engine that was the fastest on a device.
 *   {"engines": {CONVOLUTION: ENGINE, ...}, "numerics": "cuda NVIDIA H200 sm_90 132 cudnn 9.19.0"}
 * It has no times, so it has the same bytes, and the stages that read it have the same keys, if the
 * same engines are chosen again. A backend without a choice of engines has none: then `numerics` is
 * its name, and `note` explains that. */
#ifndef FERDAG_STAGES_CNN_ENGINES_H
#define FERDAG_STAGES_CNN_ENGINES_H

#include <jansson.h>
#include "kernels/nets/net.h"
#include "stages/job.h"

/* The content of a file, for net_spec.engines. Zeroed: no file. */
struct engines {
    json_t *root;
    struct engine_choice *items;
    struct engine_choices choices;
};

/* Reads the input port `engines`. *choices is NULL if the job has no such input; else it is valid
 * until engines_free. -EINVAL if the file isn't sound, or is of another backend, GPU or cuDNN than
 * the job's. */
int engines_read(struct engines *e, const struct job *job, const struct engine_choices **choices,
                 struct error *err);
void engines_free(struct engines *e);

/* Writes the engines of a net. `choices` are its own. */
int engines_write(const char *path, const struct net *net, const struct engine_choice *choices,
                  size_t count, struct error *err);

/* The port, for the tables of kinds. */
/* clang-format off */
#define ENGINES_PORT                                                                               \
    {.name = "engines", .form = PORT_FILE, .optional = true,                                       \
     .text = "of choose_engines: with the backend cuda, cuDNN's engines to use; for speed"}
/* clang-format on */

#endif
