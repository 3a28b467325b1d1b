/* The stage kind report_pdf: builds the report's document (content/) from the tables' cells.json
 * and the sources of its plots and pictures, and writes it in each format (renderer.h). The same
 * inputs give the same bytes. */
#include <errno.h>
#include <stdlib.h>
#include "base/file.h"
#include "reports/content/content.h"
#include "reports/renderer.h"
#include "reports/sections.h"
#include "stages/job.h"
#include "stages/kind.h"

static const size_t CELLS_LIMIT = 64u << 20;

static int read_cells(const struct job *job, json_t **cells, struct error *err)
{
    char *path = format_string("%s/cells.json", job_input(job, "tables", 0)), *text;
    size_t size;
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    int rc = file_read(path, CELLS_LIMIT, &text, &size, err);
    if (rc == 0) {
        json_error_t where;
        *cells = json_loadb(text, size, 0, &where);
        free(text);
        if (!*cells)
            rc = error_set(err, EINVAL, "%s:%d:%d: %s", path, where.line, where.column, where.text);
    }
    free(path);
    return rc;
}

static int render(const struct document *doc, const struct job *job, struct error *err)
{
    int rc = file_make_folders(job_output(job, "plots"), err);
    for (const struct renderer *r = renderers; rc == 0 && r->port; r++)
        rc = r->render(doc, job_output(job, r->port), job_output(job, "plots"), err);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    struct content content = {.section = job_json(job, "report"),
                              .stages = json_object_get(job->root, "stages")};
    struct document *doc = NULL;
    json_t *cells = NULL;
    int rc = read_cells(job, &cells, err);
    if (rc < 0)
        return rc;
    content.cells = cells;
    sources_open(&content.sources, job);
    rc = content_build(&content, &doc, err);
    if (rc == 0)
        rc = render(doc, job, err);
    doc_close(doc);
    sources_close(&content.sources);
    json_decref(cells);
    return rc;
}

static const struct port inputs[] = {
    {.name = "tables", .form = PORT_TREE, .text = "the output of report_tables, with cells.json"},
    {.name = "sources",
     .optional = true,
     .many = true,
     .text = "every result that tables and report refer to; any form"},
    {0},
};

static const struct port outputs[] = {
    {.name = "report", .file = "report.pdf", .text = "the report"},
    {.name = "markdown", .file = "report.md", .text = "the same as Markdown"},
    {.name = "plots",
     .form = PORT_TREE,
     .file = "plots",
     .text = "its plots and pictures as PDFs, with the gnuplot scripts that drew them, and the "
             "pictures as PNGs"},
    {0},
};

static const struct param params[] = {
    {.name = "title",
     .type = PARAM_STRING,
     .standard = "",
     .max = 500,
     .text = "title of the experiment"},
    SECTION_REPORT,
    SECTION_TABLES,
    {0},
};

const struct kind kind_report_pdf = {
    .name = "report_pdf",
    .version = 7,
    .text =
        "the report as PDF and Markdown: tables, plots, claims, and where each number came from",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .report = true,
    .run = run,
};
