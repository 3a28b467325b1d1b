/* See cublas.h. */
#define _GNU_SOURCE
#include "kernels/math/cuda/cublas.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

static const char NAME[] = "libcublas.so." TEXT(CUBLAS_VER_MAJOR);

enum { PATH_SIZE = 4096 };

/* Writes the path of the library to path: `place` itself if it is a file, else NAME in the folder
 * place/sub. Returns whether that is possible. */
static bool name_file(const char *place, const char *sub, char path[PATH_SIZE])
{
    struct stat status;
    if (!place || !*place)
        return false;
    bool file = stat(place, &status) == 0 && !S_ISDIR(status.st_mode);
    int n = file ? snprintf(path, PATH_SIZE, "%s", place)
                 : snprintf(path, PATH_SIZE, "%s%s/%s", place, sub, NAME);
    return n >= 0 && n < PATH_SIZE;
}

/* The library in the folder that FERDAG_CUDNN names, which may name a file in it. */
static bool name_beside_cudnn(char path[PATH_SIZE])
{
    const char *place = getenv("FERDAG_CUDNN");
    struct stat status;
    char folder[PATH_SIZE];
    if (!place || snprintf(folder, sizeof folder, "%s", place) >= PATH_SIZE)
        return false;
    char *slash = strrchr(folder, '/');
    if (stat(folder, &status) == 0 && !S_ISDIR(status.st_mode)) {
        if (!slash)
            return false;
        *slash = 0;
    }
    return name_file(folder, "", path);
}

/* A library of the same name that is open already counts, whatever its path: so dlopen of a path
 * comes after that of the name. */
static void *find_library(struct error *err)
{
    enum { MODE = RTLD_NOW | RTLD_LOCAL };
    char path[PATH_SIZE];
    const char *given = getenv("FERDAG_CUBLAS");
    if (given && *given) {
        void *library = name_file(given, "", path) ? dlopen(path, MODE) : NULL;
        if (!library)
            error_set(err, ENODEV,
                      "FERDAG_CUBLAS: cannot open cuBLAS: %s; expected %s or its folder", dlerror(),
                      NAME);
        return library;
    }
    void *library = dlopen(NAME, MODE);
    if (!library && name_file(getenv("CUDA_HOME"), "/lib64", path))
        library = dlopen(path, MODE);
    if (!library && name_file("/usr/local/cuda", "/lib64", path))
        library = dlopen(path, MODE);
    if (!library && name_beside_cudnn(path))
        library = dlopen(path, MODE);
    if (!library)
        error_set(
            err, ENODEV,
            "cuBLAS not found: %s; install the cuBLAS of CUDA %d, or set FERDAG_CUBLAS to the "
            "folder of %s",
            dlerror(), CUBLAS_VER_MAJOR, NAME);
    return library;
}

static int read_version(struct cublas *cublas, struct error *err)
{
    if (cublas->GetProperty(MAJOR_VERSION, &cublas->major) != CUBLAS_STATUS_SUCCESS ||
        cublas->GetProperty(MINOR_VERSION, &cublas->minor) != CUBLAS_STATUS_SUCCESS ||
        cublas->GetProperty(PATCH_LEVEL, &cublas->patch) != CUBLAS_STATUS_SUCCESS)
        return error_set(err, ENODEV, "%s: has no version", cublas->path);
    if (cublas->major != CUBLAS_VER_MAJOR)
        return error_set(err, ENODEV,
                         "%s: is cuBLAS %d.%d.%d, but this program was built for version %d: "
                         "set FERDAG_CUBLAS to the folder of %s",
                         cublas->path, cublas->major, cublas->minor, cublas->patch,
                         CUBLAS_VER_MAJOR, NAME);
    return 0;
}

int cublas_open(struct cublas *cublas, struct error *err)
{
    *cublas = (struct cublas){0};
    /* Never closed: the library may have started threads, and loading it takes some 0.1 s. */
    void *library = find_library(err);
    if (!library)
        return -ENODEV;
    struct link_map *map;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
        snprintf(cublas->path, sizeof cublas->path, "%s", map->l_name);
    const struct {
        const char *name;
        void *address;
    } functions[] = {
        {"cublasGetProperty", &cublas->GetProperty},
        {"cublasGetStatusString", &cublas->GetStatusString},
        {"cublasCreate_v2", &cublas->Create},
        {"cublasDestroy_v2", &cublas->Destroy},
        {"cublasSetStream_v2", &cublas->SetStream},
        {"cublasSetWorkspace_v2", &cublas->SetWorkspace},
        {"cublasSetMathMode", &cublas->SetMathMode},
        {"cublasGemmEx", &cublas->GemmEx},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        if (!found)
            return error_set(err, ENODEV,
                             "%s: has no function %s; set FERDAG_CUBLAS to the folder of %s",
                             cublas->path, functions[i].name, NAME);
        memcpy(functions[i].address, &found, sizeof found);
    }
    return read_version(cublas, err);
}

int cublas_failed(const struct cublas *cublas, cublasStatus_t status, const char *what,
                  struct error *err)
{
    const char *text = cublas->GetStatusString(status);
    if (status == CUBLAS_STATUS_ALLOC_FAILED)
        return error_set(err, ENOMEM,
                         "%s: cuBLAS: %s: the GPU has too little free memory; end other programs "
                         "that use it, or run with --backend cpu",
                         what, text);
    return error_set(err, EIO, "%s: cuBLAS: %s", what, text);
}

int cublas_numerics(char *text, size_t size, struct error *err)
{
    struct cublas cublas;
    int rc = cublas_open(&cublas, err);
    if (rc < 0)
        return rc;
    int n = snprintf(text, size, "cublas %d.%d.%d", cublas.major, cublas.minor, cublas.patch);
    return n < 0 || (size_t)n >= size ? error_set(err, ENOSPC, "the version of cuBLAS is too long")
                                      : 0;
}
