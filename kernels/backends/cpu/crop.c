/* Image sets of the `cpu` backend, which reads the caller's pixels, and crops. */
#include <errno.h>
#include <stdlib.h>
#include "kernels/backends/cpu/cpu.h"
#include "kernels/math/bf16.h"

struct image_set {
    struct image_source source;
    uint16_t narrow[256]; /* source.levels in bf16 */
    struct image_set *next;
};

int cpu_image_set(struct device *device, const struct image_source *source, struct image_set **set,
                  struct error *err)
{
    struct image_set *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, ENOMEM, "out of memory");
    s->source = *source;
    for (int level = 0; level < 256; level++)
        s->narrow[level] = bf16_narrow(source->levels[level]);
    s->next = device->image_sets;
    device->image_sets = *set = s;
    return 0;
}

void cpu_image_sets_free(struct device *device)
{
    while (device->image_sets) {
        struct image_set *s = device->image_sets;
        device->image_sets = s->next;
        free(s);
    }
}

/* Writes one crop of (size, size) values to `narrow` (bf16) or `wide` (float32); the other is NULL.
 */
static void crop_one(const struct image_set *set, const struct crop *c, size_t size,
                     uint16_t *narrow, float *wide)
{
    const struct image_source *from = &set->source;
    const uint8_t *image = from->pixels + c->image * from->size * from->size;
    for (size_t y = 0; y < size; y++) {
        const uint8_t *line = image + (c->top + y) * from->size + c->left;
        for (size_t x = 0; narrow && x < size; x++)
            *narrow++ = set->narrow[line[c->mirror ? size - 1 - x : x]];
        for (size_t x = 0; wide && x < size; x++)
            *wide++ = from->levels[line[c->mirror ? size - 1 - x : x]];
    }
}

int cpu_crop(struct device *device, struct tensor *images, struct error *err)
{
    const struct image_set *set = device->queue.set;
    const struct crop *crops = device->queue.crops + device->pass.first;
    size_t size = images->shape.w, plane = size * size;
    uint16_t *narrow = device->bf16 ? images->data : NULL;
    float *wide = device->bf16 ? NULL : images->data;
    (void)err;
    images->version++;
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < device->pass.n; i++)
        crop_one(set, &crops[i], size, narrow ? narrow + i * plane : NULL,
                 wide ? wide + i * plane : NULL);
    return 0;
}
