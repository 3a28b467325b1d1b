/* The stage kind report_tables: looks up every number of the tables, puts the paper's beside it,
 * decides the claims, and writes tables and claims as .csv and .md, and everything as cells.json,
 * from which report_pdf builds the report. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"
#include "reports/claims.h"
#include "reports/table_files.h"
#include "reports/check_sections.h"
#include "reports/sections.h"
#include "reports/settings.h"
#include "reports/sources.h"
#include "stages/job.h"
#include "stages/kind.h"

static const char notice_start[] = "Not comparable with the paper: this run used ";

/* Why the numbers can't be compared with the paper's; "" if they can. */
static void make_notice(struct text *t, const json_t *report)
{
    const char *data = cells_string(report, "data");
    if (json_is_false(json_object_get(report, "comparable")))
        text_print(t, "%s%s.", notice_start, *data ? data : "other data");
}

/* Writes cells.json among the tables. Releases cells. */
static int write_cells(const char *folder, json_t *cells, struct error *err)
{
    char *path = format_string("%s/cells.json", folder);
    if (!path) {
        json_decref(cells);
        return error_set(err, ENOMEM, "out of memory");
    }
    int rc = job_write_json(path, cells, err);
    free(path);
    return rc;
}

static int run(struct job *job, struct error *err)
{
    const json_t *paper = job_json(job, "paper"), *report = job_json(job, "report");
    struct sources sources;
    struct text notice = {0};
    json_t *tables = NULL, *claims = NULL, *settings = NULL;
    size_t differ;
    int rc = settings_compare(paper, job_json(job, "params"), job_json(job, "stages"), &settings,
                              &differ, err);
    make_notice(&notice, report);
    struct claim_setting setting = {.comparable = notice.size == 0,
                                    .paper_settings = differ == 0,
                                    .incomparable = "the data is not the paper's"};
    sources_open(&sources, job);
    const char *folder = job_output(job, "tables");
    if (rc == 0)
        rc = file_make_folders(folder, err);
    if (rc == 0)
        rc = cells_evaluate(job_json(job, "tables"), paper, &sources, &tables, err);
    if (rc == 0)
        rc = claims_decide(job_json(job, "claims"), tables, &setting, &claims, err);
    cells_strip(tables);
    if (rc == 0)
        rc = table_files_write(folder, tables, claims, text_string(&notice), err);
    if (rc == 0)
        rc = write_cells(
            folder,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:O, s:O, s:O}", "title",
                      job_string(job, "title"), "source", cells_string(paper, "source"), "data",
                      cells_string(report, "data"), "note", cells_string(report, "note"), "notice",
                      text_string(&notice), "comparable", notice.size == 0, "settings_differ",
                      (json_int_t)differ, "settings", settings, "tables", tables, "claims", claims),
            err);
    sources_close(&sources);
    text_free(&notice);
    json_decref(settings);
    json_decref(tables);
    json_decref(claims);
    return rc;
}

static const struct port inputs[] = {
    {.name = "sources",
     .optional = true,
     .many = true,
     .text = "every result that tables, claims and report refer to; any form"},
    {0},
};

static const struct port outputs[] = {
    {.name = "tables",
     .form = PORT_TREE,
     .file = "tables",
     .text = "ID.csv and ID.md for each table; claims.csv and claims.md if there are claims; and "
             "cells.json: every cell (ours, paper, difference, source or why missing) and every "
             "claim's verdict"},
    {0},
};

static const struct param params[] = {
    {.name = "title",
     .type = PARAM_STRING,
     .standard = "",
     .max = 500,
     .text = "title of the experiment"},
    SECTION_TABLES,
    SECTION_PAPER,
    SECTION_CLAIMS,
    SECTION_REPORT,
    {.name = "params", .type = PARAM_JSON, .standard = "{}", .text = "the experiment's params"},
    {.name = "stages",
     .type = PARAM_JSON,
     .standard = "[]",
     .text = "the experiment's stages, a list of {name, kind, params}"},
    {0},
};

const struct kind kind_report_tables = {
    .name = "report_tables",
    .version = 11,
    .text = "tables and claims: our numbers beside the paper's, as .csv, .md and .json",
    .inputs = inputs,
    .outputs = outputs,
    .params = params,
    .report = true,
    .check = check_sections,
    .run = run,
};
