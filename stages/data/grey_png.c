/* See grey_png.h. */
#include "stages/data/grey_png.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include "base/file.h"

int grey_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                   struct error *err)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_GRAY};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *bytes = malloc(size);
    if (!bytes)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    int rc = 0;
    if (!png_image_write_to_memory(&image, bytes, &size, 0, pixels, 0, NULL))
        rc = error_set(err, EIO, "cannot write %s: %s", path, image.message);
    if (rc == 0)
        rc = file_write(path, bytes, size, err);
    free(bytes);
    return rc;
}
