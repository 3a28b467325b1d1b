/* See cudnn.h. */
#define _GNU_SOURCE /* dlinfo */
#include "kernels/backends/cuda/cudnn.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY "libcudnn_graph.so.9"
enum { OLDEST = 90800, VERSION_MAJOR = 9, TEXT_SIZE = 256 };

#define FUNCTION(name)                                                                             \
    {                                                                                              \
        "cudnn" #name, offsetof(struct cudnn, name)                                                \
    }

static const struct function {
    const char *name;
    size_t offset; /* of the pointer in struct cudnn */
} functions[] = {
    FUNCTION(GetVersion),
    FUNCTION(GetCudartVersion),
    FUNCTION(GetErrorString),
    FUNCTION(GetLastErrorString),
    FUNCTION(Create),
    FUNCTION(Destroy),
    FUNCTION(SetStream),
    FUNCTION(BackendCreateDescriptor),
    FUNCTION(BackendDestroyDescriptor),
    FUNCTION(BackendSetAttribute),
    FUNCTION(BackendGetAttribute),
    FUNCTION(BackendFinalize),
    FUNCTION(BackendExecute),
};

static int cannot_load(const char *reason, struct error *err)
{
    return error_set(err, ENODEV,
                     "cannot load cuDNN: %s: install cuDNN 9.8 or newer completely, or set "
                     "FERDAG_CUDNN to its folder",
                     reason);
}

/* RTLD_NODELETE: cuDNN loads libraries of its own that stay loaded and refer to this one. */
static int load(struct cudnn *cudnn, const char *file, struct error *err)
{
    cudnn->library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!cudnn->library) {
        const char *reason = dlerror();
        return cannot_load(reason ? reason : file, err);
    }
    return 0;
}

static int not_found(struct error *err)
{
    return error_set(err, ENODEV,
                     "cuDNN not found (" LIBRARY
                     "): install cuDNN 9.8 or newer for CUDA %d, or set "
                     "FERDAG_CUDNN to its folder",
                     CUDART_VERSION / 1000);
}

/* The file that FERDAG_CUDNN names, or LIBRARY in the folder that it names. */
static int load_named(struct cudnn *cudnn, const char *name, struct error *err)
{
    struct stat status;
    if (stat(name, &status))
        return error_set(err, ENODEV, "FERDAG_CUDNN: %s: %s: set it to the folder of " LIBRARY,
                         name, strerror(errno));
    char file[PATH_MAX];
    int length;
    if (S_ISDIR(status.st_mode))
        length = snprintf(file, sizeof file, "%s/" LIBRARY, name);
    else /* without a slash the loader would search its path */
        length = snprintf(file, sizeof file, "%s%s", strchr(name, '/') ? "" : "./", name);
    if (length < 0 || (size_t)length >= sizeof file)
        return error_set(err, ENODEV, "FERDAG_CUDNN: path too long");
    int code = load(cudnn, file, err);
    if (code)
        error_prefix(err, "FERDAG_CUDNN");
    return code;
}

/* Returns 0, 1 if the folder doesn't have the library, or a negative code. */
static int load_from_toolkit(struct cudnn *cudnn, const char *folder, struct error *err)
{
    char file[PATH_MAX];
    int length = snprintf(file, sizeof file, "%s/lib64/" LIBRARY, folder);
    if (length < 0 || (size_t)length >= sizeof file || access(file, F_OK))
        return 1;
    return load(cudnn, file, err);
}

static int load_usual(struct cudnn *cudnn, struct error *err)
{
    cudnn->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (cudnn->library)
        return 0;
    /* Only if the library itself is absent, look elsewhere: else a library that it needs is. */
    const char *reason = dlerror();
    if (reason &&
        (strncmp(reason, LIBRARY ":", sizeof LIBRARY) != 0 || !strstr(reason, "No such file")))
        return cannot_load(reason, err);
    const char *home = getenv("CUDA_HOME");
    int code = home && *home ? load_from_toolkit(cudnn, home, err) : 1;
    if (code == 1)
        code = load_from_toolkit(cudnn, "/usr/local/cuda", err);
    return code == 1 ? not_found(err) : code;
}

static void find_path(struct cudnn *cudnn)
{
    struct link_map *map = NULL;
    char resolved[PATH_MAX];
    const char *path = LIBRARY;
    if (!dlinfo(cudnn->library, RTLD_DI_LINKMAP, &map) && map && *map->l_name)
        path = map->l_name;
    snprintf(cudnn->path, sizeof cudnn->path, "%s", realpath(path, resolved) ? resolved : path);
}

