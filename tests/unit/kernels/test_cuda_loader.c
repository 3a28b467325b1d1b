/* cudnn_open with libraries that it must refuse, and the texts of cudnn_failed. A compiler makes
 * small libraries with cuDNN's function names; the real cuDNN isn't needed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernels/backends/cuda/cudnn.h"

static char folder[] = "/tmp/ferdag-cudnn-XXXXXX";

static void path_in(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", folder, name);
}

static void set_up_text(const char *name, const char *text)
{
    char path[512];
    path_in(path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* cudnn_open with FERDAG_CUDNN=name must fail with -ENODEV and an error that has all the words; the
 * list ends with NULL. */
static void refused(const char *name, const char *const *words)
{
    struct cudnn cudnn;
    struct error err = {""};
    setenv("FERDAG_CUDNN", name, 1);
    assert_int_equal(cudnn_open(&cudnn, &err), -ENODEV);
    unsetenv("FERDAG_CUDNN");
    assert_null(cudnn.library);
    for (; *words; words++)
        if (!strstr(err.text, *words))
            fail_msg("'%s' isn't in: %s", *words, err.text);
    cudnn_close(&cudnn);
}

#define REFUSED(name, ...) refused(name, (const char *const[]){__VA_ARGS__, NULL})

static void test_missing(void **state)
{
    (void)state;
    char path[512];
    path_in(path, "absent.so");
    REFUSED(path, "FERDAG_CUDNN", "absent.so", "No such file", "set it to the folder");
    REFUSED(folder, "FERDAG_CUDNN", "libcudnn_graph.so.9", "cannot load");
}

static void test_no_library(void **state)
{
    (void)state;
    char path[512];
    set_up_text("text.so", "not a library\n");
    path_in(path, "text.so");
    REFUSED(path, "FERDAG_CUDNN", "text.so", "cannot load");
}

static void test_other_library(void **state)
{
    (void)state;
    Dl_info info;
    double (*function)(double) = cos;
    void *address;
    memcpy(&address, &function, sizeof address);
    assert_int_not_equal(dladdr(address, &info), 0);
    REFUSED(info.dli_fname, info.dli_fname, "cudnnGetVersion is missing", "install cuDNN 9.8");
}

/* Compiles a library with all functions but those named in `without`. Skips the test where there is
 * no compiler. */
static void make_library(const char *name, size_t version, size_t cudart, const char *without)
{
    static const char *const names[] = {
        "cudnnGetErrorString",
        "cudnnGetLastErrorString",
        "cudnnCreate",
        "cudnnDestroy",
        "cudnnSetStream",
        "cudnnBackendCreateDescriptor",
        "cudnnBackendFinalize",
        "cudnnBackendDestroyDescriptor",
        "cudnnBackendSetAttribute",
        "cudnnBackendExecute",
        "cudnnBackendGetAttribute",
    };
    if (system("cc --version >/dev/null 2>&1") != 0) {
        print_message("skipped: no compiler\n");
        skip();
    }
    char text[4096], command[2048];
    int used = snprintf(text, sizeof text,
                        "unsigned long cudnnGetVersion(void) { return %zu; }\n"
                        "unsigned long cudnnGetCudartVersion(void) { return %zu; }\n",
                        version, cudart);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], without) != 0)
            used +=
                snprintf(text + used, sizeof text - (size_t)used, "void %s(void) {}\n", names[i]);
    set_up_text("library.c", text);
    snprintf(command, sizeof command, "cc -w -shared -fPIC -o %s/%s %s/library.c", folder, name,
             folder);
    assert_int_equal(system(command), 0);
}

static void test_versions(void **state)
{
    (void)state;
    const size_t ours = CUDART_VERSION, other = CUDART_VERSION - 1000;
    char path[512], cuda[64];
    make_library("old.so", 90701, ours, "");
    path_in(path, "old.so");
    REFUSED(path, "old.so", "cuDNN 9.7.1", "from 9.8 on", "FERDAG_CUDNN");
    make_library("eight.so", 8907, ours, "");
    path_in(path, "eight.so");
    REFUSED(path, "eight.so", "older than 9", "install cuDNN 9.8");
    make_library("ten.so", 100200, ours, "");
    path_in(path, "ten.so");
    REFUSED(path, "ten.so", "cuDNN 10.2.0", "needs cuDNN 9");
    make_library("other.so", 91900, other, "");
    path_in(path, "other.so");
    snprintf(cuda, sizeof cuda, "built for CUDA %zu", other / 1000);
    REFUSED(path, "other.so", cuda, "install cuDNN for CUDA");
    make_library("part.so", 91900, ours, "cudnnBackendExecute");
    path_in(path, "part.so");
    REFUSED(path, "part.so", "cudnnBackendExecute is missing");
}

/* A file and a folder are both allowed; the oldest version is. */
static void test_accepted(void **state)
{
    (void)state;
    make_library("libcudnn_graph.so.9", 90800, CUDART_VERSION, "");
    char path[512];
    path_in(path, "libcudnn_graph.so.9");
    const char *const names[] = {folder, path};
    for (size_t i = 0; i < 2; i++) {
        struct cudnn cudnn;
        struct error err = {""};
        setenv("FERDAG_CUDNN", names[i], 1);
        int code = cudnn_open(&cudnn, &err);
        unsetenv("FERDAG_CUDNN");
        assert_string_equal(err.text, "");
        assert_int_equal(code, 0);
        assert_int_equal(cudnn.version, 90800);
        assert_string_equal(cudnn.path, path);
        cudnn_close(&cudnn);
        assert_null(cudnn.library);
    }
}

/* ---- cudnn_failed ---- */

static const char *error_name(cudnnStatus_t status)
{
    return status ? "CUDNN_STATUS_X" : "CUDNN_STATUS_SUCCESS";
}

static void last_error(char *text, size_t size)
{
    snprintf(text, size, "first line\nsecond line");
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        cudnnStatus_t status;
        int code;
        const char *word;
    } cases[] = {
        {CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, -ENOMEM, "out of memory"},
        {CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, -ENOMEM, "smaller batch"},
        {CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, -EIO, "LD_LIBRARY_PATH"},
        {CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, -ENOTSUP, "doesn't support this GPU"},
        {CUDNN_STATUS_NOT_SUPPORTED_SHAPE, -ENOTSUP, "CUDNN_STATUS_X"},
        {CUDNN_STATUS_EXECUTION_FAILED, -EIO, "CUDNN_STATUS_X"},
        {CUDNN_STATUS_BAD_PARAM, -EIO, "CUDNN_STATUS_X"},
    };
    const struct cudnn cudnn = {.path = "/opt/libcudnn_graph.so.9",
                                .version = 91900,
                                .GetErrorString = error_name,
                                .GetLastErrorString = last_error};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {""};
        assert_int_equal(cudnn_failed(&cudnn, cases[i].status, "the operation", &err),
                         cases[i].code);
        assert_non_null(strstr(err.text, cases[i].word));
        assert_non_null(strstr(err.text, "the operation: cuDNN 9.19.0 (/opt/libcudnn_graph.so.9)"));
        assert_non_null(strstr(err.text, "first line second line"));
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),       cmocka_unit_test(test_no_library),
        cmocka_unit_test(test_other_library), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_accepted),      cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
