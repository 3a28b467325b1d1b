/* See renderer.h. */
#include "reports/renderer.h"

#include <stddef.h>
#include "reports/markdown.h"
#include "reports/pdf/pdf.h"

const struct renderer renderers[] = {
    {"report", pdf_render},
    {"markdown", markdown_render},
    {NULL, NULL},
};
