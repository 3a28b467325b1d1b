/* See kind_numerics in kind.h: what the bits of a kind's results depend on beside params and
 * inputs. */
#include "kernels/backends/backend.h"
#include "kernels/backends/devices.h"
#include "kernels/math/blas.h"
#include "kernels/nets/net.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const numerics_names[NUMERICS_COUNT] = {
    [NUMERICS_NET] = "net",
    [NUMERICS_BLAS] = "blas",
    [NUMERICS_PRODUCTS] = "products",
};

static bool is_cuda(const char *backend)
{
    return strcmp(backend, "cuda") == 0;
}

/* Returns 0, or -ENOSPC if snprintf returned n for a text of `size` bytes that is cut. */
static int check_length(int n, size_t size, struct error *err)
{
    return n < 0 || (size_t)n >= size
               ? error_set(err, ENOSPC, "the text of the numerics is too long")
               : 0;
}

/* ---- of this machine ---- */

/* A stage with products on a GPU computes the rest by BLAS. */
static int product_numerics(const char *backend, char *text, size_t size, struct error *err)
{
    char gpu[300], blas[100];
    int rc = check_length(blas_numerics(blas, sizeof blas), sizeof blas, err);
    if (rc < 0)
        return rc;
    if (!is_cuda(backend))
        return check_length(snprintf(text, size, "%s", blas), size, err);
    rc = devices_products(gpu, sizeof gpu, err);
    return rc < 0 ? rc : check_length(snprintf(text, size, "cuda %s %s", gpu, blas), size, err);
}

/* Whether this machine can use the backend for all kinds. */
static int check_backend(const char *name, struct error *err)
{
    char text[400];
    int rc = net_numerics(name, text, sizeof text, err);
    return rc < 0 ? rc : product_numerics(name, text, sizeof text, err);
}

int kind_backend(const char *name, const char **found, struct error *err)
{
    struct error ignored = {""};
    if (strcmp(name, "auto") == 0) {
        size_t i = 0;
        while (backends[i + 1] && check_backend(backends[i]->name, &ignored) < 0)
            i++;
        *found = backends[i]->name;
        return 0;
    }
    const struct backend *backend = backend_find(name, err);
    if (!backend)
        return -EINVAL;
    *found = backend->name;
    return check_backend(backend->name, err);
}

int kind_numerics(enum numerics numerics, const char *backend, int threads, char *text, size_t size,
                  struct error *err)
{
    const char *name = backend;
    char features[400];
    int rc = 0;
    text[0] = 0;
    if (strcmp(backend, "auto") == 0)
        rc = kind_backend(backend, &name, err);
    if (rc < 0)
        return rc;
    switch (numerics) {
    case NUMERICS_NET:
        rc = net_numerics(name, features, sizeof features, err);
        return rc < 0 ? rc : numerics_stated(numerics, features, threads, text, size, err);
    case NUMERICS_BLAS:
        return check_length(blas_numerics(text, size), size, err);
    case NUMERICS_PRODUCTS:
        return product_numerics(name, text, size, err);
    default:
        return 0;
    }
}

/* ---- that a file states ---- */

const char *numerics_backend(enum numerics numerics, const char *stated)
{
    static const char *const names[] = {"cpu", "ref", "cuda"}; /* of all builds */
    size_t n = strcspn(stated, " ");
    if (numerics == NUMERICS_PRODUCTS && strncmp(stated, "cuda ", 5) != 0)
        return names[0]; /* BLAS, whose text doesn't name the backend */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && strncmp(names[i], stated, n) == 0)
            return names[i];
    return NULL;
}

int numerics_stated(enum numerics numerics, const char *stated, int threads, char *text,
                    size_t size, struct error *err)
{
    /* A net on a GPU gives the same bytes with any number of threads of the host. */
    bool threaded = numerics == NUMERICS_NET && strncmp(stated, "cuda ", 5) != 0;
    int n = threaded ? snprintf(text, size, "%s threads=%d", stated, threads)
                     : snprintf(text, size, "%s", stated);
    return check_length(n, size, err);
}