static int find_functions(struct cudnn *cudnn, struct error *err)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(cudnn->library, functions[i].name);
        if (!function)
            return error_set(err, ENODEV,
                             "not a usable cuDNN, the function %s is missing: install cuDNN 9.8 or "
                             "newer, or set FERDAG_CUDNN to its folder",
                             functions[i].name);
        memcpy((char *)cudnn + functions[i].offset, &function, sizeof function);
    }
    return 0;
}

static int check_version(const struct cudnn *cudnn, struct error *err)
{
    size_t version = cudnn->version, built = cudnn->GetCudartVersion() / 1000;
    if (version < OLDEST && version < VERSION_MAJOR * 10000)
        return error_set(err, ENODEV,
                         "cuDNN older than 9 (version %zu): install cuDNN 9.8 or newer, or set "
                         "FERDAG_CUDNN to its folder",
                         version);
    if (version < OLDEST || version / 10000 != VERSION_MAJOR)
        return error_set(err, ENODEV,
                         "cuDNN %zu.%zu.%zu: this program needs cuDNN 9, from 9.8 on: install it, "
                         "or set FERDAG_CUDNN to its folder",
                         version / 10000, version / 100 % 100, version % 100);
    if (built != CUDART_VERSION / 1000)
        return error_set(err, ENODEV,
                         "this cuDNN was built for CUDA %zu, this program for CUDA %d: install "
                         "cuDNN for CUDA %d, or set FERDAG_CUDNN to its folder",
                         built, CUDART_VERSION / 1000, CUDART_VERSION / 1000);
    return 0;
}

int cudnn_open(struct cudnn *cudnn, struct error *err)
{
    memset(cudnn, 0, sizeof *cudnn);
    const char *name = getenv("FERDAG_CUDNN");
    int code = name && *name ? load_named(cudnn, name, err) : load_usual(cudnn, err);
    if (code)
        return code;
    find_path(cudnn);
    code = find_functions(cudnn, err);
    if (!code) {
        cudnn->version = cudnn->GetVersion();
        code = check_version(cudnn, err);
    }
    if (code) {
        error_prefix(err, "%s", cudnn->path);
        cudnn_close(cudnn);
    }
    return code;
}

void cudnn_close(struct cudnn *cudnn)
{
    if (cudnn->library)
        dlclose(cudnn->library);
    memset(cudnn, 0, sizeof *cudnn);
}

static const struct remedy {
    cudnnStatus_t status;
    int code;         /* errno */
    const char *text; /* or NULL */
} remedies[] = {
    {CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, ENOMEM,
     "the machine is out of memory: close other programs"},
    {CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, ENOMEM,
     "the GPU is out of memory: use a smaller batch, or close other programs on this GPU"},
    {CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, ENOTSUP,
     "this cuDNN doesn't support this GPU: install a cuDNN that does"},
    {CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER, ENOTSUP, "install a newer NVIDIA driver"},
    {CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART, ENOTSUP,
     "install cuDNN for the CUDA version of this program"},
    {CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE, ENOTSUP,
     "a library of cuDNN is missing: install cuDNN completely"},
    {CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING, ENOTSUP,
     "a library that cuDNN needs is missing: install the CUDA toolkit of the same version"},
    {CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED, EIO,
     "a library of cuDNN cannot be loaded: install cuDNN completely, or set FERDAG_CUDNN to the "
     "folder of a complete one"},
    {CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, EIO,
     "its libraries have different versions: remove other versions from LD_LIBRARY_PATH, or set "
     "FERDAG_CUDNN to the folder of a complete one"},
    {CUDNN_STATUS_NOT_INITIALIZED, EIO, "check the NVIDIA driver with nvidia-smi"},
    {CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER, EIO,
     "check the GPU with nvidia-smi, then run again to resume"},
    {CUDNN_STATUS_EXECUTION_FAILED_CUDART, EIO,
     "check the GPU with nvidia-smi, then run again to resume"},
};

int cudnn_failed(const struct cudnn *cudnn, cudnnStatus_t status, const char *what,
                 struct error *err)
{
    char last[TEXT_SIZE] = "";
    cudnn->GetLastErrorString(last, sizeof last);
    last[sizeof last - 1] = 0;
    const char *name = cudnn->GetErrorString(status);
    int code = status / 1000 * 1000 == CUDNN_STATUS_NOT_SUPPORTED ? ENOTSUP : EIO;
    const char *text = NULL;
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].status == status) {
            code = remedies[i].code;
            text = remedies[i].text;
        }
    return error_set(err, code, "%s: cuDNN %zu.%zu.%zu (%s): %s%s%s%s%s%s", what,
                     cudnn->version / 10000, cudnn->version / 100 % 100, cudnn->version % 100,
                     cudnn->path, name ? name : "unknown error", *last ? " (" : "", last,
                     *last ? ")" : "", text ? ": " : "", text ? text : "");
}
