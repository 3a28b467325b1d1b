/* See products.h. A product is computed in parts of whole rows, of a size that depends on the
 * product only. Two slots of memory take turns: while the host reads a part in the pinned memory of
 * one, the GPU fills the other.
 *
 * Numerics: compute types with _PEDANTIC "ensure standard arithmetic and exact specified internal
 * storage format" (cublas_api.h), so cuBLAS uses neither TF32 nor emulation, whatever the
 * environment says. cuBLAS gives the same bits at every run on GPUs of one architecture with the
 * same number of multiprocessors, as long as a handle has one stream (NVIDIA, cuBLAS Library,
 * section "Results Reproducibility"). The workspace is ours, so that its size is the same
 * everywhere. */
#include "kernels/math/products.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/cuda/devices.h"
#include "kernels/cuda/errors.h"
#include "kernels/math/cuda/cublas.h"

enum {
    PART_VALUES = 1 << 23, /* of a part, unless one row has more */
    QUERY_ROWS = 1024,     /* of a part with queries at most */
    ALIGNED = 4,           /* rows start at multiples of so many values */
    SLOTS = 2
};
static const size_t WORKSPACE = (size_t)32 << 20; /* bytes; what cuBLAS recommends for sm_90 */

struct slot {
    void *device, *host; /* a part of a product */
    float *queries;      /* pinned memory of the host, for (QUERY_ROWS, ld) */
    cudaEvent_t copied;  /* to `host` */
};

struct products {
    pthread_mutex_t lock;
    struct cublas cublas;
    cublasHandle_t handle;
    cudaStream_t stream;
    bool wide;
    size_t n, d, ld; /* ld: values from row to row in the memory of the GPU */
    size_t values;   /* of a slot */
    void *rows;      /* (n, ld), of the GPU, as are the following */
    float *queries;  /* (QUERY_ROWS, ld); NULL if wide */
    void *workspace;
    struct slot slots[SLOTS];
    int failed; /* code of the first failure; `error` is its text */
    struct error error;
};

static size_t value_size(const struct products *p)
{
    return p->wide ? sizeof(double) : sizeof(float);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- opening ---- */

static int memory_full(size_t bytes, const char *where, struct error *err)
{
    return error_set(err, ENOMEM,
                     "%.1f MB for products of rows: the memory of the %s is full; end other "
                     "programs that use it, or run with --backend cpu",
                     (double)bytes / 1e6, where);
}

/* cudaMalloc or cudaMallocHost. */
static int allocate(size_t count, size_t size, bool pinned, void **memory, struct error *err)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return memory_full(SIZE_MAX, pinned ? "host" : "GPU", err);
    cudaError_t status = pinned ? cudaMallocHost(memory, bytes) : cudaMalloc(memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* clears it: it is none of the device */
        return memory_full(bytes, pinned ? "host" : "GPU", err);
    }
    return cuda_check(status, "allocating memory for products of rows", err);
}

static int start(struct products *p, struct error *err)
{
    int rc = cuda_check(cudaSetDevice(0), "using the device", err);
    if (rc == 0)
        rc = cuda_check(cudaStreamCreateWithFlags(&p->stream, cudaStreamNonBlocking),
                        "using the device", err);
    if (rc == 0)
        rc = allocate(WORKSPACE, 1, false, &p->workspace, err);
    if (rc < 0)
        return rc;
    cublasStatus_t status = p->cublas.Create(&p->handle);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            p->cublas.SetStream(p->handle, p->stream); /* before SetWorkspace: it resets that */
    if (status == CUBLAS_STATUS_SUCCESS)
        status = p->cublas.SetWorkspace(p->handle, p->workspace, WORKSPACE);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = p->cublas.SetMathMode(p->handle, CUBLAS_PEDANTIC_MATH);
    return status == CUBLAS_STATUS_SUCCESS
               ? 0
               : cublas_failed(&p->cublas, status, "starting cuBLAS", err);
}

