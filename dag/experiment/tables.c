/* See tables.h. */
#include "dag/experiment/tables.h"
#include "base/utf8.h"
#include "base/nearest.h"
#include "dag/experiment/params.h"
#include "dag/experiment/schema.h"
#include "dag/experiment/table_cells.h"

#include <errno.h>
#include <string.h>

enum { SECTION_COUNT = 4 };

/* Bits of struct output's `referred` other than those of sections. */
enum { PICTURES_BIT = 1 << 3, TABLES_BIT = 1 << SECTION_COUNT, REPORT_BIT = 2 << SECTION_COUNT };

static const char tables_name[] = "tables";
static const char *const sections[SECTION_COUNT] = {"tables", "claims", "paper", "report"};

struct reference {
    struct stage *from;
    size_t output;
    const struct node *where;
};

/* One section, expanded, and its references. */
struct section {
    struct node *node; /* NULL if the file lacks it */
    struct reference *references;
    size_t reference_count;
    bool wrong;             /* something in it is wrong, which was reported */
    unsigned bit;           /* the section's bit in struct output's `referred` */
    bool picture;           /* the reference has no pointer: it means the file itself */
    const struct node *bad; /* the last wrong reference */
};

/* ---- what the file has ---- */

const struct stage *experiment_tables(const struct experiment *e)
{
    const struct stage *stage = experiment_stage(e, tables_name);
    return stage && stage->implicit ? stage : NULL;
}

const json_t *experiment_claims(const struct experiment *e)
{
    const struct stage *stage = experiment_tables(e);
    const json_t *claims = stage ? json_object_get(stage->params, "claims") : NULL;
    return json_object_size(claims) > 0 ? claims : NULL;
}

/* ---- references ---- */

/* Sets a bit of the output's `referred`; false if it was set. */
static bool refer_first(const struct reference *reference, unsigned bit)
{
    unsigned *referred = &reference->from->outputs[reference->output].referred;
    bool first = !(*referred & bit);
    *referred |= bit;
    return first;
}

/* The first stage that matches a pattern such as "train/full/\*". A figure shows one result. */
static int find_first(const struct experiment *e, const char *pattern, const struct node *where,
                      struct reference *reference)
{
    struct match *matches;
    size_t count;
    int rc = experiment_match(e, pattern, where, &matches, &count);
    if (rc == 0) {
        reference->from = matches[0].from;
        reference->output = matches[0].output;
    }
    return rc;
}

/* "@stage.port:/pointer" -> the stage's output; the text is made whole where it left out the port
 * or has a star. */
static int read_reference(struct experiment *e, struct section *section, struct node *node)
{
    const char *text = node->text + 1;
    if (*text == '@') { /* "@@..." is a text that starts with "@" */
        node->text = text;
        return 0;
    }
    const char *colon = strchr(text, ':');
    if (colon && colon[1] && colon[1] != '/')
        return node_problem(e->problems, node, "after ':' expected %s",
                            section->picture ? "the path of a file, such as :/name.png"
                                             : "a JSON pointer such as :/public/accuracy");
    char *name = arena_copy(e->arena, text, colon ? (size_t)(colon - text) : strlen(text));
    struct reference reference = {.where = node};
    struct external *external = NULL;
    bool star = section->bit == PICTURES_BIT && strchr(name, '*');
    int rc = star
                 ? find_first(e, name, node, &reference)
                 : experiment_resolve(e, name, node, &reference.from, &reference.output, &external);
    if (rc < 0)
        return rc;
    if (external)
        return node_problem(e->problems, node, "'%s' is an input; expected an output of a stage",
                            name);
    node->text = arena_print(e->arena, "@%s.%s%s", reference.from->name,
                             reference.from->outputs[reference.output].port, colon ? colon : "");
    if (!refer_first(&reference, section->bit))
        return 0;
    section->references = arena_push(e->arena, section->references, section->reference_count,
                                     sizeof *section->references);
    section->references[section->reference_count++] = reference;
    return 0;
}

/* The cells of a table come from one pattern: only the first error is reported. */
static int read_once(struct experiment *e, struct section *section, struct node *node)
{
    struct problems *problems = e->problems;
    const struct node *bad = section->bad;
    if (bad && bad->line == node->line && bad->column == node->column &&
        strcmp(bad->file, node->file) == 0)
        e->problems = NULL;
    int rc = read_reference(e, section, node);
    e->problems = problems;
    if (rc < 0)
        section->bad = node;
    return rc;
}

/* Copies the tree with its references resolved, null in place of a wrong one. (Params share the
 * tree itself.) */
