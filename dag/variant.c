/* See variant.h. */
#include "dag/variant.h"
#include "cache/sha256.h"
#include "dag/cache_folder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_LIMIT = 60, SUFFIX_LIMIT = 120, HASH_DIGITS = 6 };

static const char sound[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.=+-";

const char *variant_quote(struct arena *arena, const char *text)
{
    size_t n = strlen(text), sound_count = 0;
    while (text[sound_count] &&
           (strchr(sound, text[sound_count]) || strchr("/,:@%", text[sound_count])))
        sound_count++;
    if (n > 0 && sound_count == n)
        return arena_copy(arena, text, n);
    char *quoted = arena_alloc(arena, 4 * n + 3), *out = quoted;
    *out++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            out += sprintf(out, "'\\''");
        else
            *out++ = *text;
    }
    *out++ = '\'';
    *out = 0;
    return quoted;
}

static bool is_default_backend(const struct options *options)
{
    return strcmp(options->backend, "auto") == 0;
}

const char *variant_options(struct arena *arena, const struct options *options)
{
    const char *text = "";
    for (size_t i = 0; i < options->setting_count; i++)
        text = arena_print(arena, "%s --set %s", text, variant_quote(arena, options->settings[i]));
    if (options->cache_given)
        text = arena_print(arena, "%s --cache %s", text, variant_quote(arena, options->cache));
    if (!is_default_backend(options))
        text = arena_print(arena, "%s --backend %s", text, options->backend);
    if (options->gpus)
        text = arena_print(arena, "%s --gpus %s", text, variant_quote(arena, options->gpus));
    return text;
}

/* ---- the folder of a run ---- */

static const char *hash(struct arena *arena, const char *text)
{
    struct digest digest;
    if (sha256_memory(text, strlen(text), &digest, NULL) < 0)
        must(NULL); /* out of memory is its only error */
    return arena_copy(arena, digest.hex, HASH_DIGITS);
}

/* The text in characters that a file name may have; one that had others, or is long, ends with a
 * hash. */
static const char *word(struct arena *arena, const char *text)
{
    size_t n = strlen(text);
    char *copy = arena_copy(arena, text, n > WORD_LIMIT ? WORD_LIMIT : n);
    bool odd = n > WORD_LIMIT;
    for (char *p = copy; *p; p++)
        if (!strchr(sound, *p)) {
            *p = '_';
            odd = true;
        }
    return odd ? arena_print(arena, "%s-%s", copy, hash(arena, text)) : copy;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ",a=1,b=2": each name once, with its last value. */
static const char *settings_word(struct arena *arena, const struct options *options)
{
    const char **words = arena_alloc(arena, (options->setting_count + 1) * sizeof(const char *));
    size_t count = 0;
    for (size_t i = 0; i < options->setting_count; i++) {
        size_t n = strcspn(options->settings[i], "=");
        bool again = false;
        for (size_t k = i + 1; k < options->setting_count; k++)
            again |= strncmp(options->settings[i], options->settings[k], n + 1) == 0;
        if (!again)
            words[count++] = word(arena, options->settings[i]);
    }
    qsort(words, count, sizeof *words, by_text);
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        text = arena_print(arena, "%s,%s", text, words[i]);
    return text;
}

/* "" for the cache that is found without FERDAG_CACHE and --cache, else "@NAME-HASH". */
static const char *cache_word(struct arena *arena, const char *cache)
{
    char *found = cache_folder_search();
    char *full = realpath(cache, NULL), *plain = realpath(found, NULL);
    bool same = strcmp(cache, found) == 0 || (full && plain && strcmp(full, plain) == 0);
    const char *path = full ? arena_copy(arena, full, strlen(full)) : cache;
    free(found);
    free(full);
    free(plain);
    if (same)
        return "";
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    path = arena_copy(arena, path, n);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    return arena_print(arena, "@%s-%s", word(arena, name), hash(arena, path));
}

const char *variant_folder(struct arena *arena, const struct options *options, const char *name)
{
    if (options->out)
        return options->out;
    const char *suffix = arena_print(arena, "%s%s%s%s", settings_word(arena, options),
                                     is_default_backend(options) ? "" : ",backend=",
                                     is_default_backend(options) ? "" : options->backend,
                                     cache_word(arena, options->cache));
    if (strlen(suffix) > SUFFIX_LIMIT)
        suffix = arena_print(arena, ",%s", hash(arena, suffix));
    return arena_print(arena, "out/%s%s", name, suffix);
}
