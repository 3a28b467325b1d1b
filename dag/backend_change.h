/* Results of another backend than that of this run: a GPU was added to the machine, say, and
 * `--backend auto` takes it now. */
#ifndef FERDAG_DAG_BACKEND_CHANGE_H
#define FERDAG_DAG_BACKEND_CHANGE_H

#include "dag/plan.h"

/* The number of stages that would run now and whose last result differs in its numerics alone,
 * which name another backend. Of stages whose inputs aren't known yet the inputs aren't compared.
 * *backend is the other backend, the one with the most stages. */
size_t backend_change_count(const struct plan *plan, const char **backend);

#endif
