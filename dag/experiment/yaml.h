/* YAML as a tree of nodes that know where they stand, read from libyaml's events.
 *
 * All input is hostile: the size of the file, the depth and the number of nodes (aliases
 * counted as often as they are used) are bounded, keys are scalars and unique. An alias is the very
 * node that its anchor names, so nodes are shared and never changed. Tags are refused. */
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
    const char *file;    /* as it was named to us */
    int line, column;    /* from 1 */
    const char *text;    /* of a scalar */
    bool plain;          /* scalar without quotes: 1 is a number, ~ is null */
    size_t count;        /* of a list's items or a map's entries */
    struct node **items; /* a list's items, or a map's values */
    struct node **keys;  /* a map's keys, in the file's order */
    bool broken;   /* it couldn't be expanded, which was reported: what it holds isn't known */
    bool unset;    /* null that stands over another file's value, to take it away */
    bool used;     /* of a param: a ${...} looked it, or something in it, up */
    size_t weight; /* nodes in it, itself included, shared ones each time */
    size_t *order; /* of a large map's keys by text, or NULL; see node_seal */
};

/* Reads the one document of a file, or of a text (with a 0 byte after its end) that `file` names in
 * errors: UTF-8 or, with a byte order mark, UTF-16, as YAML has it. */
int yaml_read(struct arena *arena, const char *file, struct node **root, struct error *err);
int yaml_parse(struct arena *arena, const char *file, const char *text, size_t size,
               struct node **root, struct error *err);

/* Value of a map's key, or NULL; also for a node that is NULL or no map. */
struct node *node_get(const struct node *map, const char *key);
/* Place of a key, the first n bytes of `key`, in a map; NOWHERE if it has none, also for a node
 * that is NULL or no map. */
#define NOWHERE SIZE_MAX
size_t node_find(const struct node *map, const char *key, size_t n);
bool node_is_null(const struct node *node); /* ~, null or nothing, without quotes */

/* New nodes that stand where `place` stands. */
struct node *node_scalar(struct arena *arena, const struct node *place, const char *text,
                         bool plain);
struct node *node_broken(struct arena *arena, const struct node *place);
struct node *node_empty(struct arena *arena, const struct node *place, enum node_type type);
/* Appends to a list (key NULL) or a map made by node_empty. */
void node_append(struct arena *arena, struct node *to, struct node *key, struct node *value);
/* Makes node_get fast in a map that is whole; until it is appended to. Its keys are unique. */
void node_seal(struct arena *arena, struct node *map);

/* As JSON: plain scalars as YAML's core schema reads them, maps in the file's order. */
json_t *node_json(const struct node *node);

/* error_set with "file:line:column: " in front; returns -EINVAL. */
int node_error(struct error *err, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* see error.h */
#define node_error(err, node, ...) (node_error(err, node, __VA_ARGS__), -1)
#endif

/* "a map", "a list" or "a scalar", for errors. */
const char *node_form(const struct node *node);

#endif
