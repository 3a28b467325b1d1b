/* `completion` prints the scripts for bash and zsh. They are short: at each key press they run
 * `ferdag complete`, which knows the tables of table.h, the kinds, and the stages of the experiment
 * on the command line. */
#include "base/arena.h"
#include "base/display.h"
#include "base/file.h"
#include "dag/commands/arguments.h"
#include "dag/experiment/experiment.h"
#include "dag/find_experiment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bash splits words at '=', so that "--cache=x" is three words; the current word is then "=" or
 * what follows it. A completion that ends in '/', '.' or '=' may go on, so no blank follows it. */
static const char bash_script[] =
    "# bash completion for ferdag\n"
    "_ferdag() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} word _\n"
    "    local -a words=(\"${COMP_WORDS[@]/#\\~\\//$HOME/}\")\n"
    "    [ \"$cur\" = = ] && cur=\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r word _; do\n"
    "        case $word in\n"
    "        :yaml)\n"
    "            compopt -o filenames\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(\n"
    "                compgen -f -X '!*.yaml' -- \"$cur\"; compgen -d -- \"$cur\") ;;\n"
    "        :folder)\n"
    "            compopt -o filenames\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
    "        :path)\n"
    "            compopt -o filenames\n"
    "            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "        *)\n"
    "            [[ $word == *[/.=] ]] && compopt -o nospace\n"
    "            COMPREPLY+=(\"$word\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]}\" complete -- \"$COMP_CWORD\" \"${words[@]}\" 2> /dev/null)\n"
    "}\n"
    "complete -F _ferdag ferdag\n";

static const char zsh_script[] =
    "#compdef ferdag\n"
    "# zsh completion for ferdag\n"
    "_ferdag() {\n"
    "    local line word text\n"
    "    local -a closed open\n"
    "    for line in \"${(@f)$(\"${(Q)words[1]}\" complete -- $((CURRENT - 1)) \"${(@Q)words}\" "
    "2> /dev/null)}\"; do\n"
    "        word=${line%%$'\\t'*}\n"
    "        text=${line#*$'\\t'}\n"
    "        case $word in\n"
    "        '') ;;\n"
    "        :yaml) _files -g '*.yaml' ;;\n"
    "        :folder) _files -/ ;;\n"
    "        :path) _files ;;\n"
    "        *[/.=]) open+=(\"${word//:/\\\\:}${text:+:$text}\") ;;\n"
    "        *) closed+=(\"${word//:/\\\\:}${text:+:$text}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( ${#closed} )) && _describe ferdag closed\n"
    "    (( ${#open} )) && _describe ferdag open -S ''\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _ferdag ]; then\n"
    "    _ferdag \"$@\"\n"
    "else\n"
    "    compdef _ferdag ferdag\n"
    "fi\n";

