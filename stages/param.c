/* See param.h. */
#define _GNU_SOURCE
#include "stages/param.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"

bool param_in_range(const struct param *param, double x)
{
    return (param->min == 0 && param->max == 0) || (x >= param->min && x <= param->max);
}

/* ---- from text ---- */

/* NUMBER[UNIT]: digits with or without a fraction, then nothing or K, M, G or T, which "B" or "iB"
 * may follow. The units are powers of 1024. A size is at least one byte. */
static bool parse_size(const char *text, long long *size)
{
    static const char units[] = "KMGT", digits[] = "0123456789";
    static const double limit = 1e18;
    size_t whole = strspn(text, digits);
    const char *end = text + whole;
    size_t fraction = *end == '.' ? strspn(end + 1, digits) : 0;
    end += fraction ? fraction + 1 : 0;
    double value = strtod(text, NULL);
    const char *unit = whole && *end ? strchr(units, *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        value *= 1024;
    if (unit)
        end += strcmp(end + 1, "iB") == 0 ? 3 : strcmp(end + 1, "B") == 0 ? 2 : 1;
    if (!whole || *end || !(value >= 1 && value < limit))
        return false;
    *size = (long long)value;
    return true;
}

static bool parse_int(const char *text, long long *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return end != text && !*end && !errno;
}

static bool parse_real(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && !strpbrk(text, "xX");
}

/* Whether x is 0, a part of one device, or a whole number of devices. */
static bool is_gpus(double x)
{
    return x == 0 || (x >= PARAM_GPUS_LEAST && x <= 1) ||
           (x >= 1 && x <= PARAM_GPUS_MOST && x == floor(x));
}

static int wrong_type(const char *expected, const char *text, struct error *err)
{
    return error_set(err, EINVAL, "expected %s, not '%s'", expected, text);
}

static int parse_gpus(const char *text, json_t **value, struct error *err)
{
    struct nearest nearest = {.wrong = text};
    double number = 0;
    if (strcmp(text, "none") == 0 || strcmp(text, "required") == 0)
        return error_set(err, EINVAL, "write %d in place of '%s'", *text == 'r', text);
    if (strcmp(text, "optional") == 0) {
        *value = json_string(text);
        return 0;
    }
    if (parse_real(text, &number)) {
        *value = json_real(number + 0.0);
        return 0;
    }
    nearest_offer(&nearest, "optional");
    return error_set(err, EINVAL,
                     "expected a number of GPUs (0, 1, 2, ... or a part of one such as 0.25) or "
                     "optional, not '%s'%s",
                     text, nearest_hint(&nearest));
}

int param_parse(const struct param *param, const char *text, json_t **value, struct error *err)
{
    long long whole = 0;
    double real = 0;
    *value = NULL;
    switch (param->type) {
    case PARAM_INT:
        if (!parse_int(text, &whole))
            return wrong_type("an integer", text, err);
        *value = json_integer(whole);
        break;
    case PARAM_REAL:
        if (!parse_real(text, &real))
            return wrong_type("a number", text, err);
        *value = json_real(real + 0.0); /* -0 and 0 are one value */
        break;
    case PARAM_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return wrong_type("true or false", text, err);
        *value = json_boolean(strcmp(text, "true") == 0);
        break;
    case PARAM_SIZE:
        if (!parse_size(text, &whole))
            return wrong_type("a size above 0 such as 500M, 1.5G or 2GiB (a number, then nothing "
                              "for bytes, or K, M, G or T)",
                              text, err);
        *value = json_integer(whole);
        break;
    case PARAM_GPUS:
        if (parse_gpus(text, value, err) < 0)
            return -EINVAL;
        break;
    case PARAM_ENUM:
    case PARAM_STRING:
        *value = json_string(text);
        break;
    case PARAM_LIST:
    case PARAM_MAP:
    case PARAM_NAMED:
    case PARAM_JSON:
        *value = json_loads(text, JSON_DECODE_ANY, NULL);
        break;
    }
    int rc = *value ? param_check(param, *value, text, err)
                    : error_set(err, ENOMEM, "out of memory for param %s", param->name);
    if (rc < 0) {
        json_decref(*value);
        *value = NULL;
    }
    return rc;
}

int param_default(const struct param *param, json_t **value, struct error *err)
{
    return param_parse(param, param->standard, value, err);
}

/* ---- what a table allows ---- */

/* "one|two|three" as "one, two or three". */
static const char *list_choices(const char *choices, char text[300])
{
    size_t used = 0;
    for (const char *c = choices; *c && used < 280; c++) {
        const char *between = strchr(c + 1, '|') ? ", " : " or ";
        used += *c == '|' ? (size_t)snprintf(text + used, 300 - used, "%s", between)
                          : (size_t)snprintf(text + used, 300 - used, "%c", *c);
    }
    return text;
}

static int check_choice(const struct param *param, const char *text, struct error *err)
{
    struct nearest nearest = {.wrong = text};
    char *choices = strdup(param->choices), *rest = choices, *choice, expected[300] = "";
    bool found = false;
    if (!choices)
        return error_set(err, ENOMEM, "out of memory for param %s", param->name);
    while (!found && (choice = strsep(&rest, "|"))) {
        found = strcmp(choice, text) == 0;
        nearest_offer(&nearest, choice);
    }
    int rc = found ? 0
                   : error_set(err, EINVAL, "unknown value '%s'%s; expected %s", text,
                               nearest_hint(&nearest), list_choices(param->choices, expected));
    free(choices);
    return rc;
}

static const char *type_name(enum param_type type)
{
    static const char *const names[] = {
        [PARAM_INT] = "an integer",
        [PARAM_REAL] = "a number",
        [PARAM_BOOL] = "true or false",
        [PARAM_ENUM] = "a text",
        [PARAM_STRING] = "a text",
        [PARAM_JSON] = "any value",
        [PARAM_SIZE] = "a whole number of bytes",
        [PARAM_GPUS] = "a number of GPUs or optional",
        [PARAM_LIST] = "a list",
        [PARAM_MAP] = "a map",
        [PARAM_NAMED] = "a map",
    };
    return names[type];
}

static bool has_type(enum param_type type, const json_t *value)
{
    switch (type) {
    case PARAM_INT:
    case PARAM_SIZE:
        return json_is_integer(value);
    case PARAM_REAL:
        return json_is_number(value) && isfinite(json_number_value(value));
    case PARAM_BOOL:
        return json_is_boolean(value);
    case PARAM_GPUS:
        return json_is_number(value) ||
               (json_is_string(value) && strcmp(json_string_value(value), "optional") == 0);
    case PARAM_ENUM:
    case PARAM_STRING:
        return json_is_string(value);
    case PARAM_LIST:
        return json_is_array(value);
    case PARAM_MAP:
    case PARAM_NAMED:
        return json_is_object(value);
    case PARAM_JSON:
        return true;
    }
    return false;
}

int param_check(const struct param *param, const json_t *value, const char *shown,
                struct error *err)
{
    const char *text = json_string_value(value);
    if (!has_type(param->type, value))
        return wrong_type(type_name(param->type), shown, err);
    if (param->type == PARAM_GPUS && json_is_number(value) && !is_gpus(json_number_value(value)))
        return error_set(err, EINVAL,
                         "%s is out of range; expected 0, a part of one GPU from %.10g on, or a "
                         "whole number up to %d",
                         shown, PARAM_GPUS_LEAST, PARAM_GPUS_MOST);
    if (param->type == PARAM_ENUM)
        return check_choice(param, text, err);
    if (param->type == PARAM_STRING && param->max > 0 && (double)strlen(text) > param->max)
        return error_set(err, EINVAL, "longer than %.0f bytes", param->max);
    if (json_is_number(value) && !param_in_range(param, json_number_value(value)))
        return error_set(err, EINVAL, "%s is out of range; expected %.10g to %.10g", shown,
                         param->min, param->max);
    return 0;
}
