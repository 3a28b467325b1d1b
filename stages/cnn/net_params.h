/* Params of a net that is trained, for the tables of the kinds that create one. */
#ifndef FERDAG_STAGES_CNN_NET_PARAMS_H
#define FERDAG_STAGES_CNN_NET_PARAMS_H

#include "kernels/nets/net.h"
#include "stages/cnn/evaluate.h"
#include "stages/param.h"

/* clang-format off */
#define MODEL_PARAM                                                                                \
    {.name = "model", .type = PARAM_ENUM, .choices = net_model_choices, .text = "the net"}

#define WIDTH_PARAM                                                                                \
    {.name = "width", .type = PARAM_INT, .standard = "64", .min = 1, .max = 512,                   \
     .text = "channels of the first stage"}

#define BATCH_SIZE_PARAM                                                                           \
    {.name = "batch_size", .was = "batch", .key_name = "batch", .type = PARAM_INT,                 \
     .standard = "128", .min = 1, .max = 4096,                                                     \
     .text = "images per step; the last step of an epoch has the remaining ones"}

#define CROP_PARAM                                                                                 \
    {.name = "crop", .type = PARAM_INT, .standard = "40", .min = 32, .max = 48,                    \
     .text = "height and width of the random crop"}

#define PRECISION_PARAM                                                                            \
    {.name = "precision", .type = PARAM_ENUM, .standard = "fp32", .choices = PRECISION_CHOICES,    \
     .text = "of the arithmetic; weights are kept in float32. auto: bf16 on a GPU that has it, "   \
             "else fp32"}
/* clang-format on */

#endif
