/* Expands "${name}": local variables (of a `for:` or of a table) are looked up first, then params.
 *
 * A dotted name is a path into maps (${width.vgg19}). Names nest and expand from the inside out
 * (${width.${model}}). "$$" is a literal "$", and so is a "$" that no "{" follows. A scalar that
 * consists of one "${name}" takes the value itself, which may be a list or a map. */
#ifndef FERDAG_DAG_EXPERIMENT_SCOPE_H
#define FERDAG_DAG_EXPERIMENT_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"

struct variable {
    const char *name;
    const struct node *value; /* expanded */
    bool *used;               /* set when the variable is looked up; may be NULL */
};

struct scope {
    struct arena *arena;
    const struct node *params; /* a map, not expanded; NULL: no params */
    const struct variable *locals;
    size_t local_count;
    bool environment;      /* environment variables are allowed too: ${X} and ${X:-default} */
    bool used_environment; /* set when the environment gave a value */
    size_t *steps;         /* work done for the whole experiment; expansion stops at a limit */
};

/* Expands a node and everything in it. *out has node's place in the file and belongs to the arena.
 * Adds every error to problems and returns -EINVAL if there was one: then *out is unchanged for a
 * scalar, and a list or map with a `broken` node for each item that could not be expanded. */
int scope_expand(struct scope *scope, const struct node *node, struct node **out,
                 struct problems *problems);
/* Expands a node that must give a scalar; *out is its text. */
int scope_text(struct scope *scope, const struct node *node, const char **out,
               struct problems *problems);
/* Counts work that the caller does, such as values that it makes. -EINVAL if it becomes too much,
 * which is added to problems once. */
int scope_count_steps(struct scope *scope, const struct node *node, size_t steps,
                      struct problems *problems);

#endif