static int allocate_all(struct products *p, struct error *err)
{
    size_t size = value_size(p), row = p->ld * size;
    size_t most = larger(p->n, QUERY_ROWS); /* rows of a product */
    p->values = most < PART_VALUES / p->n ? most * p->n : larger(PART_VALUES, p->n);
    p->values = larger(p->values, p->ld);
    int rc = allocate(p->n, row, false, &p->rows, err);
    if (rc == 0 && !p->wide)
        rc = allocate(QUERY_ROWS, row, false, (void **)&p->queries, err);
    for (size_t i = 0; rc == 0 && i < SLOTS; i++) {
        struct slot *slot = &p->slots[i];
        rc = allocate(p->values, size, false, &slot->device, err);
        if (rc == 0)
            rc = allocate(p->values, size, true, &slot->host, err);
        if (rc == 0 && !p->wide)
            rc = allocate(QUERY_ROWS, row, true, (void **)&slot->queries, err);
        if (rc == 0)
            rc = cuda_check(cudaEventCreateWithFlags(&slot->copied, cudaEventDisableTiming),
                            "using the device", err);
    }
    return rc;
}

/* Copies rows (n, d) to rows (n, ld) of float, or of double if wide; the rest of a row becomes 0.
 */
static void pad_rows(const struct products *p, const float *x, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++, x += p->d) {
        if (!p->wide) {
            float *row = (float *)out + i * p->ld;
            memcpy(row, x, p->d * sizeof *row);
            memset(row + p->d, 0, (p->ld - p->d) * sizeof *row);
            continue;
        }
        double *row = (double *)out + i * p->ld;
        for (size_t j = 0; j < p->ld; j++)
            row[j] = j < p->d ? (double)x[j] : 0;
    }
}

static int copy_rows(struct products *p, const float *x, struct error *err)
{
    static const char what[] = "copying rows to the device";
    size_t row = p->ld * value_size(p), most = p->values / p->ld;
    cudaError_t status = cudaSuccess;
    for (size_t i = 0, t = 0; status == cudaSuccess && i < p->n; i += most, t++) {
        struct slot *slot = &p->slots[t % SLOTS];
        size_t count = smaller(most, p->n - i);
        if (t >= SLOTS)
            status = cudaEventSynchronize(slot->copied);
        pad_rows(p, x + i * p->d, count, slot->host);
        if (status == cudaSuccess)
            status = cudaMemcpyAsync((char *)p->rows + i * row, slot->host, count * row,
                                     cudaMemcpyHostToDevice, p->stream);
        if (status == cudaSuccess)
            status = cudaEventRecord(slot->copied, p->stream);
    }
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(p->stream);
    return cuda_check(status, what, err);
}

/* Whether `backend` computes products on a GPU: 1 or 0; or a negative code. */
static int on_device(const char *backend, struct cublas *cublas, struct error *err)
{
    int count;
    struct error why = {""};
    bool automatic = backend && strcmp(backend, "auto") == 0;
    if (!backend || (!automatic && strcmp(backend, "cuda") != 0))
        return 0;
    int rc = cuda_device_count(&count, &why);
    if (rc == 0)
        rc = cublas_open(cublas, &why);
    if (rc < 0 && !automatic && err)
        *err = why;
    return rc == 0 ? 1 : automatic ? 0 : rc;
}

int products_open(const char *backend, const float *x, size_t n, size_t d, bool wide,
                  struct products **products, struct error *err)
{
    struct cublas cublas;
    *products = NULL;
    int rc = n > 0 && d > 0 ? on_device(backend, &cublas, err) : 0;
    if (rc <= 0)
        return rc;
    if (n > INT_MAX || d > INT_MAX - ALIGNED)
        return error_set(err, EFBIG, "more than %d rows or columns for products on the GPU",
                         INT_MAX - ALIGNED);
    struct products *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, ENOMEM, "out of memory");
    *p = (struct products){.cublas = cublas, .wide = wide, .n = n, .d = d};
    p->ld = (d + ALIGNED - 1) / ALIGNED * ALIGNED;
    pthread_mutex_init(&p->lock, NULL); /* on Linux it can't fail */
    rc = start(p, err);
    if (rc == 0)
        rc = allocate_all(p, err);
    if (rc == 0)
        rc = copy_rows(p, x, err);
    if (rc < 0)
        products_close(p);
    else
        *products = p;
    return rc;
}

