/* What may be written in an experiment file: the tables of its sections, and the checking of a node
 * of YAML against such a table. */
#ifndef FERDAG_DAG_EXPERIMENT_SCHEMA_H
#define FERDAG_DAG_EXPERIMENT_SCHEMA_H

#include <jansson.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

enum { FORMAT_VERSION = 2 };

/* The whole file, a MAP; and one stage, whose `with` and `in` hang on its kind. The sections that
 * the report reads are members here too: their tables are params of the kind report_tables. */
const struct param *schema_file(struct arena *arena);
extern const struct param schema_stage;

/* The member of that name, or NULL. */
const struct param *schema_member(const struct param *param, const char *name);

/* Whether the name is one that the setting had in format 1. */
bool schema_was(const struct param *param, const char *name);

/* The first row of a LIST's or NAMED's members. */
const struct param *schema_item(const struct param *param);

/* Whether the node says nothing: NULL or, without quotes, null. */
bool schema_absent(const struct node *node);

/* RAW: a node as it is in a file: a scalar with "${" may be anything, and what must be given may be
 * in another file. WHOLE: expanded. */
enum schema_form { SCHEMA_RAW, SCHEMA_WHOLE };

/* Adds all that is wrong with the node: unknown keys, types, ranges, what must be given. `what`
 * names it in messages: "stages.train", "kind knn" for its
 * params, or "" for the whole file. 0, or -EINVAL if anything was
 * added. */
int schema_check(const struct node *node, const struct param *param, const char *what,
                 enum schema_form form, struct problems *problems);

/* The value of a node, by its type: a STRING is a text even if it reads 1. In a MAP the members in
 * the table's order, with defaults filled in where there are some, and no variables.
 *
 * Of a node that was not found right the rest, so that it can be checked further: null in place of
 * what is wrong in a list or under a name of the user's, and in a MAP that isn't whole nothing in
 * its place, but the key SCHEMA_WRONG. NULL if nothing of it is right. */
#define SCHEMA_WRONG ""
json_t *schema_json(const struct node *node, const struct param *param);

/* A default as JSON. */
json_t *schema_standard(const struct param *param);

/* A problem at a node; NULL: of the file as a whole. Returns -EINVAL. */
int node_problem(struct problems *problems, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* see error.h */
#define node_problem(...) (node_problem(__VA_ARGS__), -1)
#endif

/* A warning at a node. */
void node_warn(struct problems *problems, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A key that is none of the table's: says what would be right. */
int schema_unknown_key(const struct node *key, const struct param *param, const char *what,
                       struct problems *problems);

#endif
