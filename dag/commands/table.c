/* See table.h. */
#include "dag/commands/table.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const group_titles[GROUPS] = {
    [GROUP_RUN] = "Run an experiment:",
    [GROUP_INSPECT] = "Inspect an experiment and its results:",
    [GROUP_WRITE] = "Write an experiment file:",
    [GROUP_MAINTAIN] = "Maintain the cache and the shell:",
};

const struct command commands[] = {
    {
        .name = "run",
        .operands = "FILE [STAGE...]",
        .summary = "run the stages that are out of date, and write the report",
        .text = "Runs each stage whose result is not in the cache, in the order of the graph, "
                "several at a time. Then writes the report and the tables of the experiment to "
                "out/NAME/. With STAGE, runs only these stages and the stages that they need.\n\n"
                "Ctrl-C stops a run. The same command continues it: finished stages are in the "
                "cache, and an interrupted training resumes from its last checkpoint.",
        .options = "dry-run jobs keep-going force set backend gpus cache out json",
        .examples = {{"ferdag run demo.yaml", "Run all stages on all CPUs."},
                     {"ferdag run demo.yaml train --set epochs=3 -j 2",
                      "Run the stages below `train` with another value of a param, on two CPUs."},
                     {"ferdag run demo.yaml --dry-run", "Print the stages that would run."}},
        .exits = {{"1", "a stage failed, or the cache or the report could not be written"},
                  {"130", "interrupted"}},
        .group = GROUP_RUN,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .function = command_run,
    },
    {
        .name = "report",
        .operands = "FILE",
        .summary = "write the report from the results in the cache",
        .text = "Writes the report and the tables of the experiment to out/NAME/ from results that "
                "are in the cache. No other stage runs. A number whose stage has no result is "
                "shown as missing, with the reason.",
        .options = "jobs set backend gpus cache out json",
        .examples = {{"ferdag report paper.yaml", "Write the report of an unfinished run."}},
        .exits = {{"1", "the report could not be made or written"}, {"130", "interrupted"}},
        .group = GROUP_RUN,
        .least = 1,
        .most = 1,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_report,
    },
    {
        .name = "verify",
        .operands = "FILE [CLAIM...]",
        .summary = "print the verdict of each claim; exit 3 if one is not reproduced",
        .text = "Prints whether the claims of the experiment are reproduced, not reproduced, not "
                "decided, or not run, with the reasons; with CLAIM, only of these claims. The "
                "verdicts are those of the report. They come from results that are in the cache: "
                "no stage runs but `tables`, and no report is written. A claim is not run if a "
                "number that it needs is missing.\n\n"
                "Exit status 3 comes before 1: a claim that is not reproduced stays so, whatever "
                "else runs. Claims that are not decided don't change the exit status.",
        .options = "verbose set backend gpus cache json",
        .examples = {{"ferdag verify paper.yaml", "Print the verdicts of all claims."},
                     {"ferdag verify paper.yaml cleaning_helps --verbose",
                      "Print all comparisons of one claim."},
                     {"ferdag verify paper.yaml --json | jq .counts", "Count the verdicts."}},
        .exits = {{"1", "a claim is not run, or the verdicts could not be made"},
                  {"3", "a claim is not reproduced"},
                  {"130", "interrupted"}},
        .group = GROUP_RUN,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_verify,
    },
    {
        .name = "check",
        .operands = "FILE",
        .summary = "list all errors in an experiment file, without running it",
        .text = "Lists all errors in the file and in the files that it includes, each with its "
                "file, line and column, what is wrong, and what would be right. Runs nothing and "
                "does not change the cache. An input file that does not exist is a warning, as it "
                "may be created later.",
        .options = "set backend gpus cache",
        .examples = {{"ferdag check demo.yaml", "Check a file."}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1,
        .reads_experiment = true,
        .function = command_check,
    },
    {
        .name = "status",
        .operands = "FILE [STAGE...]",
        .summary = "print the state of each stage",
        .text = "Prints one line per stage with its state: cached (its result is in the cache), "
                "stale (it has a result, of other inputs or params), missing (it has no result), "
                "running, or failed (its last attempt failed). Of a stage that is running or was "
                "interrupted, prints how far it is.",
        .options = "set backend gpus cache json",
        .examples = {{"ferdag status demo.yaml", "Print the state of all stages."},
                     {"ferdag status demo.yaml train", "Print the state of those below `train`."}},
        .exits = {{"1", "the cache could not be read"}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_status,
    },
    {
        .name = "explain",
        .operands = "FILE [STAGE...]",
        .summary = "print why a stage would run: what changed, old and new",
        .text = "Prints the reasons why a stage would run: the inputs, params, scripts and "
                "environment variables that differ from its last result, with the old and the new "
                "value. Stages that are cached are only counted, unless STAGE or --all asks for "
                "them.",
        .options = "all set backend gpus cache json",
        .own_option = {"all", "also explain stages that are cached"},
        .examples = {{"ferdag explain demo.yaml train/vgg19", "Explain one stage."}},
        .exits = {{"1", "the cache could not be read"}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_explain,
    },
    {
        .name = "graph",
        .operands = "FILE",
        .summary = "print the stages and what they read as a graph",
        .text = "Prints the graph of stages as text for Graphviz (dot) or for Mermaid. The stages "
                "of a matrix are one node with their number, unless --all is given. Colours show "
                "the stages' states, if there is a cache.",
        .options = "format all set backend gpus cache",
        .own_option = {"all", "draw each stage of a matrix"},
        .examples = {{"ferdag graph demo.yaml | dot -Tsvg > demo.svg", "Draw the graph."}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_graph,
    },
    {
        .name = "show",
        .operands = "FILE [STAGE...]",
        .summary = "print a stage's outputs, their origin, time and memory",
        .text = "Prints for each stage its key, params, inputs and outputs with the paths of the "
                "files and their digests, how long it ran and how much memory it took.",
        .options = "set backend gpus cache json",
        .examples = {{"ferdag show demo.yaml train/vgg19", "Show one stage."}},
        .exits = {{"1", "the cache could not be read"}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_show,
    },
    {
        .name = "get",
        .operands = "FILE STAGE.port DEST",
        .summary = "copy an output to a file or into a folder",
        .text = "Copies an output of a stage's current result out of the cache to DEST: a new "
                "file or folder, or an existing folder, which gets the output under its own name. "
                "Without a port, copies the stage's main output. The copy is compared with the "
                "digest of the output. Nothing that exists is overwritten.",
        .options = "set backend gpus cache",
        .examples = {{"ferdag get demo.yaml train/full/vgg19/1.best vgg19.safetensors",
                      "Copy the weights of a net."},
                     {"ferdag get demo.yaml tables .", "Copy a folder of outputs to this one."}},
        .exits = {{"1", "the output is damaged, or the copy could not be written"}},
        .group = GROUP_INSPECT,
        .least = 3,
        .most = 3,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_get,
    },
    {
        .name = "log",
        .operands = "FILE [STAGE...]",
        .summary = "print what a stage printed",
        .text = "Prints what a stage wrote to its standard output and standard error when it "
                "last ran, whether it succeeded or failed.",
        .options = "set backend gpus cache",
        .examples = {{"ferdag log demo.yaml train/vgg19", "Print the log of one stage."}},
        .exits = {{"1", "the stage has not run, or the cache could not be read"}},
        .group = GROUP_INSPECT,
        .least = 1,
        .most = 1000,
        .reads_experiment = true,
        .reads_cache = true,
        .function = command_log,
    },
    {
        .name = "kinds",
        .operands = "[KIND]",
        .summary = "list the stage kinds, their ports and params",
        .text = "Lists the stage kinds. With KIND, prints its input and output ports and its "
                "params with types, ranges and defaults.",
        .options = "json",
        .examples = {{"ferdag kinds", "List all kinds."},
                     {"ferdag kinds train_cnn", "Describe one kind."}},
        .group = GROUP_WRITE,
        .most = 1,
        .function = command_kinds,
    },
    {
        .name = "schema",
        .operands = "",
        .summary = "print the JSON Schema of the file format, for editors",
        .text = "Prints a JSON Schema of the experiment file. Editors that have a YAML language "
                "server use it to complete and to check what you type.",
        .options = "",
        .examples = {{"ferdag schema > ferdag.schema.json", "Write the schema to a file."}},
        .group = GROUP_WRITE,
        .function = command_schema,
    },
    {
        .name = "migrate",
        .operands = "FILE",
        .summary = "rewrite a file of an older format",
        .text = "Rewrites a file of format 1, and the files that it includes, for format 2. Only "
                "names of keys, kinds and params, and values of needs.gpu, change; comments and "
                "layout stay. What cannot be "
                "renamed with certainty stays as it is, and a warning with line and column says "
                "what to change by hand.",
        .options = "",
        .examples = {{"ferdag migrate old.yaml", "Rewrite a file."}},
        .exits = {{"1", "work is left to do by hand, or a file could not be written"}},
        .group = GROUP_WRITE,
        .least = 1,
        .most = 1,
        .function = command_migrate,
    },
    {
        .name = "fsck",
        .operands = "",
        .summary = "find damage in the cache and, with --repair, repair it",
        .text = "Reads all results and files in the cache and compares them with their digests. "
                "Prints what is damaged or missing, and which interrupted stages can be resumed. "
                "With --repair, moves damaged files to the folder `damaged` of the cache and "
                "rebuilds the index; the next run computes again what is missing.",
        .options = "repair cache json",
        .examples = {{"ferdag fsck", "Look for damage."}, {"ferdag fsck --repair", "Repair it."}},
        .exits = {{"1", "the cache is damaged, or could not be read or repaired"}},
        .group = GROUP_MAINTAIN,
        .function = command_fsck,
    },
    {
        .name = "completion",
        .operands = "SHELL",
        .summary = "print the completion script for bash or zsh",
        .text = "Prints a script that makes the shell complete commands, options, experiment "
                "files, stages and kinds. An installed ferdag has these scripts where bash and zsh "
                "find them.",
        .options = "",
        .examples = {{". <(ferdag completion bash)", "Complete in this bash."},
                     {"ferdag completion zsh > ~/.zfunc/_ferdag",
                      "Complete in zsh, where ~/.zfunc is in fpath."}},
        .group = GROUP_MAINTAIN,
        .least = 1,
        .most = 1,
        .function = command_completion,
    },
    {
        .name = "help",
        .operands = "[COMMAND]",
        .summary = "describe a command, as COMMAND --help does",
        .text = "Lists the commands. With COMMAND, describes it, as `ferdag COMMAND --help` does.",
        .options = "man",
        .examples = {{"ferdag help run", "Describe the command run."},
                     {"ferdag help --man | man -l -", "Show the man page."}},
        .group = GROUP_MAINTAIN,
        .most = 1,
        .function = command_help,
    },
    {
        .name = "stage",
        .operands = "KIND",
        .summary = "run one stage in the current folder, for `ferdag run`",
        .text = "Runs one stage in the current folder, which holds its inputs and a job.json with "
                "its params. `ferdag run` starts each stage as a process of this command.",
        .options = "",
        .exits = {{"1", "the stage failed"}},
        .group = GROUP_HIDDEN,
        .least = 1,
        .most = 1,
        .function = command_stage,
    },
    {
        .name = "complete",
        .operands = "INDEX [WORD...]",
        .summary = "print completions, for the completion scripts",
        .text = "Prints what can stand at place INDEX of a command line, whose words are WORD. "
                "Each line is a completion, a tab, and a description; the line `:yaml` stands for "
                "experiment files, `:folder` for folders and `:path` for any path. The scripts "
                "that `ferdag completion` prints call it.",
        .options = "",
        .group = GROUP_HIDDEN,
        .least = 1,
        .most = 1000000,
        .function = command_complete,
    },
    {.name = NULL},
};

#define FIELD(name) offsetof(struct options, name)

const struct option option_table[] = {
    {'n', "dry-run", NULL, NULL, "print which stages would run, and run nothing", OPTION_FLAG,
     .field = FIELD(dry)},
    {'j', "jobs", "N", NULL, "use at most N CPUs at a time (default: all)", OPTION_INT,
     .field = FIELD(jobs), .min = 1, .max = 4096},
    {'k', "keep-going", NULL, NULL, "after a failure, run the stages that don't depend on it",
     OPTION_FLAG, .field = FIELD(keep_going)},
    {0, "force", "STAGE", NULL, "run STAGE, or all stages below that name, even if cached",
     OPTION_LIST, .field = FIELD(forced), .count = FIELD(forced_count)},
    {0, "set", "NAME=VALUE", NULL,
     "set a param of the experiment; NAME may be a path such as width.vgg19", OPTION_LIST,
     .field = FIELD(settings), .count = FIELD(setting_count)},
    {0, "backend", "NAME", "auto ref cpu cuda", "compute nets, SVMs and kNN with this backend",
     OPTION_TEXT, .field = FIELD(backend)},
    {0, "gpus", "LIST", NULL,
     "use only these GPUs: numbers such as 0,2, UUIDs, or none (default: all that CUDA finds)",
     OPTION_TEXT, .field = FIELD(gpus)},
    {0, "cache", "DIR", NULL,
     "the cache (default: $FERDAG_CACHE, or .ferdag here or in a folder above)", OPTION_TEXT,
     .field = FIELD(cache)},
    {0, "out", "DIR", NULL,
     "write the report here (default: out/NAME; runs with other options have other folders)",
     OPTION_TEXT, .field = FIELD(out)},
    {0, "format", "NAME", "dot mermaid", "format of the graph", OPTION_TEXT,
     .field = FIELD(format)},
    {0, "json", NULL, NULL, "print the results as JSON on stdout", OPTION_FLAG,
     .field = FIELD(json)},
    {0, "verbose", NULL, NULL, "also print each comparison", OPTION_FLAG, .field = FIELD(verbose)},
    {0, "repair", NULL, NULL, "move damaged files aside and rebuild the index", OPTION_FLAG,
     .field = FIELD(repair)},
    {0, "man", NULL, NULL, "print the man page, in roff", OPTION_FLAG, .field = FIELD(man)},
    {0, "all", NULL, NULL,
     "also explain stages that are cached (explain), or draw each stage of a matrix (graph)",
     OPTION_FLAG, .field = FIELD(all)},
    {.name = NULL},
};

const struct operand operand_table[] = {
    {"FILE", OPERAND_EXPERIMENT, "the experiment file",
     ". The ending .yaml may be omitted. If there is no such file, FILE is the name of an "
     "installed "
     "experiment, such as demo"},
    {"STAGE", OPERAND_STAGE,
     "a stage, such as train/full/vgg19/1, or all stages below a name, such as train", NULL},
    {"CLAIM", OPERAND_CLAIM, "a claim, by its name in the section `claims`", NULL},
    {"STAGE.port", OPERAND_OUTPUT,
     "an output of a stage, such as svm.model; STAGE alone means its main output", NULL},
    {"DEST", OPERAND_PATH, "the file or folder to create", NULL},
    {"KIND", OPERAND_KIND, "a stage kind; `ferdag kinds` lists them", NULL},
    {"COMMAND", OPERAND_COMMAND, "the name of a command, such as run", NULL},
    {"SHELL", OPERAND_SHELL, "the shell: bash or zsh", NULL},
    {"DIR", OPERAND_FOLDER, NULL, NULL},
    {"NAME=VALUE", OPERAND_SETTING, NULL, NULL},
    {.name = NULL},
};

const char *const shells = "bash zsh";

const struct described common_exits[] = {
    {"0", "success"},
    {"2", "wrong usage, or an error in the experiment file"},
    {NULL, NULL},
};

const struct described environment_table[] = {
    {"FERDAG_CACHE", "The folder of the cache, where --cache is not given."},
    {"FERDAG_EXPERIMENTS", "The folder of the installed experiments, in place of "
                           "../share/ferdag/experiments beside the folder of the program."},
    {"CUDA_VISIBLE_DEVICES", "The GPUs that ferdag may use, where --gpus is not given."},
    {"FERDAG_CUDNN",
     "The folder or the file of cuDNN's library libcudnn_graph.so, where the system "
     "doesn't find it."},
    {"FERDAG_CUBLAS", "The same of cuBLAS's library libcublas.so."},
    {"NO_COLOR", "If it is set and not empty, output on a terminal has no colours."},
    {"TERM", "If it is `dumb` or not set, progress is printed as plain lines."},
    {NULL, NULL},
};

const struct described file_table[] = {
    {".ferdag", "The cache, in the current folder or in the nearest folder above that has one, if "
                "neither --cache nor FERDAG_CACHE names another folder."},
    {"out/NAME/report.pdf, out/NAME/tables/",
     "The report and the tables of the experiment NAME.yaml."},
    {"out/NAME/results/", "Links to the current results, under their own names."},
    {"PREFIX/share/ferdag/experiments/",
     "The installed experiments. PREFIX is the folder of the installation, which holds bin/ferdag: "
     "/usr for a package, /usr/local for `make install`."},
    {"PREFIX/share/doc/ferdag/experiments.md", "The description of the experiment file."},
    {"PREFIX/share/doc/ferdag/cache.md", "The description of the cache and its format."},
    {"PREFIX/share/ferdag/docs/ferdag.schema.json", "The JSON Schema of the experiment file."},
    {NULL, NULL},
};

const struct described page_examples[] = {
    {"ferdag run demo", "Run the installed experiment demo. It needs no data."},
    {"ferdag check my.yaml", "List the errors in a file."},
    {"ferdag status my.yaml", "Print the state of each stage."},
    {"ferdag run my.yaml --set seed=2", "Run with another value of a param."},
    {"ferdag show my.yaml train | less", "Show the outputs of the stages below `train`."},
    {NULL, NULL},
};

const char page_text[] =
    "ferdag reproduces a machine-learning paper the way make builds a program. A YAML file "
    "describes the experiment as a graph of stages. ferdag runs the stages that are out of date, "
    "stores each result in a cache under the hash of everything that it depends on, and prints "
    "the tables and plots of the paper beside the paper's own numbers.\n\n"
    "The experiment file is described in experiments.md (see FILES); `ferdag kinds` lists the "
    "kinds of stages, with their ports and params. Options may stand before or after "
    "operands; `--` ends the options. Results are written to standard output, messages to "
    "standard error.";

const struct command *command_find(const char *name, struct error *err)
{
    struct nearest nearest = {.wrong = name};
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        if (c->group != GROUP_HIDDEN)
            nearest_offer(&nearest, c->name);
    }
    error_set(err, EINVAL, "unknown command '%s'%s; `ferdag --help` lists them", name,
              nearest_hint(&nearest));
    return NULL;
}

const char *next_word(const char *list, char *word, size_t size)
{
    list += strspn(list, " ");
    size_t n = strcspn(list, " ");
    if (n == 0)
        return NULL;
    snprintf(word, size, "%.*s", (int)n, list);
    return list + n;
}

const char *option_summary(const struct option *option, const struct command *command)
{
    const struct described *own = command ? &command->own_option : NULL;
    return own && own->name && strcmp(own->name, option->name) == 0 ? own->text : option->text;
}

void usage_line(const struct command *command, char *text, size_t size)
{
    snprintf(text, size, "usage: ferdag %s%s%s%s", command->name, *command->operands ? " " : "",
             command->operands, *command->options ? " [OPTION...]" : "");
}

const char *exit_text(const struct described *status, const struct command *command)
{
    bool reads_file = strncmp(command->operands, "FILE", 4) == 0;
    return !reads_file && strcmp(status->name, "2") == 0 ? "wrong usage" : status->text;
}

void option_text(const struct option *option, const struct command *command, char *text,
                 size_t size)
{
    char word[64];
    const char *comma = ": ", *p = option->values ? option->values : "";
    size_t n = (size_t)snprintf(text, size, "%s", option_summary(option, command));
    while (n < size && (p = next_word(p, word, sizeof word))) {
        n += (size_t)snprintf(text + n, size - n, "%s%s%s", comma, word,
                              *comma == ':' ? " (default)" : "");
        comma = strchr(p + strspn(p, " "), ' ') ? ", " : " or ";
    }
}

bool command_takes(const struct command *command, const struct option *option)
{
    char word[64];
    for (const char *p = command->options; (p = next_word(p, word, sizeof word));)
        if (strcmp(word, option->name) == 0)
            return true;
    return false;
}

const struct operand *operand_find(const char *word)
{
    word += *word == '[';
    size_t n = strcspn(word, "]");
    if (n > 3 && strncmp(word + n - 3, "...", 3) == 0)
        n -= 3;
    for (const struct operand *o = operand_table; o->name; o++)
        if (strlen(o->name) == n && strncmp(o->name, word, n) == 0)
            return o;
    return NULL;
}
