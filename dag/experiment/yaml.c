/* See yaml.h. */
#define _GNU_SOURCE
#include "dag/experiment/yaml.h"
#include "base/file.h"
#include "dag/experiment/yaml_text.h"

#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    FILE_LIMIT = 4 << 20,
    DEPTH_LIMIT = 64,
    NODE_LIMIT = 200000,
    SEALED_FROM = 32, /* keys; a map with fewer is searched in a line */
};

struct anchor {
    const char *name;
    struct node *node; /* the last node with that anchor so far */
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current event */
    struct arena *arena;
    const char *file, *text;
    size_t size;
    const char *advice; /* appended to an error in the text's encoding */
    void *anchors;      /* a tree of struct anchor, by name */
    size_t node_count;
    struct error *err;
};

int(node_error)(struct error *err, const struct node *node, const char *format, ...)
{
    char text[900];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!node)
        return error_set(err, EINVAL, "%s", text);
    return error_set(err, EINVAL, "%s:%d:%d: %s", node->file, node->line, node->column, text);
}

const char *node_form(const struct node *node)
{
    static const char *const forms[] = {"a scalar", "a list", "a map"};
    return forms[node->type];
}

/* As strcmp, with the first n bytes of b. */
static int compare(const char *a, const char *b, size_t n)
{
    int order = strncmp(a, b, n);
    return order ? order : a[n] != 0;
}

static size_t search(const struct node *map, const char *key, size_t n)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2, place = map->order[middle];
        int order = compare(map->keys[place]->text, key, n);
        if (order == 0)
            return place;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NOWHERE;
}

size_t node_find(const struct node *map, const char *key, size_t n)
{
    if (!map || map->type != NODE_MAP)
        return NOWHERE;
    if (map->order)
        return search(map, key, n);
    for (size_t i = 0; i < map->count; i++)
        if (compare(map->keys[i]->text, key, n) == 0)
            return i;
    return NOWHERE;
}

struct node *node_get(const struct node *map, const char *key)
{
    size_t place = node_find(map, key, strlen(key));
    return place == NOWHERE ? NULL : map->items[place];
}

bool node_is_null(const struct node *node)
{
    return node->type == NODE_SCALAR && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

struct node *node_empty(struct arena *arena, const struct node *place, enum node_type type)
{
    struct node *node = arena_alloc(arena, sizeof *node);
    *node = (struct node){.type = type,
                          .file = place->file,
                          .line = place->line,
                          .column = place->column,
                          .weight = 1};
    return node;
}

struct node *node_scalar(struct arena *arena, const struct node *place, const char *text,
                         bool plain)
{
    struct node *node = node_empty(arena, place, NODE_SCALAR);
    node->text = text;
    node->plain = plain;
    return node;
}

struct node *node_broken(struct arena *arena, const struct node *place)
{
    struct node *node = node_scalar(arena, place, "", false);
    node->broken = true;
    return node;
}

void node_append(struct arena *arena, struct node *to, struct node *key, struct node *value)
{
    to->items = arena_push(arena, to->items, to->count, sizeof *to->items);
    to->items[to->count] = value;
    if (to->type == NODE_MAP) {
        to->keys = arena_push(arena, to->keys, to->count, sizeof *to->keys);
        to->keys[to->count] = key;
    }
    to->count++;
    to->order = NULL;
    to->weight += value->weight + (key ? key->weight : 0);
}

static int by_text(const void *a, const void *b, void *keys)
{
    struct node *const *of = keys;
    return strcmp(of[*(const size_t *)a]->text, of[*(const size_t *)b]->text);
}

void node_seal(struct arena *arena, struct node *map)
{
    if (map->count < SEALED_FROM)
        return;
    map->order = arena_alloc(arena, map->count * sizeof *map->order);
    for (size_t i = 0; i < map->count; i++)
        map->order[i] = i;
    qsort_r(map->order, map->count, sizeof *map->order, by_text, map->keys);
}

static int fail_at(struct reader *r, yaml_mark_t mark, const char *text)
{
    return error_set(r->err, EINVAL, "%s:%zu:%zu: %s", r->file, mark.line + 1, mark.column + 1,
                     text);
}

/* Reports a fault below YAML's grammar, at which libyaml stops. */
static int fail_to_read(struct reader *r, const char *problem)
{
    struct text_fault fault;
    yaml_text_fault(r->text, r->size, r->parser.problem_offset, problem, &fault);
    return error_set(r->err, EINVAL, "%s:%zu:%zu: %s%s", r->file, fault.line, fault.column,
                     fault.what, fault.coding ? r->advice : "");
}

/* Moves on to the next event. */
static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return 0;
    memset(&r->event, 0, sizeof r->event);
    if (r->parser.error == YAML_MEMORY_ERROR)
        must(NULL);
    const char *problem = r->parser.problem ? r->parser.problem : "it is not YAML";
    if (r->parser.error == YAML_READER_ERROR)
        return fail_to_read(r, problem);
    return fail_at(r, r->parser.problem_mark, problem);
}

