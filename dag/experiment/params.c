/* See params.h. */
#include "dag/experiment/params.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- positions of problems ---- */

enum { POINTER_LIMIT = 2000 };

/* The item of a node for a segment of a JSON pointer, or NULL. ~1 is / and ~0 is ~. */
static const struct node *descend(const struct node *node, const char *segment, size_t n)
{
    char name[POINTER_LIMIT];
    size_t k = 0;
    for (size_t i = 0; i < n && k < sizeof name - 1; i++) {
        bool escaped = segment[i] == '~' && i + 1 < n;
        name[k++] = !escaped ? segment[i] : segment[i + 1] == '1' ? '/' : '~';
        i += escaped;
    }
    name[k] = 0;
    if (node->type == NODE_MAP)
        return node_get(node, name);
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    return node->type == NODE_LIST && end != name && !*end && index < node->count
               ? node->items[index]
               : NULL;
}

static const struct node *locate(const struct node *root, const char *pointer)
{
    const struct node *node = root;
    while (node && *pointer == '/') {
        size_t n = strcspn(++pointer, "/");
        const struct node *next = descend(node, pointer, n);
        if (!next)
            break;
        node = next;
        pointer += n;
    }
    return node;
}

static bool same_position(const struct node *a, const struct node *b)
{
    return a && b && a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0;
}

/* Problems at one position, such as those of all cells of a table with one pattern, are reported
 * once. */
void params_locate(const struct problems *found, const struct node *root, struct problems *problems)
{
    const struct node **nodes = must_alloc((found->count + 1) * sizeof(const struct node *));
    for (size_t i = 0; i < found->count; i++)
        nodes[i] = locate(root, found->items[i].file);
    for (size_t i = 0; i < found->count; i++) {
        char more[60] = "";
        size_t n = 0, first = i;
        for (size_t k = 0; k < found->count; k++) {
            bool same = same_position(nodes[i], nodes[k]);
            n += same && k > i;
            first = same && k < first ? k : first;
        }
        if (n > 0)
            snprintf(more, sizeof more, " (and so %zu more)", n);
        if (first == i)
            node_problem(problems, nodes[i], "%s%s", found->items[i].text, more);
    }
    free(nodes);
}

/* ---- reading ---- */

/* Calls the kind's own check, for what tables can't describe. */
static int check_further(const struct kind *kind, const json_t *params, const struct node *with,
                         struct problems *problems)
{
    struct problems found = {0};
    if (!kind->check)
        return 0;
    kind->check(params, &found);
    params_locate(&found, with, problems);
    int rc = problems_any(&found) ? -EINVAL : 0;
    problems_free(&found);
    return rc;
}

int params_read(const struct kind *kind, struct scope *scope, const struct node *with,
                const struct node *where, json_t **params, struct problems *problems)
{
    const struct param table = {.name = "with", .type = PARAM_MAP, .members = kind->params};
    char what[100];
    snprintf(what, sizeof what, "kind %s", kind->name);
    struct node *expanded = node_empty(scope->arena, where, NODE_MAP);
    int raw = with ? schema_check(with, &table, what, SCHEMA_RAW, problems) : 0;
    int rc = with ? scope_expand(scope, with, &expanded, problems) : 0;
    if (rc < 0 && with->type == NODE_SCALAR)
        return rc;
    if (schema_check(expanded, &table, what, SCHEMA_WHOLE, problems) < 0 || raw < 0 || rc < 0)
        return -EINVAL;
    json_t *values = schema_json(expanded, &table);
    rc = check_further(kind, values, expanded, problems);
    if (rc < 0)
        json_decref(values);
    else
        *params = values;
    return rc;
}
