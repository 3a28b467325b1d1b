/* The versions of the libraries that compute. */
#ifndef FERDAG_STAGES_LIBRARIES_H
#define FERDAG_STAGES_LIBRARIES_H

#include <stddef.h>
#include <stdio.h>

/* Writes "onednn 2.6.3, openblas 0.3.21 Zen; nets: cpu avx2" into text (size bytes): the libraries'
 * versions, the core that OpenBLAS computes for, and the backend that `--backend auto` takes with
 * its CPU features. Cut where text is too short. */
void libraries_describe(char *text, size_t size);

/* Prints the numerics of this machine, as the section `numerics` of an experiment file has them,
 * then each library in use with its version, and the GPUs that CUDA finds: a line each. */
void libraries_print(FILE *out);

#endif
