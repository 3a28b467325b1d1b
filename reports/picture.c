/* See picture.h. */
#include "reports/picture.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

static const size_t PIXEL_LIMIT = 64u << 20, FILE_LIMIT = 1u << 30;

static int decode_error(const png_image *image, struct error *err)
{
    return strstr(image->message, "out of memory") || strstr(image->message, "insufficient memory")
               ? error_set(err, ENOMEM, "out of memory for a PNG")
               : error_set(err, EINVAL, "not a PNG: %s", image->message);
}

static int decode_png(const char *data, size_t size, struct picture *p, struct error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, data, size))
        return decode_error(&image, err);
    p->width = image.width;
    p->height = image.height;
    p->grey = !(image.format & PNG_FORMAT_FLAG_COLOR);
    if (!p->width || !p->height || p->width > PIXEL_LIMIT / p->height) {
        png_image_free(&image);
        return error_set(err, EINVAL, "%zu x %zu pixels are too many", p->width, p->height);
    }
    image.format = p->grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    p->pixels = malloc(PNG_IMAGE_SIZE(image));
    if (!p->pixels) {
        png_image_free(&image);
        return error_set(err, ENOMEM, "out of memory for a PNG");
    }
    if (!png_image_finish_read(&image, &(png_color){255, 255, 255}, p->pixels, 0, NULL)) {
        free(p->pixels);
        p->pixels = NULL;
        return decode_error(&image, err);
    }
    return 0;
}

int picture_read(const char *path, struct picture *p, struct error *err)
{
    char *data;
    size_t size;
    *p = (struct picture){0};
    int rc = file_read(path, FILE_LIMIT, &data, &size, err);
    if (rc == -EFBIG)
        return error_set(err, EINVAL, "a file of more than %zu MB", FILE_LIMIT >> 20);
    if (rc < 0)
        return rc;
    rc = decode_png(data, size, p, err);
    free(data);
    return rc;
}

void picture_free(struct picture *p)
{
    free(p->pixels);
    *p = (struct picture){0};
}

int picture_check(const char *path, struct error *err)
{
    struct picture p;
    int rc = picture_read(path, &p, err);
    picture_free(&p);
    return rc;
}
