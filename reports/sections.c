/* See sections.h. */
#include "reports/sections.h"

#include <stddef.h>
#include "reports/cells.h"
#include "reports/claim_check.h"

enum {
    ROWS = CELLS_ROW_LIMIT,
    COLUMNS = CELLS_COLUMN_LIMIT,
    TEXT = 5000,  /* bytes that any text may have */
    LABEL = 1000, /* of a row or column, and of a unit */
};

/* How numbers are shown: of a row, a column or the whole table. */
#define DISPLAY_SETTINGS                                                                           \
    {.name = "scale",                                                                              \
     .type = PARAM_REAL,                                                                           \
     .optional = true,                                                                             \
     .text = "our number is multiplied by it"},                                                    \
        {.name = "digits",                                                                         \
         .type = PARAM_INT,                                                                        \
         .max = 12,                                                                                \
         .optional = true,                                                                         \
         .text = "decimals shown (2)"},                                                            \
        {.name = "unit",                                                                           \
         .type = PARAM_STRING,                                                                     \
         .max = LABEL,                                                                             \
         .optional = true,                                                                         \
         .text = "such as %"},                                                                     \
        {.name = "commas",                                                                         \
         .type = PARAM_BOOL,                                                                       \
         .optional = true,                                                                         \
         .text = "28,709 instead of 28709"},                                                       \
        {.name = "paper_scale",                                                                    \
         .type = PARAM_REAL,                                                                       \
         .optional = true,                                                                         \
         .text = "the paper's number is multiplied by it"},                                        \
        {.name = "paper_n",                                                                        \
         .type = PARAM_INT,                                                                        \
         .min = 1,                                                                                 \
         .max = 100000000,                                                                         \
         .optional = true,                                                                         \
         .text = "the paper's number is an accuracy on so many images"},                           \
    {                                                                                              \
        .name = "paper_digits", .type = PARAM_INT, .max = 12, .optional = true,                    \
        .text = "decimals shown of the paper's number"                                             \
    }

static const struct param text_item[] = {
    {.name = "text", .type = PARAM_STRING, .max = TEXT, .optional = true},
    {0},
};

static const struct param over_value[] = {{.name = "value", .type = PARAM_STRING, .max = LABEL},
                                          {0}};

static const struct param over_item[] = {
    {.name = "values",
     .type = PARAM_LIST,
     .members = over_value,
     .counted = true,
     .min = 1,
     .max = 10000},
    {0},
};

/* Of a row, a column or the whole table. */
#define OVER_SETTING                                                                               \
    {                                                                                              \
        .name = "over", .type = PARAM_NAMED, .members = over_item, .min = 1, .max = 1,             \
        .optional = true,                                                                          \
        .text =                                                                                    \
            "a variable of the pattern and its values, as in a stage's `for`: the cell is the "    \
            "mean over them"                                                                       \
    }

static const struct param any_value = {
    .name = "variable", .type = PARAM_JSON, .optional = true, .text = "a variable of the cells"};

static const struct param row_members[] = {
    {.name = "label", .type = PARAM_STRING, .max = LABEL, .optional = true, .text = "its name"},
    {.name = "group",
     .type = PARAM_STRING,
     .max = LABEL,
     .optional = true,
     .text = "a heading that it shares with its neighbours"},
    {.name = "bold",
     .type = PARAM_BOOL,
     .optional = true,
     .was = "strong",
     .text = "whether the row is printed in bold"},
    {.name = "cell",
     .type = PARAM_STRING,
     .optional = true,
     .text = "pattern of its cells, instead of the table's: \"@stage.port:/pointer\""},
    OVER_SETTING,
    {.name = "sum",
     .type = PARAM_LIST,
     .members = text_item,
     .min = 1,
     .max = ROWS,
     .optional = true,
     .text = "it is the sum of these rows above it; -name subtracts"},
    DISPLAY_SETTINGS,
    {0},
};

static const struct param column_members[] = {
    {.name = "label", .type = PARAM_STRING, .max = LABEL, .optional = true, .text = "its name"},
    {.name = "group",
     .type = PARAM_STRING,
     .max = LABEL,
     .optional = true,
     .text = "a heading that it shares with its neighbours"},
    {.name = "cell",
     .type = PARAM_STRING,
     .optional = true,
     .text = "pattern of its cells, instead of the table's"},
    OVER_SETTING,
    {.name = "sum",
     .type = PARAM_LIST,
     .members = text_item,
     .min = 1,
     .max = COLUMNS,
     .optional = true,
     .text = "it is the sum of these columns before it; -name subtracts"},
    DISPLAY_SETTINGS,
    {0},
};

static const struct param row_item[] = {
    {.name = "row",
     .type = PARAM_MAP,
     .members = row_members,
     .others = &any_value,
     .optional = true},
    {0},
};

