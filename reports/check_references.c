/* See check_references.h. */
#include "reports/check_references.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/nearest.h"
#include "reports/cells.h"
#include "reports/sources.h"
#include "stages/kind.h"

enum { NAME_LIMIT = 600, PLACE_LIMIT = 64 };

struct target {
    char stage[NAME_LIMIT], port[NAME_LIMIT];
    const char *pointer; /* "" for the whole output */
};

/* ---- patterns: see `holds` in kind.h ---- */

/* Whether a segment is one of "a|b", or anything for "*". */
static bool matches_segment(const char *pattern, size_t n, const char *name, size_t m)
{
    if (n == 1 && *pattern == '*')
        return m > 0;
    for (const char *at = pattern, *end = pattern + n; at <= end;) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        size_t k = (size_t)((bar ? bar : end) - at);
        if (k == m && memcmp(at, name, m) == 0)
            return true;
        at += k + 1;
    }
    return false;
}

/* One pattern, of n bytes, without the "[]" of a list. */
static bool matches(const char *pattern, size_t n, const char *pointer)
{
    const char *end = pattern + n;
    while (pattern < end && *pattern == '/' && *pointer == '/') {
        pattern++;
        pointer++;
        const char *slash = memchr(pattern, '/', (size_t)(end - pattern));
        size_t k = (size_t)((slash ? slash : end) - pattern), m = strcspn(pointer, "/");
        if (k == 2 && strncmp(pattern, "**", 2) == 0)
            return true;
        if (!matches_segment(pattern, k, pointer, m))
            return false;
        pattern += k;
        pointer += m;
    }
    return pattern == end && !*pointer;
}

/* Writes the pattern with each "a|b" replaced by the name that is nearest to the pointer's. */
static void specialise(const char *pattern, size_t n, const char *pointer, char *text)
{
    const char *end = pattern + n;
    size_t used = 0;
    while (pattern < end && used < PLACE_LIMIT) {
        pattern++;
        pointer += *pointer == '/';
        const char *slash = memchr(pattern, '/', (size_t)(end - pattern));
        size_t k = (size_t)((slash ? slash : end) - pattern), m = strcspn(pointer, "/");
        char wrong[PLACE_LIMIT + 1], names[500], *rest = names, *name;
        struct nearest nearest = {.wrong = wrong};
        snprintf(wrong, sizeof wrong, "%.*s", (int)(m < PLACE_LIMIT ? m : PLACE_LIMIT), pointer);
        snprintf(names, sizeof names, "%.*s", (int)k, pattern);
        char first[PLACE_LIMIT + 1];
        snprintf(first, sizeof first, "%.*s", (int)strcspn(names, "|"), names);
        while ((name = strsep(&rest, "|"))) {
            if (strcmp(name, wrong) == 0)
                snprintf(first, sizeof first, "%s", name);
            nearest_offer(&nearest, name);
        }
        used += (size_t)snprintf(text + used, 2 * PLACE_LIMIT - used, "/%s",
                                 strcmp(first, wrong) == 0 ? first
                                 : strcmp(first, "*") == 0 ? wrong
                                 : nearest.best            ? nearest.best
                                                           : first);
        pattern += k;
        pointer += m;
    }
    text[used < 2 * PLACE_LIMIT ? used : 2 * PLACE_LIMIT - 1] = 0;
}

/* Whether the patterns have the pointer, as a list or as a number. */
static bool holds(const char *patterns, const char *pointer, bool list)
{
    for (const char *p = patterns; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        bool is_list = n > 2 && strncmp(p + n - 2, "[]", 2) == 0;
        if (is_list == list && matches(p, is_list ? n - 2 : n, pointer))
            return true;
        p += n;
    }
    return false;
}

static int no_such_place(const char *patterns, const struct target *target, bool list,
                         struct error *err)
{
    const char *pointer = target->pointer;
    struct nearest nearest = {.wrong = pointer};
    char best[2 * PLACE_LIMIT] = "", text[2 * PLACE_LIMIT] = "";
    for (const char *p = patterns; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        bool is_list = n > 2 && strncmp(p + n - 2, "[]", 2) == 0;
        const char *before = nearest.best;
        specialise(p, is_list ? n - 2 : n, pointer, text);
        if (is_list == list)
            nearest_offer(&nearest, text);
        if (nearest.best != before) {
            memcpy(best, text, sizeof best);
            nearest.best = best;
        }
        p += n;
    }
    const char *hint = nearest_hint(&nearest);
    return error_set(err, EINVAL, "%s.%s has no %s at '%s'%s%s%s", target->stage, target->port,
                     list ? "list" : "number", pointer, hint, *hint ? "" : "; it has ",
                     *hint ? "" : patterns);
}

/* ---- references ---- */

