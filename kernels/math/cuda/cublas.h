/* cuBLAS, opened at run time, so that the program starts without it. */
#ifndef FERDAG_KERNELS_MATH_CUDA_CUBLAS_H
#define FERDAG_KERNELS_MATH_CUDA_CUBLAS_H

#include <cublas_v2.h>
#include <stddef.h>
#include "base/error.h"

/* The functions that products.c calls, with cuBLAS's names without "cublas". */
struct cublas {
    char path[4096]; /* of the file that was opened */
    int major, minor, patch;
    __typeof__(cublasGetProperty) *GetProperty;
    __typeof__(cublasGetStatusString) *GetStatusString;
    __typeof__(cublasCreate_v2) *Create;
    __typeof__(cublasDestroy_v2) *Destroy;
    __typeof__(cublasSetStream_v2) *SetStream;
    __typeof__(cublasSetWorkspace_v2) *SetWorkspace;
    __typeof__(cublasSetMathMode) *SetMathMode;
    __typeof__(cublasGemmEx) *GemmEx;
};

/* Opens libcublas.so of the major version that this program was built for: the file or the folder
 * that FERDAG_CUBLAS names, else where the loader finds it, else in the lib64 folder of CUDA_HOME,
 * else of /usr/local/cuda, else in the folder that FERDAG_CUDNN names. The library stays open until
 * the process ends. Returns 0, or -ENODEV with err filled in. */
int cublas_open(struct cublas *cublas, struct error *err);

/* Fills err with what failed, cuBLAS's own text, and a remedy where there is one. Returns -ENOMEM
 * if memory ran out, else -EIO. */
int cublas_failed(const struct cublas *cublas, cublasStatus_t status, const char *what,
                  struct error *err);

/* Writes the name and the version, "cublas 13.1.0". Returns 0, -ENOSPC, or -ENODEV with err filled
 * in. */
int cublas_numerics(char *text, size_t size, struct error *err);

#endif
