/* libFuzzer target: any bytes as an experiment file give stages, each after its inputs, or
 * problems; includes of the project's own files work. Run it from the project's root. */
#include <limits.h>
#include "dag/experiment/experiment.h"
#include "tests/fuzz/scratch.h"

static const char *const included[] = {"pipeline.yaml", "tables.yaml", "paper-claims.yaml"};

enum { INCLUDED = sizeof included / sizeof *included };

static void link_name(char *name, size_t size, size_t i)
{
    snprintf(name, size, "%s/%s", scratch_folder, included[i]);
}

static void unlink_included(void)
{
    char name[200];
    for (size_t i = 0; i < INCLUDED; i++) {
        link_name(name, sizeof name, i);
        unlink(name);
    }
}

static void link_included(void)
{
    char from[100], full[PATH_MAX], name[200];
    for (size_t i = 0; i < INCLUDED; i++) {
        snprintf(from, sizeof from, "experiments/%s", included[i]);
        link_name(name, sizeof name, i);
        if (!realpath(from, full) || symlink(full, name) < 0)
            abort();
    }
    atexit(unlink_included); /* before the folder is removed: the last registered is called first */
}

static void check(const struct experiment *e)
{
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->stages[i];
        if (stage->place != i || !stage->kind || experiment_stage(e, stage->name) != stage)
            abort();
        for (size_t k = 0; k < stage->input_count; k++) {
            const struct edge *edge = &stage->inputs[k];
            if (edge->from && (edge->from->place >= i || edge->output >= edge->from->output_count))
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool linked;
    struct experiment experiment;
    struct error err = {""};
    struct problems problems = {0};
    const char *path = scratch_file(data, size);
    if (!linked)
        link_included();
    linked = true;
    int rc = experiment_load(&experiment, path, NULL, 0, &problems);
    if (problems_first(&problems, &err) != rc)
        abort();
    scratch_check(rc, &err);
    if (rc == 0) {
        check(&experiment);
        experiment_free(&experiment);
    }
    problems_free(&problems);
    return 0;
}
