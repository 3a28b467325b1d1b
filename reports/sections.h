/* The schema of the sections `tables`, `claims`, `paper` and `report` of an experiment file. They
 * are params of the kinds report_tables and report_pdf. */
#ifndef FERDAG_REPORTS_SECTIONS_H
#define FERDAG_REPORTS_SECTIONS_H

#include "stages/param.h"

extern const struct param sections_table_item[], sections_claim_item[], sections_paper_members[],
    sections_report_members[], sections_paper_table;

#define SECTION_TABLES                                                                             \
    {                                                                                              \
        .name = "tables", .type = PARAM_NAMED, .standard = "{}", .members = sections_table_item,   \
        .text = "tables of the report, by id"                                                      \
    }
#define SECTION_CLAIMS                                                                             \
    {                                                                                              \
        .name = "claims", .type = PARAM_NAMED, .standard = "{}", .members = sections_claim_item,   \
        .text = "the paper's claims, by id, and the checks that decide them"                       \
    }
#define SECTION_PAPER                                                                              \
    {                                                                                              \
        .name = "paper", .type = PARAM_MAP, .standard = "{}", .members = sections_paper_members,   \
        .others = &sections_paper_table, .text = "the paper's own numbers and settings"            \
    }
#define SECTION_REPORT                                                                             \
    {                                                                                              \
        .name = "report", .type = PARAM_MAP, .standard = "{}", .members = sections_report_members, \
        .text = "what else the report shows"                                                       \
    }

#endif
