/* libFuzzer target: any bytes, in blocks of any size, give rows or one error, never a crash. The
 * first byte chooses the block size. A "[" is replaced by a full row of pixels, so that the fuzzer
 * reaches the code after it. */
#include <stdlib.h>
#include <string.h>
#include "stages/data/csv_faces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIXELS = FACE_SIZE * FACE_SIZE, MAX_SIZE = 1 << 20 };

static char *expand(const uint8_t *data, size_t size, size_t *expanded)
{
    char *text = malloc(MAX_SIZE);
    size_t n = 0;
    for (size_t i = 0; text && i < size && n < MAX_SIZE - 2 * PIXELS; i++) {
        if (data[i] != '[') {
            text[n++] = (char)data[i];
            continue;
        }
        memset(text + n, ' ', 2 * PIXELS - 1);
        for (size_t p = 0; p < PIXELS; p++)
            text[n + 2 * p] = '1';
        n += 2 * PIXELS - 1;
    }
    *expanded = n;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t n, block = (size_t)data[0] * data[0] + 1;
    char *text = expand(data + 1, size - 1, &n);
    struct csv_faces faces;
    struct error err = {""};
    int rc = csv_faces_begin(&faces, "fuzz", &err);
    for (size_t at = 0; text && rc == 0 && at < n; at += block) {
        size_t part = n - at < block ? n - at : block;
        char *copy = malloc(part);
        if (!copy)
            break;
        memcpy(copy, text + at, part);
        rc = csv_faces_feed(&faces, copy, part, &err);
        free(copy);
    }
    if (rc == 0)
        rc = csv_faces_finish(&faces, &err);
    if (rc < 0 && !err.text[0])
        abort(); /* an error without a message */
    csv_faces_free(&faces);
    free(text);
    return 0;
}
