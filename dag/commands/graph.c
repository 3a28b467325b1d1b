/* `graph`: the stages and what they read, as text for Graphviz or Mermaid. No cache is opened. */
#include "dag/commands/commands.h"
#include "dag/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_dot(const struct experiment *e)
{
    puts("digraph experiment {\n  rankdir=LR; node [shape=box];");
    for (size_t i = 0; i < e->external_count; i++)
        printf("  \"input %s\" [label=\"%s\", shape=ellipse];\n", e->externals[i]->name,
               e->externals[i]->name);
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->stages[i];
        printf("  \"%s\" [label=\"%s\\n%s\"];\n", stage->name, stage->name, stage->kind->name);
        for (size_t k = 0; k < stage->input_count; k++) {
            const struct edge *edge = &stage->inputs[k];
            if (edge->from)
                printf("  \"%s\" -> \"%s\" [label=\"%s\"];\n", edge->from->name, stage->name,
                       edge->from->outputs[edge->output].port);
            else
                printf("  \"input %s\" -> \"%s\";\n", edge->external->name, stage->name);
        }
    }
    puts("}");
}

static void print_mermaid(const struct experiment *e)
{
    puts("graph LR");
    for (size_t i = 0; i < e->external_count; i++)
        printf("  i%zu([\"%s\"])\n", i, e->externals[i]->name);
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->stages[i];
        printf("  s%zu[\"%s\"]\n", stage->place, stage->name);
        for (size_t k = 0; k < stage->input_count; k++) {
            const struct edge *edge = &stage->inputs[k];
            if (edge->from)
                printf("  s%zu -->|%s| s%zu\n", edge->from->place,
                       edge->from->outputs[edge->output].port, stage->place);
            else
                printf("  i%zu --> s%zu\n", edge->external->place, stage->place);
        }
    }
}

int command_graph(const struct options *options, struct error *err)
{
    struct experiment e;
    bool mermaid = options->format && strcmp(options->format, "mermaid") == 0;
    if (options->format && !mermaid && strcmp(options->format, "dot") != 0) {
        error_set(err, EINVAL, "--format %s: expected dot or mermaid", options->format);
        return EXIT_BAD;
    }
    int status = session_load(options, &e);
    if (status != EXIT_DONE)
        return status;
    if (mermaid)
        print_mermaid(&e);
    else
        print_dot(&e);
    experiment_free(&e);
    return EXIT_DONE;
}
