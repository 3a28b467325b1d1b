/* See check_values.h. */
#include "reports/check_values.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "reports/cells.h"
#include "stages/kind.h"

enum { CHOICE_SIZE = 100, POINTER_SIZE = 300 };

/* ---- one value ---- */

/* Copies the next of "one|two" and returns what is behind it; NULL at the end. */
static const char *next_choice(const char *choices, char choice[CHOICE_SIZE])
{
    if (!choices || !*choices)
        return NULL;
    size_t n = strcspn(choices, "|");
    snprintf(choice, CHOICE_SIZE, "%.*s", (int)n, choices);
    return choices + n + (choices[n] == '|');
}

static bool is_choice(const char *choices, const char *word)
{
    char choice[CHOICE_SIZE];
    while ((choices = next_choice(choices, choice)))
        if (strcmp(choice, word) == 0)
            return true;
    return false;
}

static void wrong_choice(const char *pointer, const char *what, const char *word,
                         const struct param *param, struct problems *problems)
{
    char *copy = strdup(param->choices), *rest = copy, *choice;
    struct nearest nearest = {.wrong = word};
    while (copy && (choice = strsep(&rest, "|")))
        nearest_offer(&nearest, choice);
    problems_at(problems, pointer, "%s: unknown value '%s'%s; expected one of %s", what, word,
                nearest_hint(&nearest), param->choices);
    free(copy);
}

static void wrong_type(const char *pointer, const char *what, const json_t *value,
                       const char *expected, struct problems *problems)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    const char *word = json_string_value(value);
    problems_at(problems, pointer, "%s: expected %s, not '%.200s'", what, expected,
                word   ? word
                : text ? text
                       : "");
    free(text);
}

static bool is_whole(const json_t *value)
{
    double x = json_number_value(value);
    return json_is_integer(value) || (json_is_real(value) && floor(x) == x);
}

void value_check(const char *pointer, const char *what, const json_t *value,
                 const struct param *param, struct problems *problems)
{
    if (param->type == PARAM_INT && !is_whole(value))
        wrong_type(pointer, what, value, "an integer", problems);
    else if (param->type == PARAM_REAL && !json_is_number(value))
        wrong_type(pointer, what, value, "a number", problems);
    else if (param->type == PARAM_BOOL && !json_is_boolean(value))
        wrong_type(pointer, what, value, "true or false", problems);
    else if ((param->type == PARAM_STRING || param->type == PARAM_ENUM) && !json_is_string(value))
        wrong_type(pointer, what, value, "a text", problems);
    else if (param->type == PARAM_ENUM && !is_choice(param->choices, json_string_value(value)))
        wrong_choice(pointer, what, json_string_value(value), param, problems);
}

/* ---- names of values ---- */

static void add_word(json_t *words, const char *word)
{
    json_object_set_new(words, word, json_true());
}

/* The value as a key of value_names. */
static void add_value(json_t *words, const json_t *value)
{
    char number[50];
    snprintf(number, sizeof number, "%.7g", json_number_value(value));
    if (json_is_string(value))
        add_word(words, json_string_value(value));
    else if (json_is_number(value))
        add_word(words, number);
    else if (json_is_boolean(value))
        add_word(words, json_is_true(value) ? "yes" : "no");
}

static void add_values(json_t *words, const json_t *params)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value) add_value(words, value);
}

/* A file of the paper's settings may serve experiments that don't use all of them. */
static void add_choices(json_t *words)
{
    char choice[CHOICE_SIZE];
    for (size_t i = 0; kinds[i]; i++)
        for (const struct param *p = kinds[i]->params; p->name; p++)
            for (const char *rest = p->choices; (rest = next_choice(rest, choice));)
                add_word(words, choice);
}

/* The parts of "train/full/vgg19": values of a matrix are among them. */
static void add_parts(json_t *words, const char *name)
{
    char part[POINTER_SIZE];
    for (const char *p = name; *p; p += strcspn(p, "/"), p += *p == '/') {
        snprintf(part, sizeof part, "%.*s", (int)strcspn(p, "/"), p);
        add_word(words, part);
    }
}

/* {VALUE: true} of all values that may have a name. */
static json_t *all_words(const json_t *params)
{
    const json_t *settings = json_object_get(json_object_get(params, "paper"), "settings");
    json_t *words = json_object(), *item;
    const char *name;
    size_t i;
    add_choices(words);
    add_values(words, json_object_get(params, "params"));
    json_object_foreach((json_t *)settings, name, item)
        add_value(words, json_object_get(item, "value"));
    json_array_foreach(json_object_get(params, "stages"), i, item)
    {
        add_word(words, cells_string(item, "name"));
        add_parts(words, cells_string(item, "name"));
        add_values(words, json_object_get(item, "params"));
    }
    return words;
}

void value_names_check(const json_t *params, struct problems *problems)
{
    const json_t *names = json_object_get(json_object_get(params, "paper"), "value_names");
    json_t *words = json_object_size(names) ? all_words(params) : NULL, *value;
    const char *name, *word;
    json_object_foreach((json_t *)names, name, value)
    {
        struct nearest nearest = {.wrong = name};
        char pointer[POINTER_SIZE];
        if (json_object_get(words, name))
            continue;
        json_object_foreach(words, word, value) nearest_offer(&nearest, word);
        if (!nearest.best)
            continue; /* such as the name of a model that this experiment doesn't have */
        snprintf(pointer, sizeof pointer, "/paper/value_names/%.200s", name);
        problems_at(problems, pointer, "value_names: no stage has the value '%s'%s", name,
                    nearest_hint(&nearest));
    }
    json_decref(words);
}