static void collect(struct experiment *e, struct section *section, const struct node *node,
                    struct node **out)
{
    *out = arena_alloc(e->arena, sizeof **out);
    **out = *node;
    if (node->type == NODE_SCALAR) {
        if (*node->text == '@' && !node->broken && read_once(e, section, *out) < 0)
            **out = *node_scalar(e->arena, node, "~", true); /* reported */
        return;
    }
    (*out)->items = arena_alloc(e->arena, (node->count + 1) * sizeof *node->items);
    for (size_t i = 0; i < node->count; i++) {
        section->picture = section->bit == PICTURES_BIT && node->type == NODE_MAP &&
                           strcmp(node->keys[i]->text, "file") == 0;
        collect(e, section, node->items[i], &(*out)->items[i]);
    }
}

/* Warns of params that nothing uses: they are often misspelled. The report uses those that it
 * compares with the paper's settings. */
static void warn_of_unused_params(struct experiment *e)
{
    const struct node *settings = node_get(node_get(e->root, "paper"), "settings");
    for (size_t i = 0; e->params && i < e->params->count; i++) {
        struct nearest nearest = {.wrong = e->params->keys[i]->text};
        if (e->params->items[i]->used || node_get(settings, nearest.wrong))
            continue;
        bool shown = e->problems->warnings < PROBLEMS_KEPT;
        for (size_t k = 0; shown && k < e->params->count; k++)
            if (e->params->items[k]->used)
                nearest_offer(&nearest, e->params->keys[k]->text);
        node_warn(e->problems, e->params->keys[i], "nothing uses the param '%s'%s", nearest.wrong,
                  nearest_hint(&nearest));
    }
}

/* ---- stages ---- */

static int section_index(const char *name)
{
    for (int i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i], name) == 0)
            return i;
    return -1;
}

/* {PORT: {file, folder}} */
static json_t *outputs_json(const struct stage *stage)
{
    json_t *map = must(json_object());
    for (size_t i = 0; i < stage->output_count; i++) {
        const struct output *o = &stage->outputs[i];
        if (json_object_set_new(map, o->port,
                                must(json_pack("{s:s, s:b}", "file", o->file, "folder", o->tree))) <
            0)
            must(NULL);
    }
    return map;
}

/* Adds the declared outputs, which check_sections needs. They are not in the stage's params,
 * because a file's name does not change a report. */
static void add_outputs(const struct experiment *e, json_t *list)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry)
    {
        const struct stage *stage =
            experiment_stage(e, json_string_value(json_object_get(entry, "name")));
        if (stage->kind->open_ports &&
            json_object_set_new(entry, "outputs", outputs_json(stage)) < 0)
            must(NULL);
    }
}

/* The params of all stages, overrides included, sorted by name so that the file's order does not
 * matter. */
static json_t *stages_json(const struct experiment *e)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->by_name[i];
        if (!stage->implicit && !stage->broken &&
            json_array_append_new(list,
                                  must(json_pack("{s:s, s:s, s:O}", "name", stage->name, "kind",
                                                 stage->kind->name, "params", stage->params))) < 0)
            must(NULL);
    }
    return list;
}

/* The value of a param that is named after a section, or title, params or stages. */
static json_t *param_value(struct experiment *e, const struct section *parts,
                           const struct param *param, const struct node *params)
{
    int i = section_index(param->name);
    if (i >= 0)
        return parts[i].node ? schema_json(parts[i].node, param) : schema_standard(param);
    if (strcmp(param->name, "title") == 0)
        return must(utf8_json(e->title)); /* title: by default the file's name */
    if (strcmp(param->name, "params") == 0)
        return params ? node_json(params) : must(json_object());
    if (strcmp(param->name, "stages") == 0)
        return stages_json(e);
    return schema_standard(param);
}

static void add_source(struct experiment *e, struct stage *stage, const struct port *port,
                       const struct reference *reference)
{
    stage->inputs = arena_push(e->arena, stage->inputs, stage->input_count, sizeof *stage->inputs);
    stage->inputs[stage->input_count] = (struct edge){
        .port = port->name,
        .as = port->many ? arena_print(e->arena, "%s.%zu", port->name, stage->input_count)
                         : port->name,
        .many = port->many,
        .optional = true,
        .from = reference->from,
        .output = reference->output,
        .where = reference->where,
    };
    stage->input_count++;
}

/* Makes a stage of a report kind; its params are the sections that the kind names. */
static struct stage *make_stage(struct experiment *e, const char *name, const struct kind *kind,
                                const struct section *parts, const struct node *params,
                                unsigned bit)
{
    struct stage *stage = arena_alloc(e->arena, sizeof *stage);
    *stage = (struct stage){.name = name,
                            .group = name,
                            .kind = kind,
                            .where = e->root,
                            .cpu = 1,
                            .implicit = true,
                            .params = must(json_object())};
    const struct port *sources = kind->inputs;
    while (sources->name && strcmp(sources->name, "sources") != 0)
        sources++;
    for (const struct param *p = kind->params; p->name; p++) {
        json_t *value = param_value(e, parts, p, params);
        int i = section_index(p->name);
        if (value)
            json_object_set_new(stage->params, p->name, value);
        for (size_t k = 0; i >= 0 && sources->name && k < parts[i].reference_count; k++)
            if (refer_first(&parts[i].references[k], bit))
                add_source(e, stage, sources, &parts[i].references[k]);
    }
    for (const struct port *p = kind->outputs; p->name; p++) {
        stage->outputs =
            arena_push(e->arena, stage->outputs, stage->output_count, sizeof *stage->outputs);
        stage->outputs[stage->output_count++] = (struct output){.port = p->name,
                                                                .file = p->file,
                                                                .tree = p->form == PORT_TREE,
                                                                .optional = p->optional,
                                                                .measured = p->measured};
    }
    return stage;
}

