/* See sha256.h. */
#include "cache/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

static int finish(EVP_MD_CTX *context, struct digest *digest)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context, raw, &length) != 1 || length != 32)
        return -ENOMEM;
    for (unsigned int i = 0; i < length; i++) {
        digest->hex[2 * i] = "0123456789abcdef"[raw[i] >> 4];
        digest->hex[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
    }
    digest->hex[64] = 0;
    return 0;
}

static EVP_MD_CTX *start(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    return context;
}

int sha256_memory(const void *data, size_t size, struct digest *digest, struct error *err)
{
    EVP_MD_CTX *context = start();
    int rc = -ENOMEM;
    if (context && EVP_DigestUpdate(context, data, size) == 1)
        rc = finish(context, digest);
    EVP_MD_CTX_free(context);
    return rc < 0 ? error_set(err, -rc, "out of memory hashing") : 0;
}

int sha256_file(const char *path, struct digest *digest, uint64_t *size, struct error *err)
{
    enum { CHUNK = 1 << 18 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    EVP_MD_CTX *context = start();
    unsigned char *buffer = malloc(CHUNK);
    uint64_t total = 0;
    int rc = context && buffer ? 0 : -ENOMEM;
    while (rc == 0) {
        ssize_t n = read(fd, buffer, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = -errno;
        if (n <= 0)
            break;
        total += (uint64_t)n;
        if (EVP_DigestUpdate(context, buffer, (size_t)n) != 1)
            rc = -ENOMEM;
    }
    if (rc == 0)
        rc = finish(context, digest);
    free(buffer);
    EVP_MD_CTX_free(context);
    close(fd);
    if (rc < 0)
        return error_errno(err, -rc, "cannot read %s", path);
    if (size)
        *size = total;
    return 0;
}
