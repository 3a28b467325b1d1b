/* A double of cuBLAS: general products of matrices. It is built as a shared library, which ferdag
 * opens by FERDAG_CUBLAS; it uses the cudart double of the program that opens it.
 *
 * Products of float32 are summed in double, and products of double in long double, then rounded
 * once. With FERDAG_DOUBLE_SUMS=float32, sums of float32 are float32 from the last to the first
 * product, so that they are as inexact as a device's and other than those of a CPU. */
#include <cublas_v2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"

enum { FAILED = CUBLAS_STATUS_EXECUTION_FAILED };

struct cublasContext {
    cudaStream_t stream;
    void *workspace;
    size_t workspace_size;
};

/* c (m, n) = alpha * op(a) * op(b) + beta * c; column-major. */
struct product {
    bool wide; /* double, else float */
    bool transpose_a, transpose_b;
    int m, n, k;
    int64_t lda, ldb, ldc;
    const void *a, *b;
    void *c, *workspace;
    size_t workspace_size;
    double alpha, beta;
};

static cublasStatus_t begin(const char *function)
{
    return (cublasStatus_t)double_call(function, FAILED);
}

static double value(const struct product *p, const void *matrix, int64_t at)
{
    return p->wide ? ((const double *)matrix)[at] : (double)((const float *)matrix)[at];
}

static int64_t place_a(const struct product *p, int i, int l)
{
    return p->transpose_a ? l + i * p->lda : i + l * p->lda;
}

static int64_t place_b(const struct product *p, int l, int j)
{
    return p->transpose_b ? j + l * p->ldb : l + j * p->ldb;
}

static void store(const struct product *p, int64_t at, long double sum)
{
    sum *= (long double)p->alpha;
    if (p->beta != 0)
        sum += (long double)p->beta * (long double)value(p, p->c, at);
    if (p->wide)
        ((double *)p->c)[at] = (double)sum;
    else
        ((float *)p->c)[at] = (float)sum;
}

static long double exact_sum(const struct product *p, int i, int j)
{
    long double sum = 0;
    for (int l = 0; l < p->k; l++)
        sum += (long double)value(p, p->a, place_a(p, i, l)) *
               (long double)value(p, p->b, place_b(p, l, j));
    return sum;
}

static long double float_sum(const struct product *p, int i, int j)
{
    float sum = 0;
    for (int l = p->k - 1; l >= 0; l--)
        sum += ((const float *)p->a)[place_a(p, i, l)] * ((const float *)p->b)[place_b(p, l, j)];
    return (long double)sum;
}

static void run_product(void *data)
{
    const struct product *p = data;
    const char *sums = getenv("FERDAG_DOUBLE_SUMS");
    bool inexact = !p->wide && sums && strcmp(sums, "float32") == 0;
    if (p->workspace_size)
        memset(p->workspace, 0xFF, p->workspace_size);
    for (int j = 0; j < p->n; j++)
        for (int i = 0; i < p->m; i++)
            store(p, i + j * p->ldc, inexact ? float_sum(p, i, j) : exact_sum(p, i, j));
}

/* True if a column-major matrix is valid and in one block of device memory. */
static bool is_matrix(const void *matrix, int rows, int columns, int64_t ld, size_t size)
{
    if (ld < (rows > 1 ? rows : 1) || (uintptr_t)matrix % size)
        return false;
    return !rows || !columns ||
           double_is_device(matrix, (size_t)((columns - 1) * ld + rows) * size);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                            int m, int n, int k, const void *alpha, const void *a,
                            cudaDataType type_a, int lda, const void *b, cudaDataType type_b,
                            int ldb, const void *beta, void *c, cudaDataType type_c, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm)
{
    cublasStatus_t status = begin(__func__);
    if (status)
        return status;
    bool wide = type_a == CUDA_R_64F, ta = op_a == CUBLAS_OP_T, tb = op_b == CUBLAS_OP_T;
    size_t size = wide ? sizeof(double) : sizeof(float);
    if (!handle || (!wide && type_a != CUDA_R_32F) || type_b != type_a || type_c != type_a ||
        (!ta && op_a != CUBLAS_OP_N) || (!tb && op_b != CUBLAS_OP_N) ||
        algorithm != CUBLAS_GEMM_DEFAULT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    /* No TF32 and no emulation. */
    if (compute != (wide ? CUBLAS_COMPUTE_64F_PEDANTIC : CUBLAS_COMPUTE_32F_PEDANTIC))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (m < 0 || n < 0 || k < 0 || !is_matrix(a, ta ? k : m, ta ? m : k, lda, size) ||
        !is_matrix(b, tb ? n : k, tb ? k : n, ldb, size) || !is_matrix(c, m, n, ldc, size))
        return CUBLAS_STATUS_INVALID_VALUE;
    struct product *p = malloc(sizeof *p);
    if (!p)
        return CUBLAS_STATUS_ALLOC_FAILED;
    *p = (struct product){wide,
                          ta,
                          tb,
                          m,
                          n,
                          k,
                          lda,
                          ldb,
                          ldc,
                          a,
                          b,
                          c,
                          handle->workspace,
                          handle->workspace_size,
                          wide ? *(const double *)alpha : (double)*(const float *)alpha,
                          wide ? *(const double *)beta : (double)*(const float *)beta};
    return double_enqueue(handle->stream, run_product, free, p) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    cublasStatus_t status = begin(__func__);
    int device;
    if (status)
        return status;
    if (cudaGetDevice(&device) != cudaSuccess || double_capturing())
        return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = calloc(1, sizeof **handle);
    if (!*handle)
        return CUBLAS_STATUS_ALLOC_FAILED;
    double_count()->handles++;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    cublasStatus_t status = begin(__func__);
    if (!handle)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    free(handle);
    double_count()->handles--;
    return status;
}

/* As the real one, goes back to a workspace of its own. */
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    cublasStatus_t status = begin(__func__);
    if (!status)
        *handle = (struct cublasContext){.stream = stream};
    return status;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t size)
{
    cublasStatus_t status = begin(__func__);
    if (status)
        return status;
    if ((uintptr_t)workspace % 256 || !double_is_device(workspace, size))
        return CUBLAS_STATUS_INVALID_VALUE;
    handle->workspace = workspace;
    handle->workspace_size = size;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    cublasStatus_t status = begin(__func__);
    (void)handle;
    if (!status && mode != CUBLAS_PEDANTIC_MATH)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return status;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int *value)
{
    static const int version[] = {CUBLAS_VER_MAJOR, CUBLAS_VER_MINOR, CUBLAS_VER_PATCH};
    if (type < MAJOR_VERSION || type > PATCH_LEVEL)
        return CUBLAS_STATUS_INVALID_VALUE;
    *value = version[type];
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    switch ((int)status) {
    case CUBLAS_STATUS_SUCCESS:
        return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
}
