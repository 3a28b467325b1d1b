/* See crop.h. */
#include "stages/cnn/crop.h"

#include <errno.h>
#include <math.h>
#include "base/random.h"

/* Streams of one seed: which epoch, which position in it, what for. */
enum { STREAM_ORDER = 1, STREAM_CROP = 2 };

static struct random stream(uint64_t seed, uint64_t epoch, uint64_t purpose, uint64_t position)
{
    struct random r = random_start(seed, epoch << 2 | purpose);
    return random_start(r.state, position);
}

void scale_set(struct scale *s, double mean, double deviation)
{
    s->mean = mean;
    s->deviation = deviation;
    for (int level = 0; level < 256; level++)
        s->table[level] = (float)((level / 255.0 - mean) / deviation);
}

int scale_fit(struct scale *s, const struct images *images, struct error *err)
{
    const uint8_t *pixels = images->pixels.data;
    uint64_t count[256] = {0};
    size_t n = images->n * FACE_SIZE * FACE_SIZE;
    for (size_t i = 0; i < n; i++)
        count[pixels[i]]++;
    double mean = 0, square = 0;
    for (int level = 0; level < 256; level++)
        mean += (double)count[level] * level / 255;
    mean /= n > 0 ? (double)n : 1;
    for (int level = 0; level < 256; level++)
        square += (double)count[level] * (level / 255.0 - mean) * (level / 255.0 - mean);
    if (!(square > 0))
        return error_set(err, EINVAL, "all pixels of the training images have one grey level");
    scale_set(s, mean, sqrt(square / (double)n));
    return 0;
}

int crop_add_images(struct net *net, const struct images *images, const struct scale *scale,
                    struct net_images *resident, struct error *err)
{
    const struct image_source source = {
        .pixels = images->pixels.data, .n = images->n, .size = FACE_SIZE, .levels = scale->table};
    return net_add_images(net, &source, resident, err);
}

struct crop crop_center(int size)
{
    uint8_t margin = (uint8_t)((FACE_SIZE - size) / 2);
    return (struct crop){.top = margin, .left = margin};
}

struct crop crop_of_ten(int view, int size)
{
    int place = view % 5;
    uint8_t far = (uint8_t)(FACE_SIZE - size);
    struct crop crop = crop_center(size);
    if (place < 4) {
        crop.top = place & 2 ? far : 0;
        crop.left = place & 1 ? far : 0;
    }
    crop.mirror = view >= 5;
    return crop;
}

struct crop crop_random(uint64_t seed, uint64_t epoch, size_t position, int size, bool flip)
{
    struct random r = stream(seed, epoch, STREAM_CROP, position);
    uint64_t places = (uint64_t)(FACE_SIZE - size) + 1;
    struct crop crop = {.top = (uint8_t)random_below(&r, places)};
    crop.left = (uint8_t)random_below(&r, places);
    crop.mirror = flip && random_bits(&r) >> 63;
    return crop;
}

void crop_order(uint64_t seed, uint64_t epoch, uint32_t *order, size_t n)
{
    struct random r = stream(seed, epoch, STREAM_ORDER, 0);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    random_shuffle(&r, order, n);
}
