/* libFuzzer target: any bytes as .safetensors give tensors that are inside the file, or one error.
 * Bytes without a valid length at the start get one, so that the fuzzer reaches the header: the
 * header is the input up to the first zero byte, the rest are the tensors. */
#include "stages/data/safetensors.h"
#include "tests/fuzz/scratch.h"

enum { LIMIT = 1 << 20 };

static void use(const struct safetensors *s, size_t size)
{
    size_t total = 0, sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct tensor *t = &s->tensors[i];
        size_t bytes = t->count * (t->type == TENSOR_F32 ? 4 : 8);
        for (size_t k = 0; k < bytes; k++)
            sum += ((const unsigned char *)t->data)[k];
        total += bytes;
        if (!safetensors_find(s, t->name))
            abort();
    }
    const char *note = safetensors_note(s, "model");
    if (total > size || sum > 255 * total || (note && strlen(note) > size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > LIMIT - 8)
        return 0;
    struct safetensors s;
    struct error err = {""};
    const uint8_t *zero = memchr(data, 0, size);
    size_t length = zero ? (size_t)(zero - data) : size, used = size;
    uint8_t *file = malloc(size + 8);
    if (!file)
        return 0;
    if (*data == '{') {
        for (int i = 0; i < 8; i++)
            file[i] = (uint8_t)(length >> 8 * i);
        memcpy(file + 8, data, length);
        if (zero)
            memcpy(file + 8 + length, zero + 1, size - length - 1);
        used = size + (zero ? 7 : 8);
    } else {
        memcpy(file, data, size);
    }
    int rc = safetensors_read(scratch_file(file, used), LIMIT, &s, &err);
    free(file);
    scratch_check(rc, &err);
    if (rc == 0)
        use(&s, used);
    safetensors_free(&s);
    return 0;
}