static struct node *place_node(struct reader *r, enum node_type type)
{
    yaml_mark_t mark = r->event.start_mark;
    struct node here = {
        .file = r->file, .line = (int)mark.line + 1, .column = (int)mark.column + 1};
    return node_empty(r->arena, &here, type);
}

static int compare_keys(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int order = strcmp(x->text, y->text);
    if (order)
        return order;
    return x->line != y->line ? x->line - y->line : x->column - y->column;
}

static int check_unique(struct reader *r, const struct node *map)
{
    if (map->count < 2)
        return 0;
    struct node **sorted = must_alloc(map->count * sizeof *sorted);
    memcpy(sorted, map->keys, map->count * sizeof *sorted);
    qsort(sorted, map->count, sizeof *sorted, compare_keys);
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < map->count; i++)
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
            rc = node_error(r->err, sorted[i], "key '%s' was given before, on line %d",
                            sorted[i]->text, sorted[i - 1]->line);
    free(sorted);
    return rc;
}

static int read_node(struct reader *r, int depth, struct node **out);

static int read_map(struct reader *r, int depth, struct node *map)
{
    while (r->event.type != YAML_MAPPING_END_EVENT) {
        struct node *key, *value;
        int rc = read_node(r, depth + 1, &key);
        if (rc == 0 && key->type != NODE_SCALAR)
            rc = node_error(r->err, key, "a key must be a scalar, not %s", node_form(key));
        if (rc == 0 && key->plain && strcmp(key->text, "<<") == 0)
            rc = node_error(r->err, key,
                            "merge keys (<<) are not supported: use an alias for a whole value, "
                            "${name} for a param, or include");
        if (rc == 0)
            rc = read_node(r, depth + 1, &value);
        if (rc != 0)
            return rc;
        node_append(r->arena, map, key, value);
    }
    int rc = check_unique(r, map);
    if (rc < 0)
        return rc;
    node_seal(r->arena, map);
    return next(r);
}

static int read_list(struct reader *r, int depth, struct node *list)
{
    while (r->event.type != YAML_SEQUENCE_END_EVENT) {
        struct node *item;
        int rc = read_node(r, depth + 1, &item);
        if (rc < 0)
            return rc;
        node_append(r->arena, list, NULL, item);
    }
    return next(r);
}

static int read_scalar(struct reader *r, struct node *node)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;
    if (memchr(text, 0, length))
        return fail_at(r, r->event.start_mark, "a text may not hold a 0 byte");
    node->text = arena_copy(r->arena, text, length);
    node->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return next(r);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static int read_alias(struct reader *r, struct node **out)
{
    struct anchor wanted = {.name = (const char *)r->event.data.alias.anchor};
    struct anchor *const *found = tfind(&wanted, &r->anchors, by_name);
    if (!found)
        return fail_at(r, r->event.start_mark, "this alias names no anchor above it");
    *out = (*found)->node;
    return next(r);
}

/* A second anchor of a name replaces the first for the aliases below it. */
static void add_anchor(struct reader *r, const char *name, struct node *node)
{
    struct anchor *anchor = arena_alloc(r->arena, sizeof *anchor);
    anchor->name = name;
    struct anchor *const *found = must(tsearch(anchor, &r->anchors, by_name));
    (*found)->node = node;
}

static void keep(void *anchor)
{
    (void)anchor; /* the arena owns it */
}

