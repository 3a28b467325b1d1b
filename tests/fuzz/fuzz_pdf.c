/* libFuzzer target: any bytes as a PDF are rewritten or refused, and what was rewritten is taken
 * again. Bytes between 1 and 2 are deflated, so that the fuzzer reaches what object streams hold.
 */
#include <zlib.h>
#include "reports/pdf/simplify.h"
#include "tests/fuzz/scratch.h"

enum { MAX_SIZE = 1 << 20 };

static size_t expand(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n < MAX_SIZE / 2; i++) {
        const uint8_t *end = data[i] == 1 ? memchr(data + i, 2, size - i) : NULL;
        uLongf packed = MAX_SIZE / 2;
        if (!end) {
            out[n++] = data[i];
            continue;
        }
        size_t length = (size_t)(end - data) - i - 1;
        if (compress2(out + n, &packed, data + i + 1, length, 1) == Z_OK)
            n += packed;
        i += length + 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(MAX_SIZE);
    if (!file)
        return 0;
    struct error err = {""};
    size_t n = expand(data, size, file);
    const char *path = scratch_file(file, n);
    free(file);
    int rc = pdf_simplify(path, &err);
    scratch_check(rc, &err);
    if (rc == 0)
        scratch_check(pdf_simplify(path, &err), &err);
    return 0;
}