int command_completion(const struct options *options, struct error *err)
{
    const char *shell = options->names[0];
    if (strcmp(shell, "bash") == 0) {
        fputs(bash_script, stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        fputs(zsh_script, stdout);
    } else {
        error_set(err, EINVAL, "unknown shell '%s': expected bash or zsh", shell);
        return EXIT_BAD;
    }
    return EXIT_DONE;
}

/* ---- what can stand at a place of a command line ---- */

struct completer {
    const struct command *command;
    const char *word;   /* what stands at that place already */
    const char *prefix; /* "--cache=" where the word is the value behind it: of each completion */
    size_t prefix_size;
    const char *file; /* the first operand, or NULL */
};

/* Prints a candidate if it begins with the word. */
static void offer(const struct completer *c, const char *candidate, const char *text)
{
    if (strncmp(candidate, c->word, strlen(c->word)) == 0)
        printf("%.*s%s\t%s\n", (int)c->prefix_size, c->prefix, candidate, text ? text : "");
}

static void offer_list(const struct completer *c, const char *list)
{
    char word[64];
    while ((list = next_word(list, word, sizeof word)))
        offer(c, word, NULL);
}

static void offer_commands(const struct completer *c)
{
    for (const struct command *k = commands; k->name; k++)
        if (k->group != GROUP_HIDDEN)
            offer(c, k->name, k->summary);
}

static void offer_kinds(const struct completer *c)
{
    for (size_t i = 0; kinds[i]; i++)
        offer(c, kinds[i]->name, kinds[i]->text);
}

static void offer_options(const struct completer *c)
{
    char name[64];
    for (const struct option *o = option_table; o->name; o++) {
        snprintf(name, sizeof name, "--%s", o->name);
        if (command_takes(c->command, o))
            offer(c, name, option_summary(o, c->command));
    }
    offer(c, "--help", "print the help of this command");
}

static void offer_experiments(const struct completer *c)
{
    char **names = NULL;
    size_t count = 0;
    if (c->command->reads_experiment)
        find_installed(&names, &count);
    for (size_t i = 0; i < count; i++) {
        offer(c, names[i], "installed experiment");
        free(names[i]);
    }
    free(names);
    puts(":yaml");
}

/* ---- from the experiment on the command line ---- */

/* A stage's name up to the next '/' after the word, each once, as paths are completed: "train" and
 * "train/". */
static void offer_stage(const struct completer *c, const char *name, bool groups, char **last)
{
    size_t n = strlen(c->word), m = strlen(name);
    if (strncmp(name, c->word, n) != 0)
        return;
    size_t end = n + strcspn(name + n, "/");
    char *part = must(strndup(name, end < m ? end + 1 : end));
    if (!*last || strcmp(*last, part) != 0) {
        if (end < m && groups && end > 0) {
            part[end] = 0;
            offer(c, part, "all stages below it");
            part[end] = '/';
        }
        offer(c, part, NULL);
        free(*last);
        *last = part;
    } else {
        free(part);
    }
}

static void offer_stages(const struct completer *c, const struct experiment *e)
{
    char *last = NULL;
    for (size_t i = 0; i < e->stage_count; i++)
        offer_stage(c, e->by_name[i]->name, true, &last);
    free(last);
}

/* Stages, and behind the name of one of them its ports. */
static void offer_outputs(const struct completer *c, const struct experiment *e)
{
    char *last = NULL;
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->by_name[i];
        size_t n = strlen(stage->name);
        bool whole = strncmp(c->word, stage->name, n) == 0 && (!c->word[n] || c->word[n] == '.');
        for (size_t k = 0; whole && k < stage->output_count; k++) {
            char *output = must(malloc(n + strlen(stage->outputs[k].port) + 2));
            sprintf(output, "%s.%s", stage->name, stage->outputs[k].port);
            offer(c, output, NULL);
            free(output);
        }
        if (!whole)
            offer_stage(c, stage->name, false, &last);
    }
    free(last);
}

static void offer_claims(const struct completer *c, const struct experiment *e)
{
    const char *id;
    json_t *claim;
    char title[160];
    json_object_foreach((json_t *)experiment_claims(e), id, claim)
    {
        const char *text = json_string_value(json_object_get(claim, "title"));
        display_clean(title, sizeof title, text ? text : "", text ? strlen(text) : 0);
        offer(c, id, title);
    }
}

/* "width=" for a param; "of." for a map and, behind that, "of.a=". `above` is "" or "of.". */
static void offer_params(const struct completer *c, const struct node *params, const char *above)
{
    for (size_t i = 0; params && i < params->count; i++) {
        const struct node *value = params->items[i];
        bool map = value->type == NODE_MAP;
        char *setting =
            must(format_string("%s%s%c", above, params->keys[i]->text, map ? '.' : '='));
        if (map && strncmp(c->word, setting, strlen(setting)) == 0)
            offer_params(c, value, setting);
        else
            offer(c, setting, NULL);
        free(setting);
    }
}

/* A file with errors gives no completions: the user may be writing it. */
static void offer_from_experiment(const struct completer *c, enum operand_type type)
{
    char *path = NULL;
    struct experiment e;
    struct problems problems = {0};
    if (!c->file || find_experiment(c->file, &path, NULL) < 0)
        return;
    if (experiment_load(&e, path, NULL, 0, &problems) == 0) {
        if (type == OPERAND_STAGE)
            offer_stages(c, &e);
        else if (type == OPERAND_OUTPUT)
            offer_outputs(c, &e);
        else if (type == OPERAND_CLAIM)
            offer_claims(c, &e);
        else
            offer_params(c, e.params, "");
        experiment_free(&e);
    }
    problems_free(&problems);
    free(path);
}