static int read_node(struct reader *r, int depth, struct node **out)
{
    const char *tag = NULL, *anchor = NULL;
    enum node_type type = NODE_SCALAR;
    if (depth > DEPTH_LIMIT)
        return fail_at(r, r->event.start_mark, "nested more than 64 deep");
    if (++r->node_count > NODE_LIMIT)
        return fail_at(r, r->event.start_mark, "more than 200000 nodes");
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return read_alias(r, out);
    case YAML_SCALAR_EVENT:
        tag = (const char *)r->event.data.scalar.tag;
        anchor = (const char *)r->event.data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        tag = (const char *)r->event.data.sequence_start.tag;
        anchor = (const char *)r->event.data.sequence_start.anchor;
        type = NODE_LIST;
        break;
    case YAML_MAPPING_START_EVENT:
        tag = (const char *)r->event.data.mapping_start.tag;
        anchor = (const char *)r->event.data.mapping_start.anchor;
        type = NODE_MAP;
        break;
    default:
        return fail_at(r, r->event.start_mark, "expected a value");
    }
    if (tag)
        return fail_at(r, r->event.start_mark, "tags are not supported");
    const char *name = anchor ? arena_copy(r->arena, anchor, strlen(anchor)) : NULL;
    struct node *node = place_node(r, type);
    int rc = type == NODE_SCALAR ? read_scalar(r, node) : next(r);
    if (rc == 0 && type == NODE_MAP)
        rc = read_map(r, depth, node);
    if (rc == 0 && type == NODE_LIST)
        rc = read_list(r, depth, node);
    if (rc == 0 && node->weight > NODE_LIMIT)
        rc = node_error(r->err, node, "aliases make this more than 200000 nodes");
    if (rc == 0 && name)
        add_anchor(r, name, node); /* set after the node's end, so that no node contains itself */
    *out = node;
    return rc;
}

/* The line of a "%TAG" directive, or 0. Refused, because libyaml's time for them is quadratic. */
static size_t tag_line(const char *text)
{
    size_t line = 1;
    text += strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    for (; strchr("%# \t\r\n", *text) && *text; line++) {
        if (strncmp(text, "%TAG", 4) == 0)
            return line;
        text += strcspn(text, "\r\n");
        text += *text == '\r' && text[1] == '\n';
        text += *text != 0;
    }
    return 0;
}

static int read_document(struct reader *r, struct node **root)
{
    size_t tags = tag_line(r->text);
    if (tags)
        return error_set(r->err, EINVAL, "%s:%zu:1: tags are not supported", r->file, tags);
    int rc = next(r); /* stream start */
    if (rc == 0)
        rc = next(r);
    if (rc == 0 && r->event.type == YAML_STREAM_END_EVENT)
        return error_set(r->err, EINVAL, "%s:1:1: the file is empty; expected a map", r->file);
    if (rc == 0)
        rc = next(r); /* document start */
    if (rc == 0)
        rc = read_node(r, 0, root);
    if (rc == 0)
        rc = next(r); /* document end */
    if (rc == 0 && r->event.type != YAML_STREAM_END_EVENT)
        rc = fail_at(r, r->event.start_mark, "expected one document, here a second begins");
    return rc;
}

static int parse(struct arena *arena, const char *file, const char *text, size_t size,
                 const char *advice, struct node **root, struct error *err)
{
    struct reader r = {.arena = arena, .text = text, .size = size, .advice = advice, .err = err};
    r.file = arena_copy(arena, file, strlen(file));
    if (!yaml_parser_initialize(&r.parser))
        must(NULL);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    int rc = read_document(&r, root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    tdestroy(r.anchors, keep);
    return rc;
}

int yaml_parse(struct arena *arena, const char *file, const char *text, size_t size,
               struct node **root, struct error *err)
{
    return parse(arena, file, text, size, "", root, err);
}

int yaml_read(struct arena *arena, const char *file, struct node **root, struct error *err)
{
    char *text;
    size_t size;
    int rc = file_read(file, FILE_LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    rc = parse(arena, file, text, size, "; save the file as UTF-8", root, err);
    free(text);
    return rc;
}

/* Plain scalars, by YAML 1.2's core schema without its octal and hexadecimal forms. */
static json_t *scalar_json(const struct node *node)
{
    const char *text = node->text;
    char *end;
    if (!node->plain)
        return must(json_string(text));
    if (node_is_null(node))
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (strspn(text, "+-.0123456789eE") == strlen(text) && strpbrk(text, "0123456789")) {
        errno = 0;
        long long whole = strtoll(text, &end, 10);
        if (!*end && errno == 0)
            return must(json_integer(whole));
        double real = strtod(text, &end);
        if (!*end && isfinite(real))
            return must(json_real(real));
    }
    return must(json_string(text));
}

json_t *node_json(const struct node *node)
{
    if (node->type == NODE_SCALAR)
        return scalar_json(node);
    json_t *json = must(node->type == NODE_LIST ? json_array() : json_object());
    for (size_t i = 0; i < node->count; i++) {
        json_t *item = node_json(node->items[i]);
        if (node->type == NODE_LIST ? json_array_append_new(json, item)
                                    : json_object_set_new(json, node->keys[i]->text, item))
            must(NULL);
    }
    return json;
}