static const struct param column_item[] = {
    {.name = "column",
     .type = PARAM_MAP,
     .members = column_members,
     .others = &any_value,
     .optional = true},
    {0},
};

static const struct param table_members[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "such as Table I"},
    {.name = "title", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "its title"},
    {.name = "note", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "text below it"},
    {.name = "row_header",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .was = "stub",
     .text = "head of the column of row names"},
    {.name = "columns",
     .type = PARAM_NAMED,
     .members = column_item,
     .single = true,
     .min = 1,
     .max = COLUMNS,
     .text = "its columns, with variables for the pattern of the cells"},
    {.name = "rows",
     .type = PARAM_NAMED,
     .members = row_item,
     .single = true,
     .min = 1,
     .max = ROWS,
     .text = "its rows, with variables for the pattern of the cells"},
    {.name = "cell",
     .type = PARAM_STRING,
     .optional = true,
     .text =
         "pattern of every cell: \"@stage.port:/pointer\" with ${variables}, ${row}, ${column}"},
    OVER_SETTING,
    DISPLAY_SETTINGS,
    {.name = "cells",
     .type = PARAM_JSON,
     .optional = true,
     .gone = "cells are made from rows, columns and cell"},
    {.name = "asks",
     .type = PARAM_JSON,
     .optional = true,
     .gone =
         "since format 2 its checks belong to a claim, with 'informational: true': they are shown "
         "and decide nothing"},
    {0},
};

const struct param sections_table_item[] = {
    {.name = "table", .type = PARAM_MAP, .members = table_members, .text = "a table"},
    {0},
};

/* ---- claims ---- */

static const struct param check_members[] = {
    {.name = "check", .type = PARAM_ENUM, .choices = claim_check_names, .text = "what is compared"},
    {.name = "left",
     .type = PARAM_STRING,
     .max = TEXT,
     .text = "cells, table/row/column, with * for all and a|b for several"},
    {.name = "right",
     .type = PARAM_JSON,
     .optional = true,
     .text = "cells or a number; reaches takes the paper's number without it"},
    {.name = "among",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "of rank: cells that left is ranked among"},
    {.name = "margin",
     .type = PARAM_REAL,
     .max = 1e12,
     .optional = true,
     .was = "by",
     .text =
         "of above, below, reaches, within, at_most: by how much (0), in the unit of the cells"},
    {.name = "min",
     .type = PARAM_REAL,
     .optional = true,
     .was = "from",
     .text = "of mean: least mean of the differences"},
    {.name = "max",
     .type = PARAM_REAL,
     .optional = true,
     .was = "to",
     .text = "of mean: greatest mean of the differences"},
    {.name = "top",
     .type = PARAM_INT,
     .min = 1,
     .max = 100000,
     .optional = true,
     .was = "is",
     .text = "of rank: left must be among the first so many"},
    {.name = "at_least",
     .type = PARAM_INT,
     .min = 1,
     .max = 1000000,
     .optional = true,
     .was = "least",
     .text = "how many pairs must hold (all)"},
    {.name = "majority",
     .type = PARAM_BOOL,
     .standard = "false",
     .was = "most",
     .text = "more than half of the pairs must hold"},
    {.name = "informational",
     .type = PARAM_BOOL,
     .standard = "false",
     .was = "informs",
     .text = "it is shown, but decides nothing"},
    {.name = "text", .type = PARAM_STRING, .max = TEXT, .text = "one line for the reader"},
    {0},
};

static const struct param check_item[] = {
    {.name = "check", .type = PARAM_MAP, .members = check_members},
    {0},
};

static const struct param claim_members[] = {
    {.name = "title", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "a few words"},
    {.name = "text",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "what the paper says"},
    {.name = "rule",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "the rule of decision, for the reader"},
    {.name = "note", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "a remark"},
    {.name = "smaller_settings",
     .type = PARAM_ENUM,
     .choices = "neutral|harder|easier",
     .standard = "neutral",
     .was = "absolute|eased",
     .text = "what settings below the paper's do to the claim: harder: not decided if it fails; "
             "easier: not decided if it holds"},
    {.name = "level",
     .type = PARAM_REAL,
     .standard = "0.05",
     .min = 1e-6,
     .max = 0.5,
     .text =
         "greatest probability of a wrong result in the claim; its comparisons are tested at this "
         "level, adjusted by Holm's method"},
    {.name = "checks",
     .type = PARAM_LIST,
     .members = check_item,
     .min = 1,
     .max = TEXT,
     .text = "the checks that decide it"},
    {0},
};

const struct param sections_claim_item[] = {
    {.name = "claim", .type = PARAM_MAP, .members = claim_members, .text = "a claim"},
    {0},
};

/* ---- paper ---- */

static const struct param value_item[] = {
    {.name = "value", .type = PARAM_JSON, .optional = true},
    {0},
};

