/* The GPUs that this process sees, in builds with and without CUDA. */
#ifndef FERDAG_KERNELS_BACKENDS_DEVICES_H
#define FERDAG_KERNELS_BACKENDS_DEVICES_H

#include <stddef.h>
#include "base/error.h"

/* Sets *count to the number of GPUs that CUDA finds. Returns 0, or -ENODEV with *count 0 and the
 * reason in err: this build has no CUDA, there is no driver, there is no GPU ... */
int devices_count(int *count, struct error *err);

/* Writes the properties of the GPUs that decide products of matrices by cuBLAS, such as "NVIDIA
 * H200 sm_90 132 cublas 13.1.0". Returns 0, or -ENODEV with the reason and the remedy in err. */
int devices_products(char *text, size_t size, struct error *err);

/* Writes what `ferdag --version --verbose` says of CUDA: lines that end with a newline. Cut where
 * text is too short. */
void devices_describe(char *text, size_t size);

#endif
