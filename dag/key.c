/* See key.h. */
#include "dag/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lines of the text that are sorted before they are written. */
struct lines {
    struct arena *arena;
    char **items;
    size_t count;
};

static void add(struct lines *lines, char *text)
{
    lines->items = arena_push(lines->arena, lines->items, lines->count, sizeof *lines->items);
    lines->items[lines->count++] = text;
}

static void flush(struct lines *lines, bool sorted, FILE *out)
{
    if (sorted && lines->count > 1)
        qsort(lines->items, lines->count, sizeof *lines->items, by_text);
    for (size_t i = 0; i < lines->count; i++)
        fprintf(out, "%s\n", lines->items[i]);
    lines->items = NULL;
    lines->count = 0;
}

static void write_params(const struct stage *stage, struct lines *lines, FILE *out)
{
    for (const struct param *p = stage->kind->params; p->name; p++) {
        if (p->not_in_key)
            continue;
        char *value = must(json_dumps(json_object_get(stage->params, p->name),
                                      JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)));
        add(lines, arena_print(lines->arena, "param %s %s", param_key_name(p), value));
        free(value);
    }
    flush(lines, true, out);
}

static char *input_line(const struct stage *stage, const struct edge *edge,
                        const struct key_input *input, struct arena *arena)
{
    if (!stage->kind->report)
        return input->missing
                   ? NULL
                   : arena_print(arena, "in %s %s%s%s", edge->as, input->digest.hex,
                                 input->executable ? " exec" : "", input->folder ? " folder" : "");
    const char *port = edge->from ? edge->from->outputs[edge->output].port : "";
    const char *name = edge->from ? edge->from->name : edge->external->name;
    if (input->missing)
        return arena_print(arena, "in %s %s.%s missing", edge->as, name, port);
    return arena_print(arena, "in %s %s.%s %s %s", edge->as, name, port,
                       input->key ? input->key : "-", input->digest.hex);
}

/* Writes digests of the values, which may be secret. */
static int write_environment(const struct stage *stage, struct lines *lines, FILE *out,
                             struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->env_count; i++) {
        const char *value = getenv(stage->env[i]);
        struct digest digest = {"unset"};
        rc = value ? sha256_memory(value, strlen(value), &digest, err) : 0;
        add(lines, arena_print(lines->arena, "env %s %s", stage->env[i], digest.hex));
    }
    flush(lines, true, out);
    return rc;
}

const char *stage_backend(const struct stage *stage, const char *backend)
{
    const char *stated =
        stage->numerics ? numerics_backend(stage->kind->numerics, stage->numerics) : NULL;
    return stated ? stated : backend;
}

int key_numerics(const struct stage *stage, const char *backend, char *text, size_t size,
                 struct error *err)
{
    enum numerics numerics = stage->kind->numerics;
    return stage->numerics ? numerics_stated(numerics, stage->numerics, stage->cpu, text, size, err)
                           : kind_numerics(numerics, backend, stage->cpu, text, size, err);
}

static int write_text(const struct stage *stage, const char *backend,
                      const struct key_input *inputs, struct arena *arena, FILE *out,
                      struct error *err)
{
    struct lines lines = {.arena = arena};
    char numerics[NUMERICS_LIMIT];
    fprintf(out, "ferdag-key 1\nkind %s %d\n", kind_key_name(stage->kind), stage->kind->version);
    write_params(stage, &lines, out);
    if (stage->kind->numerics) {
        int unknown = key_numerics(stage, backend, numerics, sizeof numerics, err);
        if (unknown < 0)
            return unknown;
        fprintf(out, "numerics %s\n", numerics);
    }
    if (stage->kind->open_ports)
        for (size_t i = 0; i < stage->output_count; i++)
            add(&lines, arena_print(arena, "out %s %s%s", stage->outputs[i].port,
                                    stage->outputs[i].file, stage->outputs[i].tree ? "/" : ""));
    flush(&lines, true, out);
    if (stage->kind->open_ports && stage->cpu > 1)
        fprintf(out, "threads %d\n", stage->cpu);
    int rc = write_environment(stage, &lines, out, err);
    for (size_t i = 0; rc == 0 && i < stage->input_count; i++) {
        char *line = input_line(stage, &stage->inputs[i], &inputs[i], arena);
        if (line)
            add(&lines, line);
    }
    flush(&lines, stage->kind->open_ports,
          out); /* the inputs of other kinds are in the table's order */
    return rc;
}

int key_make(const struct stage *stage, const char *backend, const struct key_input *inputs,
             char key[65], char **text, struct error *err)
{
    size_t size = 0;
    struct arena *arena = arena_create();
    *text = NULL;
    FILE *out = must(open_memstream(text, &size));
    int rc = write_text(stage, backend, inputs, arena, out, err);
    bool bad = ferror(out);
    if (fclose(out) != 0 || bad)
        must(NULL);
    arena_destroy(arena);
    struct digest digest;
    if (rc == 0)
        rc = sha256_memory(*text, size, &digest, err);
    if (rc == 0)
        memcpy(key, digest.hex, sizeof digest.hex);
    return rc;
}
