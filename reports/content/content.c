/* See content.h. */
#include "reports/content/content.h"

#include "reports/cells.h"

int content_build(struct content *c, struct document **doc, struct error *err)
{
    const char *title = cells_string(c->cells, "title"), *data = cells_string(c->cells, "data");
    *doc = doc_open(*title ? title : "Untitled experiment", "Report of an experiment");
    if (*data)
        (*doc)->about = doc_text(*doc, "%s, on %s", (*doc)->about, data);
    content_front(*doc, c);
    content_tables(*doc, c);
    int rc = content_figures(*doc, c, err);
    if (rc < 0) {
        doc_close(*doc);
        *doc = NULL;
        return rc;
    }
    content_claims(*doc, c);
    content_provenance(*doc, c);
    return 0;
}
