/* Questions below a table, which the report answers from its cells: checks as in claims.h, whose
 * texts ask something. No claim depends on them. */
#ifndef FERDAG_REPORTS_QUESTIONS_H
#define FERDAG_REPORTS_QUESTIONS_H

#include <jansson.h>
#include "base/error.h"

/* Puts the answers to a table's `asks`, a list of checks whose texts are questions, behind its
 * note: "Is it above? On the public set: yes, 71.74 against 70.58 (+1.16 ± 1.07)." section is the
 * experiment's `tables`; tables is what cells_evaluate made of it and is changed. Returns 0,
 * -EINVAL for a malformed check, -ENOMEM. */
int questions_answer(const json_t *section, json_t *tables, struct error *err);

#endif
