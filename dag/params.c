/* See params.h. */
#include "dag/params.h"
#include "dag/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

enum { POINTER_LIMIT = 2000 };

/* The item of a node that one segment of a pointer names, or NULL. ~1 stands for / and ~0 for ~. */
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
    unsigned long place = strtoul(name, &end, 10);
    return node->type == NODE_LIST && end != name && !*end && place < node->count
               ? node->items[place]
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

void params_locate(const struct problems *found, const struct node *root, struct problems *problems)
{
    for (size_t i = 0; i < found->count; i++)
        node_problem(problems, locate(root, found->items[i].file), "%s", found->items[i].text);
}

/* ---- reading ---- */

/* What the tables can't say. */
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
    if (raw < 0 || rc < 0)
        return -EINVAL;
    rc = schema_check(expanded, &table, what, SCHEMA_WHOLE, problems);
    if (rc < 0)
        return rc;
    json_t *values = schema_json(expanded, &table);
    rc = check_further(kind, values, expanded, problems);
    if (rc < 0)
        json_decref(values);
    else
        *params = values;
    return rc;
}
