/* The schema of an experiment file: the tables of its sections, and functions that check a YAML
 * node against a table and convert it to JSON. */
#ifndef FERDAG_DAG_EXPERIMENT_SCHEMA_H
#define FERDAG_DAG_EXPERIMENT_SCHEMA_H

#include <jansson.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

enum { FORMAT_VERSION = 2 };

/* The table of the whole file (a MAP), and that of one stage. A stage's `with` and `in` depend on
 * its kind and are not described here. The sections tables, claims, paper and report have the
 * tables of the params of kind report_tables. */
const struct param *schema_file(struct arena *arena);
extern const struct param schema_stage;

/* The member with that name, or NULL. */
const struct param *schema_member(const struct param *param, const char *name);

/* Whether the setting had that name in format 1. */
bool schema_was(const struct param *param, const char *name);

/* The table of an item of a LIST or NAMED. */
const struct param *schema_item(const struct param *param);

/* Whether there is no value: the node is NULL, or a null without quotes. */
bool schema_absent(const struct node *node);

/* RAW: a node as one file has it. A scalar with "${" matches any type, and a required key may be in
 * another file. WHOLE: a node after merging and expansion. */
enum schema_form { SCHEMA_RAW, SCHEMA_WHOLE };

/* Checks a node: unknown keys, types, ranges, required keys. Adds every error to problems. `what`
 * names the node in messages: "stages.train", "kind knn" for its params, "" for the whole file.
 * Returns 0, or -EINVAL if an error was added. */
int schema_check(const struct node *node, const struct param *param, const char *what,
                 enum schema_form form, struct problems *problems);

/* A node's value as JSON (a new reference), converted by the param's type: a STRING stays text even
 * if it reads 1. A MAP has its members in the table's order, with defaults.
 *
 * A node with errors gives the valid rest, so that further checks can run: null in place of a wrong
 * item of a list or of NAMED; in a MAP a wrong member is left out and the key SCHEMA_WRONG is
 * added. NULL if nothing in the node is valid. */
#define SCHEMA_WRONG ""
json_t *schema_json(const struct node *node, const struct param *param);

/* A param's default as JSON (a new reference). */
json_t *schema_standard(const struct param *param);

/* Adds an error with the node's place (NULL: without a place). Returns -EINVAL. */
int node_problem(struct problems *problems, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* see error.h */
#define node_problem(...) (node_problem(__VA_ARGS__), -1)
#endif

/* Adds a warning with the node's place. */
void node_warn(struct problems *problems, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