/* Pinned memory is freed last: cudaFree waits for copies that may still use it. */
void products_close(struct products *p)
{
    if (!p)
        return;
    if (p->handle)
        p->cublas.Destroy(p->handle);
    if (p->stream) {
        cudaStreamSynchronize(p->stream); /* a failure was reported where it mattered */
        cudaStreamDestroy(p->stream);
    }
    cudaFree(p->rows);
    cudaFree(p->queries);
    cudaFree(p->workspace);
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &p->slots[i];
        cudaFree(slot->device);
        cudaFreeHost(slot->host);
        cudaFreeHost(slot->queries);
        if (slot->copied)
            cudaEventDestroy(slot->copied);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- products ---- */

/* Stores a failure. */
static int fail(struct products *p, int code)
{
    p->failed = code;
    return code;
}

static int failed_in_cuda(struct products *p, cudaError_t status)
{
    return fail(p, cuda_failed(status, "a product of rows", &p->error));
}

/* out (rows, m) = a (rows, d) b (m, d)^T. cuBLAS's matrices are column-major: it computes the
 * transposed product, b a^T, of transposed matrices. */
static int multiply(struct products *p, const void *a, size_t rows, const void *b, size_t m,
                    void *out)
{
    const double one = 1, zero = 0;
    const float one_float = 1, zero_float = 0;
    cudaDataType type = p->wide ? CUDA_R_64F : CUDA_R_32F;
    cublasStatus_t status = p->cublas.GemmEx(
        p->handle, CUBLAS_OP_T, CUBLAS_OP_N, (int)m, (int)rows, (int)p->d,
        p->wide ? (const void *)&one : &one_float, b, type, (int)p->ld, a, type, (int)p->ld,
        p->wide ? (const void *)&zero : &zero_float, out, type, (int)m,
        p->wide ? CUBLAS_COMPUTE_64F_PEDANTIC : CUBLAS_COMPUTE_32F_PEDANTIC, CUBLAS_GEMM_DEFAULT);
    return status == CUBLAS_STATUS_SUCCESS
               ? 0
               : fail(p, cublas_failed(&p->cublas, status, "a product of rows", &p->error));
}

/* Queues rows first .. first + count - 1 of the product: upload of queries, product, download. */
static int queue_part(struct products *p, const struct product *product, size_t first, size_t count,
                      struct slot *slot)
{
    size_t size = value_size(p), row = p->ld * size;
    const char *rows = p->rows;
    const void *a = rows + (product->first + first) * row, *b = rows + product->other * row;
    cudaError_t status = cudaSuccess;
    if (product->queries) {
        pad_rows(p, product->queries + first * p->d, count, slot->queries);
        status = cudaMemcpyAsync(p->queries, slot->queries, count * row, cudaMemcpyHostToDevice,
                                 p->stream);
        a = p->queries;
    }
    if (status != cudaSuccess)
        return failed_in_cuda(p, status);
    int rc = multiply(p, a, count, b, product->m, slot->device);
    if (rc < 0)
        return rc;
    status = cudaMemcpyAsync(slot->host, slot->device, count * product->m * size,
                             cudaMemcpyDeviceToHost, p->stream);
    if (status == cudaSuccess)
        status = cudaEventRecord(slot->copied, p->stream);
    return status == cudaSuccess ? 0 : failed_in_cuda(p, status);
}

static int multiply_parts(struct products *p, const struct product *product, products_use *use,
                          void *context)
{
    size_t most = larger(1, PART_VALUES / product->m);
    most = product->queries ? smaller(most, QUERY_ROWS) : most;
    size_t parts = (product->n + most - 1) / most;
    for (size_t t = 0; t <= parts; t++) {
        if (t < parts) {
            size_t first = t * most, count = smaller(most, product->n - first);
            int rc = queue_part(p, product, first, count, &p->slots[t % SLOTS]);
            if (rc < 0)
                return rc;
        }
        if (t == 0)
            continue;
        size_t first = (t - 1) * most;
        struct slot *slot = &p->slots[(t - 1) % SLOTS];
        cudaError_t status = cudaEventSynchronize(slot->copied);
        if (status != cudaSuccess)
            return failed_in_cuda(p, status);
        struct products_part part = {first, smaller(most, product->n - first), slot->host};
        int rc = use(context, &part);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int products_multiply(struct products *p, const struct product *product, products_use *use,
                      void *context)
{
    if (product->n == 0 || product->m == 0)
        return 0;
    pthread_mutex_lock(&p->lock);
    int rc = p->failed;
    if (rc == 0)
        rc = multiply_parts(p, product, use, context);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

int products_error(struct products *p, struct error *err)
{
    if (!p)
        return 0;
    pthread_mutex_lock(&p->lock);
    int rc = p->failed;
    if (rc < 0 && err)
        *err = p->error;
    pthread_mutex_unlock(&p->lock);
    return rc;
}
