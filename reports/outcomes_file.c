/* See outcomes_file.h. */
#include "reports/outcomes_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"
#include "stages/job.h"

struct outcomes {
    json_t *images, *cells;
};

/* The name of a set of images among those seen, which gets the set if it is new. NULL without
 * memory. */
static const char *images_name(struct outcomes *o, json_t *truth)
{
    const char *name;
    json_t *known;
    char next[24];
    json_object_foreach(o->images, name, known) if (json_equal(known, truth)) return name;
    snprintf(next, sizeof next, "%zu", json_object_size(o->images) + 1);
    if (json_object_set(o->images, next, truth) < 0)
        return NULL;
    json_object_foreach(o->images, name, known) if (known == truth) return name;
    return NULL;
}

/* Adds a cell's outcomes under its name. */
static int add_cell(struct outcomes *o, const char *name, const json_t *outcomes)
{
    json_t *first = json_object_get(json_array_get(outcomes, 0), "truth"), *item;
    json_t *predicted = json_array();
    size_t i;
    int rc = 0;
    json_array_foreach((json_t *)outcomes, i, item)
    {
        if (!json_equal(json_object_get(item, "truth"), first)) {
            json_decref(predicted);
            return 0;
        }
        rc |= json_array_append(predicted, json_object_get(item, "predicted"));
    }
    const char *images = first ? images_name(o, first) : NULL;
    if (rc < 0 || !images) {
        json_decref(predicted);
        return -ENOMEM;
    }
    return json_object_set_new(o->cells, name,
                               json_pack("{s:s, s:o}", "images", images, "predicted", predicted));
}

static int add_table(struct outcomes *o, const json_t *table)
{
    size_t r, c;
    json_t *row, *cell;
    int rc = 0;
    json_array_foreach(json_object_get(table, "rows"), r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        const json_t *outcomes = json_object_get(cell, "outcomes");
        if (!outcomes)
            continue;
        char *name = format_string("%s/%s/%s", cells_string(table, "id"), cells_string(row, "id"),
                                   cells_string(cell, "column"));
        rc |= name ? add_cell(o, name, outcomes) : -ENOMEM;
        free(name);
    }
    return rc;
}

int outcomes_write(const char *folder, const json_t *tables, struct error *err)
{
    struct outcomes o = {json_object(), json_object()};
    size_t i;
    json_t *table;
    int rc = o.images && o.cells ? 0 : -ENOMEM;
    json_array_foreach((json_t *)tables, i, table) rc |= add_table(&o, table);
    bool any = json_object_size(o.cells) > 0;
    char *path = format_string("%s/outcomes.json", folder);
    json_t *root = json_pack("{s:o, s:o}", "images", o.images, "cells", o.cells);
    if (rc < 0 || !root || !path) {
        json_decref(root);
        free(path);
        return error_set(err, ENOMEM, "out of memory writing %s/outcomes.json", folder);
    }
    if (any)
        rc = job_write_json(path, root, err);
    else
        json_decref(root);
    free(path);
    return rc;
}
