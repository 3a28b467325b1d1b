/* libFuzzer target: any bytes as .npy give an array whose values can all be read, or one error. The
 * first byte chooses what the reader expects. An array that was read is written and read again. */
#include "stages/data/formats.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum array_type type = (enum array_type)(data[0] % (ARRAY_F64 + 1));
    size_t dims = data[0] / 8 % ARRAY_MAX_DIMS + 1;
    struct array a, again;
    struct error err = {""};
    const char *path = scratch_file(data + 1, size - 1);
    int rc = array_read(path, type, dims, &a, &err);
    scratch_check(rc, &err);
    if (rc < 0)
        return 0;
    size_t bytes = array_item_size(type), sum = 0;
    for (size_t i = 0; i < ARRAY_MAX_DIMS; i++)
        bytes *= a.shape[i];
    for (size_t i = 0; i < bytes; i++)
        sum += ((const unsigned char *)a.data)[i];
    if (bytes >= size || sum > 255 * bytes)
        abort(); /* more values than the file holds */
    if (array_write(path, &a, &err) < 0 || array_read(path, type, dims, &again, &err) < 0 ||
        memcmp(a.shape, again.shape, sizeof a.shape) != 0 || memcmp(a.data, again.data, bytes) != 0)
        abort();
    array_free(&again);
    array_free(&a);
    return 0;
}
