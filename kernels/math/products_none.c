/* See products.h. This file is for a build without CUDA: products are computed on the CPU. */
#include "kernels/math/products.h"

#include <errno.h>
#include <string.h>

int products_open(const char *backend, const float *x, size_t n, size_t d, bool wide,
                  struct products **products, struct error *err)
{
    (void)x, (void)n, (void)d, (void)wide;
    *products = NULL;
    return backend && strcmp(backend, "cuda") == 0
               ? error_set(err, ENODEV, "this build has no cuda backend (it has cpu and ref)")
               : 0;
}

void products_close(struct products *products)
{
    (void)products;
}

int products_multiply(struct products *products, const struct product *product, products_use *use,
                      void *context)
{
    (void)products, (void)product, (void)use, (void)context;
    return -ENODEV;
}

int products_error(struct products *products, struct error *err)
{
    (void)products, (void)err;
    return 0;
}
