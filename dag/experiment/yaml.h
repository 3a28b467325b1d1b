/* YAML as a tree of nodes with their places in the file, built from libyaml's events.
 *
 * Input is hostile: the file's size, the depth and the number of nodes (an alias counts each time
 * it is used) are bounded; keys must be scalars and unique; tags are refused. An alias is the same
 * node as its anchor, so nodes are shared and must not be changed. */
#ifndef FERDAG_DAG_EXPERIMENT_YAML_H
#define FERDAG_DAG_EXPERIMENT_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/arena.h"

enum node_type { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_type type;
    const char *file;    /* the path by which it was opened */
    int line, column;    /* from 1 */
    const char *text;    /* of a scalar */
    bool plain;          /* a scalar without quotes: 1 is a number, ~ is null */
    size_t count;        /* items of a list, or entries of a map */
    struct node **items; /* a list's items, or a map's values */
    struct node **keys;  /* a map's keys, in the file's order */
    bool broken;         /* it could not be expanded, which was reported; its value is unknown */
    bool unset;          /* a null that removes an included file's value */
    bool used;           /* of a param: a ${...} refers to it or to something in it */
    size_t weight;       /* nodes in it, itself included; shared ones count each time */
    size_t *order;       /* indices of a map's keys sorted by text, or NULL; see node_seal */
};

/* Parses a file, or a text of `size` bytes that has a 0 byte after its end (`file` names it in
 * errors). One document, in UTF-8 or, with a byte order mark, UTF-16. *root belongs to the arena.
 * Returns 0, or a negative code with place and cause in err. */
int yaml_read(struct arena *arena, const char *file, struct node **root, struct error *err);
int yaml_parse(struct arena *arena, const char *file, const char *text, size_t size,
               struct node **root, struct error *err);

/* The value of a map's key. NULL if the map lacks it, or `map` is NULL or not a map. */
struct node *node_get(const struct node *map, const char *key);
/* The index of a key, given as the first n bytes of `key`. NOWHERE if the map lacks it, or `map` is
 * NULL or not a map. */
#define NOWHERE SIZE_MAX
size_t node_find(const struct node *map, const char *key, size_t n);
bool node_is_null(const struct node *node); /* ~, null or nothing, without quotes */

/* New nodes with the place of `place`. */
struct node *node_scalar(struct arena *arena, const struct node *place, const char *text,
                         bool plain);
struct node *node_broken(struct arena *arena, const struct node *place);
struct node *node_empty(struct arena *arena, const struct node *place, enum node_type type);
/* Appends to a list (key NULL) or a map that node_empty made. */
void node_append(struct arena *arena, struct node *to, struct node *key, struct node *value);
/* Sorts a large map's keys, so that node_get is a binary search. Appending drops the index. */
void node_seal(struct arena *arena, struct node *map);

/* Converts to JSON (a new reference): plain scalars by YAML's core schema, maps in file order. */
json_t *node_json(const struct node *node);

/* error_set with "file:line:column: " in front. Returns -EINVAL. */
int node_error(struct error *err, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* see error.h */
#define node_error(err, node, ...) (node_error(err, node, __VA_ARGS__), -1)
#endif

/* "a map", "a list" or "a scalar", for messages. */
const char *node_form(const struct node *node);

#endif
