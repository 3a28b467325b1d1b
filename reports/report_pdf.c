/* The stage kind report_pdf: sets the pages of the report with groff, from the tables' cells.json
 * and the sources of its plots and pictures. The same inputs give the same bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/pdf/layout.h"
#include "reports/pdf/pages.h"
#include "reports/program.h"
#include "reports/sections.h"
#include "stages/job.h"
#include "stages/kind.h"

static const size_t CELLS_LIMIT = 64u << 20, PDF_LIMIT = 1u << 30;
static const double SECONDS = 120;

static int read_cells(const struct job *job, json_t **cells, struct error *err)
{
    char *path = file_path("%s/cells.json", job_input(job, "tables", 0)), *text;
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

/* Sets the pages. With the fonts that groff finds through Ghostscript's they are embedded; where
 * those are missing, with the fonts that every PDF reader has. */
static int set_pages(const char *source, const char *pdf, struct error *err)
{
    const char *const fine[] = {"groff", "-Tpdf", "-dfamily=P", "-P-e", "-P-pa4", source, NULL};
    const char *const plain[] = {"groff", "-Tpdf", "-dfamily=T", "-P-pa4", source, NULL};
    int rc = program_run(fine, pdf, SECONDS, "groff", err);
    if (rc == -EIO) {
        fprintf(stderr, "report_pdf: trying again without embedded fonts\n");
        err->text[0] = 0;
        rc = program_run(plain, pdf, SECONDS, "groff", err);
    }
    char *data = NULL;
    size_t size = 0;
    if (rc == 0)
        rc = file_read(pdf, PDF_LIMIT, &data, &size, err);
    if (rc < 0)
        return rc;
    bool whole = size > 1000 && memcmp(data, "%PDF-", 5) == 0;
    free(data);
    return whole ? 0 : error_set(err, EIO, "groff made no PDF: what it said is in the stage's log");
}

static int make_pages(struct report *r, const struct job *job, struct error *err)
{
    layout_start(&r->page, job_string(job, "title"));
    pages_front(r);
    int rc = pages_tables(r, err);
    if (rc == 0)
        rc = pages_figures(r, err);
    if (rc < 0)
        return rc;
    pages_claims(r);
    pages_provenance(r);
    return 0;
}

static int run(struct job *job, struct error *err)
{
    struct report r = {.section = job_json(job, "report"),
                       .plots = job_output(job, "plots"),
                       .stages = json_object_get(job->root, "stages")};
    json_t *cells = NULL;
    int rc = read_cells(job, &cells, err);
    if (rc < 0)
        return rc;
    r.cells = cells;
    sources_open(&r.sources, job);
    rc = file_make_folders(r.plots, err);
    if (rc == 0)
        rc = make_pages(&r, job, err);
    if (rc == 0)
        rc = text_write(&r.page, "report.tr", err);
    if (rc == 0)
        rc = set_pages("report.tr", job_output(job, "report"), err);
    text_free(&r.page);
    sources_close(&r.sources);
    json_decref(cells);
    return rc;
}

static const struct port inputs[] = {
    {.name = "tables", .form = PORT_TREE, .text = "what report_tables made, cells.json among it"},
    {.name = "sources",
     .optional = true,
     .many = true,
     .text = "every result that tables and report refer to; any form"},
    {0},
};

static const struct port outputs[] = {
    {.name = "report", .file = "report.pdf", .text = "the report"},
    {.name = "plots",
     .form = PORT_TREE,
     .file = "plots",
     .text = "its plots and pictures as PDFs, with the gnuplot scripts that drew them"},
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
    .version = 4,
    .text = "the report as PDF: tables, plots, claims, and where each number came from",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .report = true,
    .run = run,
};
