/* See result.h. */
#include "cache/result.h"

#include <stdlib.h>
#include <string.h>

void result_free(struct result *r)
{
    free(r->key);
    free(r->stage);
    free(r->kind);
    free(r->params);
    free(r->inputs);
    free(r->key_text);
    for (size_t i = 0; i < r->output_count; i++)
        free(r->outputs[i].port);
    free(r->outputs);
    *r = (struct result){0};
}

const struct blob *result_output(const struct result *result, const char *port)
{
    for (size_t i = 0; i < result->output_count; i++)
        if (strcmp(result->outputs[i].port, port) == 0)
            return &result->outputs[i].blob;
    return NULL;
}

bool result_same_outputs(const struct result *a, const struct result *b)
{
    bool same = a->output_count == b->output_count;
    for (size_t i = 0; same && i < a->output_count; i++)
        same = strcmp(a->outputs[i].port, b->outputs[i].port) == 0 &&
               strcmp(a->outputs[i].blob.digest.hex, b->outputs[i].blob.digest.hex) == 0 &&
               a->outputs[i].blob.size == b->outputs[i].blob.size &&
               a->outputs[i].blob.tree == b->outputs[i].blob.tree;
    return same;
}