static void offer_operand(const struct completer *c, const struct operand *operand)
{
    switch (operand ? operand->type : OPERAND_OTHER) {
    case OPERAND_EXPERIMENT:
        offer_experiments(c);
        break;
    case OPERAND_STAGE:
    case OPERAND_CLAIM:
    case OPERAND_OUTPUT:
    case OPERAND_SETTING:
        offer_from_experiment(c, operand->type);
        break;
    case OPERAND_PATH:
        puts(":path");
        break;
    case OPERAND_FOLDER:
        puts(":folder");
        break;
    case OPERAND_KIND:
        offer_kinds(c);
        break;
    case OPERAND_COMMAND:
        offer_commands(c);
        break;
    case OPERAND_SHELL:
        offer_list(c, shells);
        break;
    case OPERAND_OTHER:
        break;
    }
}

/* ---- the command line ---- */

static void offer_value(const struct completer *c, const struct option *o)
{
    if (o->values)
        offer_list(c, o->values);
    else
        offer_operand(c, operand_find(o->argument));
}

/* The operand at place `at` of the command: the last one, if it may be repeated, stands for all
 * that follow. */
static const struct operand *operand_at(const struct command *command, size_t at)
{
    char word[64], last[64] = "";
    size_t i = 0;
    for (const char *p = command->operands; (p = next_word(p, word, sizeof word)); i++) {
        if (i == at)
            return operand_find(word);
        snprintf(last, sizeof last, "%s", word);
    }
    return at < command->most && strstr(last, "...") ? operand_find(last) : NULL;
}

/* Completes words[at]; words[0] is the program and words[1] the command. */
static void complete(struct completer *c, const char **words, size_t at)
{
    const struct option *awaiting = NULL; /* the option whose value the next word is */
    size_t operands = 0;
    for (size_t i = 2; i < at; i++) {
        const char *word = words[i];
        if (awaiting && strcmp(word, "=") == 0)
            continue;
        if (awaiting) {
            awaiting = NULL;
        } else if (word[0] == '-' && word[1]) {
            awaiting = option_awaiting(word);
        } else {
            c->file = operands++ == 0 ? word : c->file;
        }
    }
    const char *equals = strchr(c->word, '=');
    if (awaiting) {
        c->word += strcmp(c->word, "=") == 0;
        offer_value(c, awaiting);
    } else if (strncmp(c->word, "--", 2) == 0 && equals) {
        const struct option *o = option_find(c->word);
        c->prefix = c->word;
        c->prefix_size = (size_t)(equals + 1 - c->word);
        c->word = equals + 1;
        if (o && o->argument && command_takes(c->command, o))
            offer_value(c, o);
    } else if (*c->word == '-') {
        offer_options(c);
    } else {
        offer_operand(c, operand_at(c->command, operands));
    }
}

int command_complete(const struct options *options, struct error *err)
{
    char *end;
    size_t at = strtoul(options->names[0], &end, 10), count = options->name_count - 1;
    const char **words = options->names + 1;
    if (end == options->names[0] || *end || at < 1 || at > count) {
        error_set(err, EINVAL, "complete %s: expected the index of a word", options->names[0]);
        return EXIT_BAD;
    }
    struct completer c = {.word = at < count ? words[at] : "", .prefix = ""};
    if (at == 1) {
        if (*c.word == '-') {
            offer(&c, "--help", "list the commands");
            offer(&c, "--version", "print the version");
        } else {
            offer_commands(&c);
        }
        return EXIT_DONE;
    }
    if (at == 2 && strcmp(words[1], "--version") == 0) {
        offer(&c, "--verbose", "also print the libraries and GPUs");
        return EXIT_DONE;
    }
    c.command = command_find(words[1], err);
    if (!c.command)
        return EXIT_BAD;
    complete(&c, words, at);
    return EXIT_DONE;
}
