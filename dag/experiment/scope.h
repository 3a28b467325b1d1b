/* What "${name}" stands for: variables of a `for:` or a table first, then params.
 *
 * Names reach into maps with dots (${width.vgg19}) and may be built from others, innermost first
 * (${width.${model}}). "$$" is a literal "$"; a "$" before anything but "{" is just itself. A
 * scalar that is nothing but one "${name}" becomes the very value, list or map included. */
#ifndef FERDAG_DAG_EXPERIMENT_SCOPE_H
#define FERDAG_DAG_EXPERIMENT_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/problems.h"
#include "dag/experiment/yaml.h"

struct variable {
    const char *name;
    const struct node *value; /* already expanded */
    bool *used;               /* set when it is looked up; may be NULL */
};

struct scope {
    struct arena *arena;
    const struct node *params;     /* a map, as written: expanded when looked up; may be NULL */
    const struct variable *locals; /* looked at before params */
    size_t local_count;
    bool environment; /* a name that is neither may be an environment variable: ${X:-otherwise} */
    bool used_environment; /* set when one gave a value */
    size_t *steps;         /* counts the work of a whole experiment, so that it has an end */
};

/* Expands a node and all in it; *out stands where node stands. -EINVAL if something was added to
 * problems: all that is wrong with it. Then *out is unchanged for a scalar, and for others as far
 * as possible the rest, with a `broken` node for each item that couldn't be expanded. */
int scope_expand(struct scope *scope, const struct node *node, struct node **out,
                 struct problems *problems);
/* The same for what must be a scalar. */
int scope_text(struct scope *scope, const struct node *node, const char **out,
               struct problems *problems);

#endif
