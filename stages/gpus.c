/* See gpus.h. */
#define _GNU_SOURCE
#include "stages/gpus.h"
#include "base/arena.h"
#include "base/file.h"
#include "kernels/backends/devices.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int gpus_count(struct error *why)
{
    int count;
    if (devices_count(&count, why) < 0)
        return 0;
    return count < GPUS_LIMIT ? count : GPUS_LIMIT;
}

/* Item `index` of a list separated by commas, malloc'd, without blanks around it; NULL if the list
 * is shorter. */
static char *list_item(const char *list, int index)
{
    for (; index > 0 && list; index--) {
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    if (!list)
        return NULL;
    list += strspn(list, " ");
    size_t n = strcspn(list, ",");
    while (n > 0 && list[n - 1] == ' ')
        n--;
    return n > 0 ? must(strndup(list, n)) : NULL;
}

/* Appends an item to a list, which is malloc'd and freed; NULL: an empty one. */
static char *append(char *list, const char *item)
{
    if (!list)
        return must(strdup(item));
    char *longer = must(format_string("%s,%s", list, item));
    free(list);
    return longer;
}

char *gpus_variable(const char *outer, const int *numbers, int count)
{
    char *text = NULL;
    for (int i = 0; i < count; i++) {
        char *item = outer ? list_item(outer, numbers[i]) : must(format_string("%d", numbers[i]));
        if (!item) {
            free(text);
            return NULL;
        }
        text = append(text, item);
        free(item);
    }
    return text ? text : must(strdup(""));
}

/* ---- --gpus ---- */

static bool is_number(const char *item)
{
    return *item && strlen(item) <= 3 && item[strspn(item, "0123456789")] == 0;
}

static bool is_uuid(const char *item)
{
    return strncmp(item, "GPU-", 4) == 0 || strncmp(item, "MIG-", 4) == 0;
}

static bool list_has(const char *list, const char *wanted)
{
    bool found = false;
    char *item;
    for (int i = 0; !found && (item = list_item(list, i)); i++) {
        found = strcmp(item, wanted) == 0;
        free(item);
    }
    return found;
}

/* Appends one item of the option to *visible, as CUDA must see it. */
static int select_one(const char *item, const char *outer, char **visible, struct error *err)
{
    int number = is_number(item) ? atoi(item) : -1;
    char *name = NULL;
    if (number >= 0)
        name = gpus_variable(outer, &number, 1);
    else if (!is_uuid(item))
        return error_set(err, EINVAL,
                         "expected numbers or UUIDs of GPUs, such as 0,2 (`nvidia-smi -L` lists "
                         "them), or none, not '%s'",
                         item);
    else if (!outer || list_has(outer, item))
        name = must(strdup(item));
    if (!name)
        return error_set(err, EINVAL, "%s isn't among the GPUs of " GPUS_VARIABLE ", '%s'", item,
                         outer);
    bool again = *visible && list_has(*visible, name);
    if (!again)
        *visible = append(*visible, name);
    free(name);
    return again ? error_set(err, EINVAL, "%s is listed twice", item) : 0;
}

/* Compares what CUDA finds with what was asked for: at an unknown GPU it ends its list. */
static int check_found(const char *list, int wanted, struct error *err)
{
    struct error why = {""};
    int found = gpus_count(&why);
    if (found == 0)
        return error_set(err, EINVAL, "no GPU can be used: %s", why.text);
    if (found == wanted)
        return 0;
    char *missing = list_item(list, found);
    int rc = error_set(err, EINVAL, "there is no GPU %s; `nvidia-smi -L` lists them", missing);
    free(missing);
    return rc;
}

int gpus_select(const char *list, struct error *err)
{
    const char *outer = getenv(GPUS_VARIABLE);
    char *visible = NULL, *item;
    int rc = 0, count = 0;
    bool none = strcmp(list, "none") == 0;
    for (; !none && rc == 0 && (item = list_item(list, count)); count++) {
        rc = select_one(item, outer, &visible, err);
        free(item);
    }
    if (rc == 0 && !none && count == 0)
        rc = error_set(err, EINVAL, "expected numbers of GPUs, such as 0,2, or none");
    if (rc == 0)
        rc = setenv(GPUS_VARIABLE, visible ? visible : "", 1) == 0
                 ? 0
                 : error_errno(err, errno, "setenv");
    if (rc == 0 && !none)
        rc = check_found(list, count, err);
    free(visible);
    if (rc < 0)
        error_prefix(err, "--gpus %s", list);
    return rc;
}