/* Runs the kind's own check of the sections: the cells that a claim names, places in results. */
static int check_sections(struct experiment *e, const struct stage *stage,
                          const struct section *parts)
{
    struct problems found = {0};
    if (!stage->kind->check)
        return 0;
    struct node *root = node_empty(e->arena, e->root, NODE_MAP);
    for (int i = 0; i < SECTION_COUNT; i++)
        if (parts[i].node)
            node_append(e->arena, root, node_scalar(e->arena, e->root, sections[i], true),
                        parts[i].node);
    json_t *params = must(json_copy(stage->params)), *stages = stages_json(e);
    const struct section *tables = &parts[0], *paper = &parts[2];
    bool some = e->misspelled || (tables->wrong && !tables->node);
    add_outputs(e, stages);
    if (json_object_set_new(params, "stages", stages) < 0 ||
        json_object_set_new(params, "incomplete", json_boolean(parts[0].bad != NULL)) < 0 ||
        json_object_set_new(params, "more_tables", json_boolean(some)) < 0 ||
        json_object_set_new(params, "unsure", json_boolean(some || tables->wrong || paper->wrong)))
        must(NULL);
    stage->kind->check(params, &found);
    json_decref(params);
    params_locate(&found, root, e->problems);
    int rc = problems_any(&found) ? -EINVAL : 0;
    problems_free(&found);
    return rc;
}

static int add_stage(struct experiment *e, struct stage *stage)
{
    const struct stage *other = NULL;
    for (size_t i = 0; i < e->stage_count && !other; i++) /* also one with a matrix */
        if (strcmp(e->stages[i]->group, stage->name) == 0)
            other = e->stages[i];
    e->stages = arena_push(e->arena, e->stages, e->stage_count, sizeof *e->stages);
    e->stages[e->stage_count++] = stage;
    references_prepare(e);
    if (other)
        return node_problem(e->problems, other->where,
                            "the name '%s' is taken by the stage that makes the file's tables and "
                            "report; use another name",
                            stage->name);
    return 0;
}

static int add_stages(struct experiment *e, const struct section *parts, const struct node *params)
{
    const struct kind *tables = kind_find("report_tables"), *report = kind_find("report_pdf");
    struct stage *first = make_stage(e, tables_name, tables, parts, params, TABLES_BIT);
    struct stage *second = make_stage(e, "report", report, parts, params, REPORT_BIT);
    for (const struct port *p = report->inputs; p->name; p++)
        if (strcmp(p->name, "tables") == 0)
            add_source(e, second, p, &(struct reference){.from = first, .where = e->root});
    int rc = add_stage(e, first);
    if (add_stage(e, second) < 0)
        rc = -EINVAL;
    if (check_sections(e, first, parts) < 0)
        rc = -EINVAL;
    return rc;
}

/* Expands a section and collects its references. */
static void read_section(struct expander *x, const struct param *file, int i, struct section *part)
{
    const struct node *node = node_get(x->e->root, sections[i]);
    const struct param *param = schema_member(file, sections[i]);
    struct node *expanded;
    *part = (struct section){.bit = 1u << i, .wrong = node && node->type != NODE_MAP};
    if (!node || node->type != NODE_MAP)
        return;
    part->wrong = table_cells_expand(x, node, param, &expanded) < 0;
    if (schema_check(expanded, param, sections[i], SCHEMA_WHOLE, x->e->problems) < 0)
        part->wrong = true;
    collect(x->e, part, expanded, &part->node);
    part->wrong |= part->bad != NULL;
}

int tables_add_stages(struct experiment *e)
{
    struct section parts[SECTION_COUNT];
    struct expander x = {.e = e};
    const struct param *file = schema_file(e->arena);
    for (int i = 0; i < SECTION_COUNT; i++)
        read_section(&x, file, i, &parts[i]);
    if (!problems_any(e->problems))
        warn_of_unused_params(e); /* the expansion below marks all params as used */
    if (!(parts[0].node || parts[1].node || parts[3].node))
        return 0;
    struct node *params = NULL;
    struct scope scope = experiment_scope(e, NULL, 0);
    if (e->params && scope_expand(&scope, e->params, &params, e->problems) < 0)
        params = (struct node *)e->params; /* their names are known all the same */
    return add_stages(e, parts, params);
}