static bool split(const char *reference, struct target *target)
{
    size_t n = strcspn(reference + 1, ":");
    const char *name = reference + 1, *colon = name + n, *dot = colon;
    while (dot > name && *dot != '.')
        dot--;
    if (dot == name || n >= NAME_LIMIT)
        return false;
    snprintf(target->stage, sizeof target->stage, "%.*s", (int)(dot - name), name);
    snprintf(target->port, sizeof target->port, "%.*s", (int)(colon - dot - 1), dot + 1);
    target->pointer = *colon ? colon + 1 : colon;
    return true;
}

/* The output port that a reference names; false if it isn't known. `is_program`: the experiment
 * file names its ports. */
static bool find_port(const struct target *target, const json_t *stages, struct port *port,
                      bool *is_program)
{
    const json_t *stage = json_object_get(stages, target->stage);
    const json_t *output = json_object_get(json_object_get(stage, "outputs"), target->port);
    const struct kind *kind = kind_find(cells_string(stage, "kind"));
    *is_program = output != NULL;
    if (output) {
        *port = (struct port){
            .name = target->port,
            .form = json_is_true(json_object_get(output, "folder")) ? PORT_TREE : PORT_FILE,
            .file = cells_string(output, "file"),
        };
        return true;
    }
    for (const struct port *p = kind ? kind->outputs : NULL; p && p->name; p++)
        if (strcmp(p->name, target->port) == 0) {
            *port = *p;
            return true;
        }
    return false;
}

/* What each use reads. Files of programs may have any name, but an ending that is known counts, and
 * the file of a picture has either no ending or ".png". */
static const struct {
    const char *word, *endings;
    bool in_folder;
} uses[] = {
    [REFERENCE_NUMBER] = {"JSON", ".json .jsonl", false},
    [REFERENCE_LIST] = {"JSON", ".json .jsonl", false},
    [REFERENCE_LINES] = {"JSON lines", ".jsonl", false},
    [REFERENCE_PICTURE] = {"a PNG", ".png", true},
};

static const char known_endings[] =
    ".json .jsonl .png .csv .tsv .npy .npz .pdf .svg .jpg .jpeg .safetensors .gz .xz .zip .sh .py";

static bool is_among(const char *endings, const char *ending)
{
    size_t n = strlen(ending);
    for (const char *p = endings; n && *p; p += strspn(p, " ")) {
        size_t k = strcspn(p, " ");
        if (k == n && strncmp(p, ending, n) == 0)
            return true;
        p += k;
    }
    return false;
}

static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    return dot ? dot : "";
}

static bool can_read(enum reference_use use, const char *path, bool is_program)
{
    const char *ending = ending_of(path);
    if (use == REFERENCE_PICTURE && is_program)
        return !*ending || strcasecmp(ending, ".png") == 0;
    return is_among(uses[use].endings, ending) ||
           (is_program && (!is_among(known_endings, ending) ||
                           (use == REFERENCE_LINES && strcmp(ending, ".json") == 0)));
}

/* Files of the forms that the use can read. */
static int check_form(const struct port *port, const struct target *target, enum reference_use use,
                      bool is_program, struct error *err)
{
    bool folder = port->form == PORT_TREE;
    const char *word = uses[use].word, *file = folder ? target->pointer : port->file;
    if (folder && (!uses[use].in_folder || !file[0] || !file[1]))
        return error_set(err, EINVAL, "expected %s, but %s.%s is a folder%s", word, target->stage,
                         target->port, uses[use].in_folder ? ": name a file in it after ':'" : "");
    if (folder && !sources_path_is_safe(file))
        return error_set(err, EINVAL, "'..' is not allowed in '%s'", file);
    if (!folder && uses[use].in_folder && *target->pointer)
        return error_set(err, EINVAL, "%s.%s is a file: expected nothing after ':'", target->stage,
                         target->port);
    if ((folder && port->holds) || can_read(use, file, is_program))
        return 0;
    return folder ? error_set(err, EINVAL, "expected %s, not '%s' in %s.%s", word, file,
                              target->stage, target->port)
                  : error_set(err, EINVAL, "expected %s, but %s.%s is the file %s", word,
                              target->stage, target->port, file);
}

int reference_check(const char *reference, enum reference_use use, const json_t *stages,
                    struct error *err)
{
    struct target target;
    struct port port;
    bool is_program;
    if (!reference || *reference != '@' || !split(reference, &target))
        return error_set(err, EINVAL, "expected a reference \"@stage.port:/pointer\", not '%.100s'",
                         reference ? reference : "");
    if (!find_port(&target, stages, &port, &is_program))
        return 0;
    int rc = check_form(&port, &target, use, is_program, err);
    bool within = port.form == PORT_TREE || use == REFERENCE_NUMBER || use == REFERENCE_LIST;
    if (rc < 0 || !port.holds || !within ||
        holds(port.holds, target.pointer, use == REFERENCE_LIST))
        return rc;
    if (port.form == PORT_TREE)
        return error_set(err, EINVAL, "%s.%s has no file '%s'; it has %s", target.stage,
                         target.port, target.pointer, port.holds);
    return no_such_place(port.holds, &target, use == REFERENCE_LIST, err);
}
