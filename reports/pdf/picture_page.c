/* See picture_page.h. The PDF has five objects and a classic table of offsets: gropdf reads no
 * other. */
#include "reports/pdf/picture_page.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include "reports/picture.h"
#include "base/text.h"

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

static void write_pdf(struct text *t, const struct picture *p, const void *packed,
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
               p->width, p->height, p->grey ? "DeviceGray" : "DeviceRGB");
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
    struct picture p;
    int rc = picture_read(png, &p, err);
    if (rc < 0)
        return rc;
    double scale = width / (double)p.width;
    if (scale * (double)p.height > height)
        scale = height / (double)p.height;
    *shown_width = scale * (double)p.width;
    *shown_height = scale * (double)p.height;
    uLong size = (uLong)(p.width * p.height * (p.grey ? 1 : 3));
    uLongf packed_size = compressBound(size);
    unsigned char *packed = malloc(packed_size);
    if (!packed || compress2(packed, &packed_size, p.pixels, size, 9) != Z_OK) {
        rc = error_set(err, ENOMEM, "out of memory for %s", png);
    } else {
        struct text t = {0};
        write_pdf(&t, &p, packed, packed_size, *shown_width, *shown_height);
        rc = text_write(&t, pdf, err);
    }
    free(packed);
    picture_free(&p);
    return rc;
}