static const struct param setting_members[] = {
    {.name = "label", .type = PARAM_STRING, .max = LABEL, .optional = true, .text = "its name"},
    {.name = "value",
     .type = PARAM_JSON,
     .optional = true,
     .text = "the paper's value; null: it states none"},
    {.name = "param",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .was = "of",
     .text = "kind, or kind.param, whose stages are compared; without it the experiment's param of "
             "that name"},
    {.name = "group_by",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .was = "by",
     .text = "param whose values name the stages with different settings"},
    {.name = "where",
     .type = PARAM_NAMED,
     .members = value_item,
     .optional = true,
     .text = "only stages with these values of params"},
    {0},
};

static const struct param setting_item[] = {
    {.name = "setting", .type = PARAM_MAP, .members = setting_members},
    {0},
};

static const struct param number_item[] = {
    {.name = "number", .type = PARAM_REAL, .optional = true},
    {0},
};

static const struct param numbers_item[] = {
    {.name = "row", .type = PARAM_NAMED, .members = number_item, .optional = true},
    {0},
};

const struct param sections_paper_table = {.name = "table",
                                           .type = PARAM_NAMED,
                                           .members = numbers_item,
                                           .optional = true,
                                           .text =
                                               "the paper's numbers for a table: {row: {column: "
                                               "number}}"};

const struct param sections_paper_members[] = {
    {.name = "source",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "authors, title, where it was published"},
    {.name = "value_names",
     .type = PARAM_NAMED,
     .members = text_item,
     .optional = true,
     .was = "names",
     .text = "names of values for the reader, such as resnet18: ResNet18"},
    {.name = "settings",
     .type = PARAM_NAMED,
     .members = setting_item,
     .optional = true,
     .text = "settings that the report compares with the paper's"},
    {0},
};

/* ---- report ---- */

static const struct param headline_members[] = {
    {.name = "cell", .type = PARAM_STRING, .max = TEXT, .text = "table/row/column"},
    {.name = "label", .type = PARAM_STRING, .max = LABEL, .optional = true, .text = "its name"},
    {0},
};

static const struct param headline_item[] = {
    {.name = "headline", .type = PARAM_MAP, .members = headline_members},
    {0},
};

static const struct param picture_members[] = {
    {.name = "title", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "its title"},
    {.name = "file",
     .type = PARAM_STRING,
     .max = TEXT,
     .was = "picture",
     .text = "a PNG: \"@stage.port\" or \"@stage.port:/name.png\" in a folder"},
    {.name = "caption",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "text below it"},
    {0},
};

static const struct param picture_item[] = {
    {.name = "picture", .type = PARAM_MAP, .members = picture_members},
    {0},
};

static const struct param line_item[] = {
    {.name = "line", .type = PARAM_STRING, .max = TEXT},
    {0},
};

static const struct param curves_members[] = {
    {.name = "title", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "its title"},
    {.name = "lines",
     .type = PARAM_NAMED,
     .members = line_item,
     .min = 1,
     .max = 8,
     .text = "name of each line and the metrics of its training: \"@stage.metrics\""},
    {0},
};

static const struct param curves_item[] = {
    {.name = "curves", .type = PARAM_MAP, .members = curves_members},
    {0},
};

static const struct param matrix_members[] = {
    {.name = "title", .type = PARAM_STRING, .max = TEXT, .optional = true, .text = "its title"},
    {.name = "matrix",
     .type = PARAM_STRING,
     .max = TEXT,
     .text = "a list of rows of counts: \"@stage.port:/pointer\""},
    {0},
};

static const struct param matrix_item[] = {
    {.name = "confusion_matrix", .type = PARAM_MAP, .members = matrix_members},
    {0},
};

const struct param sections_report_members[] = {
    {.name = "data",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "what data the experiment ran on"},
    {.name = "comparable",
     .type = PARAM_BOOL,
     .standard = "true",
     .text = "false: the data is not the paper's, so that no claim is decided"},
    {.name = "note",
     .type = PARAM_STRING,
     .max = TEXT,
     .optional = true,
     .text = "some lines for the first page"},
    {.name = "headline",
     .type = PARAM_LIST,
     .members = headline_item,
     .max = 4,
     .optional = true,
     .was = "key",
     .text = "up to four large numbers on the first page"},
    {.name = "pictures",
     .type = PARAM_LIST,
     .members = picture_item,
     .max = TEXT,
     .optional = true,
     .was = "sheets",
     .text = "pictures that stages made"},
    {.name = "curves",
     .type = PARAM_LIST,
     .members = curves_item,
     .max = TEXT,
     .optional = true,
     .text = "learning curves"},
    {.name = "confusion_matrices",
     .type = PARAM_LIST,
     .members = matrix_item,
     .max = TEXT,
     .optional = true,
     .was = "confusion",
     .text = "confusion matrices, true class by predicted class"},
    {.name = "classes",
     .type = PARAM_LIST,
     .members = text_item,
     .max = 50,
     .optional = true,
     .text = "names of the classes"},
    {0},
};
