/* See libraries.h. */
#include "stages/libraries.h"
#include "stages/kind.h"

#include <archive.h>
#include <dnnl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <png.h>
#include <sqlite3.h>
#include <string.h>
#include <uv.h>
#include <yaml.h>
#include <zlib.h>
#include "kernels/backends/devices.h"

void libraries_describe(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    char net[256], blas[256];
    if (kind_numerics(NUMERICS_NET, "auto", 1, net, sizeof net, NULL) < 0)
        net[0] = 0;
    if (kind_numerics(NUMERICS_BLAS, "auto", 1, blas, sizeof blas, NULL) < 0)
        blas[0] = 0;
    char *threads = strstr(net, " threads=");
    if (threads)
        *threads = 0;
    snprintf(text, size, "onednn %d.%d.%d, %s; nets: %s", v->major, v->minor, v->patch, blas, net);
}

static void print_numerics(FILE *out)
{
    char text[500];
    struct error why = {""};
    for (int i = 0; i < NUMERICS_COUNT; i++) {
        if (!numerics_names[i])
            continue;
        int rc = kind_numerics((enum numerics)i, "auto", 1, text, sizeof text, &why);
        char *threads = strstr(text, " threads=");
        if (threads)
            *threads = 0;
        fprintf(out, "numerics.%s: %s\n", numerics_names[i], rc < 0 ? why.text : text);
    }
}

void libraries_print(FILE *out)
{
    const dnnl_version_t *onednn = dnnl_version();
    char blas[256], gpus[20000];
    print_numerics(out);
    if (kind_numerics(NUMERICS_BLAS, "cpu", 1, blas, sizeof blas, NULL) < 0)
        blas[0] = 0;
    const char *version = strchr(blas, ' ');
    fprintf(out, "oneDNN: %d.%d.%d\n", onednn->major, onednn->minor, onednn->patch);
    fprintf(out, "OpenBLAS: %s\n", version ? version + 1 : blas);
    fprintf(out, "SQLite: %s\n", sqlite3_libversion());
    fprintf(out, "libarchive: %s\n", archive_version_string() + strlen("libarchive "));
    fprintf(out, "OpenSSL: %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
    fprintf(out, "libuv: %s\n", uv_version_string());
    fprintf(out, "jansson: %s\n", jansson_version_str());
    fprintf(out, "libyaml: %s\n", yaml_get_version_string());
    fprintf(out, "libpng: %s\n", png_get_libpng_ver(NULL));
    fprintf(out, "zlib: %s\n", zlibVersion());
    devices_describe(gpus, sizeof gpus);
    fputs(gpus, out);
}
