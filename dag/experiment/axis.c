/* See axis.h. */
#include "dag/experiment/axis.h"
#include "dag/experiment/parts.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The param that a text consists of, as "${seeds}"; NULL if it is another text. */
static const struct node *find_param(const struct experiment *e, const struct node *raw,
                                     const char **name)
{
    size_t n = raw->type == NODE_SCALAR ? strlen(raw->text) : 0;
    if (n < 4 || strncmp(raw->text, "${", 2) != 0 || raw->text[n - 1] != '}')
        return NULL;
    *name = arena_copy(e->arena, raw->text + 2, n - 3);
    return node_get(e->params, *name);
}

/* Appends 1, 2, ..., n to `good`, for a scalar with the text n. */
static int count_up(struct experiment *e, const struct node *node, struct node *good)
{
    long n = strtol(node->text, NULL, 10);
    struct scope scope = experiment_scope(e, NULL, 0);
    if (scope_count_steps(&scope, node, (size_t)n, e->problems) < 0)
        return -EINVAL;
    for (long i = 1; i <= n; i++)
        node_append(e->arena, good, NULL,
                    node_scalar(e->arena, node, arena_print(e->arena, "%ld", i), true));
    return 0;
}

static bool has_text(const struct node *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i]->text, text) == 0)
            return true;
    return false;
}

/* Appends the valid values of a list to `good`. */
static int read_list(struct experiment *e, const char *what, const struct node *list,
                     struct node *good)
{
    int rc = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct node *value = list->items[i];
        if (value->type != NODE_SCALAR || !experiment_name_is_valid(value->text, "-.+"))
            rc = node_problem(e->problems, value,
                              "%s: a value becomes part of a name; expected letters, digits, "
                              "_ - . +",
                              what);
        else if (has_text(good, value->text))
            rc = node_problem(e->problems, value, "%s: '%s' is given twice", what, value->text);
        else
            node_append(e->arena, good, NULL, value);
    }
    return rc;
}

int axis_read(struct experiment *e, const struct axis_values *axis, struct node **good)
{
    const char *name = NULL;
    const struct node *param = find_param(e, axis->raw, &name);
    struct node values = *axis->values;
    int rc = 0;
    if (param) {
        values.file = param->file;
        values.line = param->line;
        values.column = param->column;
    }
    *good = node_empty(e->arena, &values, NODE_LIST);
    if (!experiment_name_is_valid(axis->key->text, "-"))
        rc = node_problem(e->problems, axis->key, "'%s' can't name a variable", axis->key->text);
    const char *what = param ? name : axis->what;
    bool valid = schema_check(&values, axis->schema, what, SCHEMA_WHOLE, e->problems) == 0;
    if (values.type == NODE_LIST)
        rc = read_list(e, param ? name : axis->section, &values, *good) < 0 ? -EINVAL : rc;
    else if (valid)
        rc = count_up(e, &values, *good) < 0 ? -EINVAL : rc;
    return valid ? rc : -EINVAL;
}
