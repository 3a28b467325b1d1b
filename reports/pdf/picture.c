/* See picture.h. The PDF has four objects and a classic table of offsets: gropdf reads no other. */
#include "reports/pdf/picture.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "base/file.h"
#include "reports/text.h"

static const size_t PIXEL_LIMIT = 64u << 20, FILE_LIMIT = 1u << 30;

struct bitmap {
    size_t width, height;
    bool grey;
    unsigned char *pixels;
};

static int decode_error(const png_image *image, struct error *err)
{
    return strstr(image->message, "out of memory") || strstr(image->message, "insufficient memory")
               ? error_set(err, ENOMEM, "out of memory for a PNG")
               : error_set(err, EINVAL, "not a PNG: %s", image->message);
}

static int decode_png(const char *data, size_t size, struct bitmap *b, struct error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&image, data, size))
        return decode_error(&image, err);
    b->width = image.width;
    b->height = image.height;
    b->grey = !(image.format & PNG_FORMAT_FLAG_COLOR);
    if (!b->width || !b->height || b->width > PIXEL_LIMIT / b->height) {
        png_image_free(&image);
        return error_set(err, EINVAL, "%zu x %zu pixels are too many", b->width, b->height);
    }
    image.format = b->grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    b->pixels = malloc(PNG_IMAGE_SIZE(image));
    if (!b->pixels) {
        png_image_free(&image);
        return error_set(err, ENOMEM, "out of memory for a PNG");
    }
    if (!png_image_finish_read(&image, &(png_color){255, 255, 255}, b->pixels, 0, NULL)) {
        free(b->pixels);
        b->pixels = NULL;
        return decode_error(&image, err);
    }
    return 0;
}

static int read_png(const char *path, struct bitmap *b, struct error *err)
{
    char *data;
    size_t size;
    *b = (struct bitmap){0};
    int rc = file_read(path, FILE_LIMIT, &data, &size, err);
    if (rc == -EFBIG)
        return error_set(err, EINVAL, "a file of more than %zu MB", FILE_LIMIT >> 20);
    if (rc < 0)
        return rc;
    rc = decode_png(data, size, b, err);
    free(data);
    return rc;
}

static void start_object(struct text *t, size_t offsets[], int number)
{
    offsets[number] = t->size;
    text_print(t, "%d 0 obj\n", number);
}

static void add_stream(struct text *t, const void *data, size_t size)
{
    text_print(t, "/Length %zu\n>>\nstream\n", size);
    text_add_bytes(t, data, size);
    text_add(t, "\nendstream\nendobj\n");
}

static void write_pdf(struct text *t, const struct bitmap *b, const void *packed,
                      size_t packed_size, double width, double height)
{
    enum { OBJECTS = 6 };
    size_t offsets[OBJECTS] = {0};
    struct text draw = {0};
    text_print(&draw, "q %.3f 0 0 %.3f 0 0 cm /Im Do Q", width, height);
    text_add(t, "%PDF-1.4\n");
    start_object(t, offsets, 1);
    text_add(t, "<< /Type /Catalog\n/Pages 2 0 R\n>>\nendobj\n");
    start_object(t, offsets, 2);
    text_add(t, "<< /Type /Pages\n/Kids [ 3 0 R ]\n/Count 1\n>>\nendobj\n");
    start_object(t, offsets, 3);
    text_print(t,
               "<< /Type /Page\n/Parent 2 0 R\n/MediaBox [ 0 0 %.3f %.3f ]\n/Contents 4 0 R\n"
               "/Resources << /XObject << /Im 5 0 R >> >>\n>>\nendobj\n",
               width, height);
    start_object(t, offsets, 4);
    text_add(t, "<<\n");
    add_stream(t, text_string(&draw), draw.size);
    start_object(t, offsets, 5);
    text_print(t,
               "<< /Type /XObject\n/Subtype /Image\n/Width %zu\n/Height %zu\n/ColorSpace /%s\n"
               "/BitsPerComponent 8\n/Filter /FlateDecode\n",
               b->width, b->height, b->grey ? "DeviceGray" : "DeviceRGB");
    add_stream(t, packed, packed_size);
    size_t xref = t->size;
    text_print(t, "xref\n0 %d\n0000000000 65535 f \n", OBJECTS);
    for (int i = 1; i < OBJECTS; i++)
        text_print(t, "%010zu 00000 n \n", offsets[i]);
    text_print(t, "trailer\n<< /Size %d\n/Root 1 0 R\n>>\nstartxref\n%zu\n%%%%EOF\n", OBJECTS,
               xref);
    t->failed = t->failed || draw.failed;
    text_free(&draw);
}

int picture_to_pdf(const char *png, const char *pdf, double width, double height,
                   double *shown_width, double *shown_height, struct error *err)
{
    struct bitmap b = {0};
    int rc = read_png(png, &b, err);
    if (rc < 0)
        return rc;
    double scale = width / (double)b.width;
    if (scale * (double)b.height > height)
        scale = height / (double)b.height;
    *shown_width = scale * (double)b.width;
    *shown_height = scale * (double)b.height;
    uLong size = (uLong)(b.width * b.height * (b.grey ? 1 : 3));
    uLongf packed_size = compressBound(size);
    unsigned char *packed = malloc(packed_size);
    if (!packed || compress2(packed, &packed_size, b.pixels, size, 9) != Z_OK) {
        rc = error_set(err, ENOMEM, "out of memory for %s", png);
    } else {
        struct text t = {0};
        write_pdf(&t, &b, packed, packed_size, *shown_width, *shown_height);
        rc = text_write(&t, pdf, err);
    }
    free(packed);
    free(b.pixels);
    return rc;
}
