/* Joins the stages of an experiment: references to outputs, users, order. */
#ifndef FERDAG_DAG_WIRE_H
#define FERDAG_DAG_WIRE_H

#include "dag/experiment.h"

/* A stage whose `in:` isn't read yet. */
struct draft {
    struct stage *stage;
    const struct node *entry;
    const struct variable *locals;
    size_t local_count;
};

struct drafts {
    struct draft *items;
    size_t count;
};

/* Reads what each stage takes in. */
int wire_stages(struct experiment *e, const struct drafts *drafts, struct error *err);

/* Appends a stage; its name must be free. */
int wire_add(struct experiment *e, struct stage *stage, struct error *err);

/* Finds users, refuses cycles, puts e->stages into topological order, computes heights. */
int wire_order(struct experiment *e, struct error *err);

#endif
