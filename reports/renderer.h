/* The formats of the report. To add one, write a function that walks a document's blocks, and add
 * it to the table in renderer.c; the kind report_pdf then has an output of that name. */
#ifndef FERDAG_REPORTS_RENDERER_H
#define FERDAG_REPORTS_RENDERER_H

#include "base/error.h"
#include "reports/document.h"

struct renderer {
    const char *port; /* output of the kind report_pdf */
    /* Writes the document to `path`. Figures are in the folder `figures`, which exists: a renderer
     * may add files to it, and finds those of the renderers before it in the table. The same
     * document gives the same bytes. */
    int (*render)(const struct document *doc, const char *path, const char *figures,
                  struct error *err);
};

extern const struct renderer renderers[]; /* ends with a NULL port */

#endif
