/* See engines.h. */
#include "stages/cnn/engines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { MOST_BYTES = 4 << 20, NUMERICS_SIZE = 512 };

#define AGAIN ": run choose_engines again, on the machine and with the backend that use its result"

/* The numerics of a backend. Without engines its name alone decides whether a file is for it. */
static int own_numerics(const char *backend, bool has_engines, char *text, size_t size,
                        struct error *err)
{
    int rc = net_numerics(backend, text, size, err);
    if (rc == 0 && !has_engines)
        text[strcspn(text, " ")] = 0;
    return rc;
}

static int unsound(const char *name, const char *why, struct error *err)
{
    return error_set(err, EINVAL, "%s: %s%s", name, why, AGAIN);
}

/* Sets the list to the members of an object. */
static int list_engines(struct engines *e, json_t *object, const char *name, struct error *err)
{
    const char *convolution;
    json_t *engine;
    e->items = calloc(json_object_size(object) + 1, sizeof *e->items);
    if (!e->items)
        return error_set(err, ENOMEM, "out of memory");
    e->choices.items = e->items;
    json_object_foreach(object, convolution, engine)
    {
        if (!json_is_string(engine))
            return unsound(name, "an engine isn't a text", err);
        e->items[e->choices.count++] = (struct engine_choice){
            .convolution = convolution, .engine = json_string_value(engine), .first = ""};
    }
    return 0;
}

static int check_numerics(const char *stated, bool has_engines, const char *backend,
                          const char *name, struct error *err)
{
    char own[NUMERICS_SIZE];
    int rc = own_numerics(backend, has_engines, own, sizeof own, err);
    if (rc < 0)
        return rc;
    if (strcmp(own, stated) != 0)
        return error_set(err, EINVAL, "%s: it is for '%.300s', and this stage computes on '%s'%s",
                         name, stated, own, AGAIN);
    return 0;
}

int engines_read(struct engines *e, const struct job *job, const struct engine_choices **choices,
                 struct error *err)
{
    *e = (struct engines){0};
    *choices = NULL;
    if (!job_input_count(job, "engines"))
        return 0;
    const char *name = job_input_name(job, "engines", 0), *numerics, *note = NULL;
    json_t *object;
    char *text;
    size_t size;
    int rc = file_read(job_input(job, "engines", 0), MOST_BYTES, &text, &size, err);
    if (rc < 0)
        return rc;
    json_error_t why;
    e->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (!e->root)
        return unsound(name, why.text, err);
    if (json_unpack_ex(e->root, &why, JSON_STRICT, "{s:o, s:s, s?s}", "engines", &object,
                       "numerics", &numerics, "note", &note) < 0)
        return unsound(name, why.text, err);
    if (!json_is_object(object))
        return unsound(name, "'engines' isn't an object", err);
    rc = check_numerics(numerics, json_object_size(object) > 0, job->backend, name, err);
    if (rc == 0)
        rc = list_engines(e, object, name, err);
    if (rc == 0)
        *choices = &e->choices;
    return rc;
}

void engines_free(struct engines *e)
{
    free(e->items);
    json_decref(e->root);
    *e = (struct engines){0};
}

int engines_write(const char *path, const struct net *net, const struct engine_choice *choices,
                  size_t count, struct error *err)
{
    char numerics[NUMERICS_SIZE];
    bool has_engines = net_has_engines(net);
    int rc = own_numerics(net_backend(net), has_engines, numerics, sizeof numerics, err);
    if (rc < 0)
        return rc;
    json_t *object = json_object(), *root = json_pack("{s:s}", "numerics", numerics);
    for (size_t i = 0; i < count; i++)
        rc |= json_object_set_new(object, choices[i].convolution, json_string(choices[i].engine));
    rc |= json_object_set_new(root, "engines", object);
    if (!has_engines)
        rc |= json_object_set_new(
            root, "note",
            json_sprintf("the backend %s has no choice of engines", net_backend(net)));
    if (rc < 0) {
        json_decref(root);
        return error_set(err, ENOMEM, "out of memory");
    }
    return job_write_json(path, root, err);
}
