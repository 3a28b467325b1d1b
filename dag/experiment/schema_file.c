/* The tables of an experiment file; see schema.h. The tables of the sections that the report reads
 * are params of kind report_tables. */
#include "dag/experiment/schema.h"
#include "stages/kind.h"

#include <string.h>

static const struct param path_item[] = {{.name = "path", .type = PARAM_STRING, .max = 4000}, {0}};

static const struct param name_item[] = {{.name = "name", .type = PARAM_STRING, .max = 1000}, {0}};

static const struct param input_members[] = {
    {.name = "path",
     .type = PARAM_STRING,
     .max = 4000,
     .text = "file or folder, relative to this file; \"${NAME:-otherwise}\" is taken from the "
             "environment, relative to the current folder"},
    {0},
};

static const struct param input_item[] = {
    {.name = "input", .type = PARAM_MAP, .members = input_members, .scalar = "path"},
    {0},
};

static const struct param any_value[] = {{.name = "value", .type = PARAM_JSON, .optional = true},
                                         {0}};

static const struct param port_sources[] = {
    {.name = "source", .type = PARAM_STRING, .max = 1000},
    {0},
};

static const struct param port_item[] = {
    {.name = "port", .type = PARAM_LIST, .members = port_sources, .single = true, .optional = true},
    {0},
};

static const struct param axis_item[] = {
    {.name = "values",
     .type = PARAM_LIST,
     .members = name_item,
     .counted = true,
     .min = 1,
     .max = 10000},
    {0},
};

static const struct param needs_members[] = {
    {.name = "cpu",
     .type = PARAM_INT,
     .standard = "1",
     .min = 1,
     .max = 1024,
     .text = "threads that it may use; part of the key where results depend on it"},
    {.name = "mem", .type = PARAM_SIZE, .optional = true, .text = "memory to set aside for it"},
    {.name = "gpu",
     .type = PARAM_GPUS,
     .standard = "0",
     .text = "GPUs to set aside for it: a number, a part of one such as 0.25, or optional: one if "
             "there is one"},
    {0},
};

static const struct param stage_members[] = {
    {.name = "kind", .type = PARAM_STRING, .text = "what it does: `ferdag kinds` lists the kinds"},
    {.name = "for",
     .type = PARAM_NAMED,
     .members = axis_item,
     .max = 16,
     .optional = true,
     .text = "variables and their values: one stage for each combination, NAME/VALUE/..."},
    {.name = "in",
     .type = PARAM_NAMED,
     .members = port_item,
     .optional = true,
     .text =
         "input ports: an entry of inputs, stage.port, or a stage for its main port; \"stage/*\" "
         "is all of a matrix"},
    {.name = "with",
     .type = PARAM_JSON,
     .optional = true,
     .text = "params of the kind: `ferdag kinds KIND` lists them"},
    {.name = "needs",
     .type = PARAM_MAP,
     .members = needs_members,
     .optional = true,
     .text = "what the scheduler sets aside for it"},
    {.name = "out",
     .type = PARAM_NAMED,
     .members = name_item,
     .optional = true,
     .text = "of kind command: output ports and the files that hold them; a name with / at its end "
             "is a folder"},
    {.name = "files",
     .type = PARAM_LIST,
     .members = path_item,
     .single = true,
     .optional = true,
     .text = "of kind command: its code, files and folders relative to this file, which it finds "
             "under the same names"},
    {.name = "env",
     .type = PARAM_LIST,
     .members = name_item,
     .single = true,
     .optional = true,
     .text = "of kind command: environment variables passed to the program; their values are part "
             "of the key"},
    {0},
};

const struct param schema_stage = {.name = "stage", .type = PARAM_MAP, .members = stage_members};

static const struct param stage_item[] = {
    {.name = "stage", .type = PARAM_MAP, .members = stage_members},
    {0},
};

/* In place of this machine's, where it only plans a run on another one. */
static const struct param numerics_members[] = {
    {.name = "net",
     .type = PARAM_STRING,
     .max = 300,
     .optional = true,
     .text =
         "of the nets: the backend and its CPU or GPU, such as cuda NVIDIA H200 sm_90 132 cudnn "
         "9.19.0"},
    {.name = "products",
     .type = PARAM_STRING,
     .max = 300,
     .optional = true,
     .text = "of products of large matrices, which a GPU may compute"},
    {.name = "blas",
     .type = PARAM_STRING,
     .max = 300,
     .optional = true,
     .text = "of other linear algebra, such as openblas 0.3.21 Zen"},
    {0},
};

enum { OWN = 7, REPORTED = 4 };

static const struct param own_members[OWN] = {
    {.name = "ferdag", .type = PARAM_JSON, .text = "version of this format: 2"},
    {.name = "title",
     .type = PARAM_STRING,
     .max = 500,
     .optional = true,
     .text = "a line for the report"},
    {.name = "include",
     .type = PARAM_LIST,
     .members = path_item,
     .single = true,
     .optional = true,
     .text = "files that this one adds to, relative to it; what stands here wins"},
    {.name = "params",
     .type = PARAM_NAMED,
     .members = any_value,
     .optional = true,
     .text = "named values, used as ${name}; --set NAME=VALUE changes one for a run"},
    {.name = "inputs",
     .type = PARAM_NAMED,
     .members = input_item,
     .optional = true,
     .text = "files and folders from outside"},
    {.name = "stages", .type = PARAM_NAMED, .members = stage_item, .text = "the graph"},
    {.name = "numerics",
     .type = PARAM_MAP,
     .members = numerics_members,
     .optional = true,
     .text =
         "what results depend on beside params and inputs, where the run is on another machine: "
         "`ferdag --version --verbose` there prints it"},
};

static const char *const reported[REPORTED] = {"tables", "claims", "paper", "report"};

/* The table of a section: the param of report_tables with that name. */
static struct param section(const char *name)
{
    const struct kind *kind = kind_find("report_tables");
    const struct param *p = kind->params;
    while (p->name && strcmp(p->name, name) != 0)
        p++;
    struct param copy = *p;
    copy.name = name;
    return copy;
}

const struct param *schema_file(struct arena *arena)
{
    struct param *members = arena_alloc(arena, (OWN + REPORTED + 1) * sizeof *members);
    memcpy(members, own_members, sizeof own_members);
    for (size_t i = 0; i < REPORTED; i++)
        members[OWN + i] = section(reported[i]);
    struct param *file = arena_alloc(arena, sizeof *file);
    *file = (struct param){.name = "file", .type = PARAM_MAP, .members = members};
    return file;
}
