/* See columns.h. */
#include "dag/commands/columns.h"
#include "base/display.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LEAST_SCREEN = 40,
    USUAL_SCREEN = 80,
    MOST_SCREEN = 100,
    WIDEST = 16,     /* of a column that isn't the first or the last */
    LEAST_LAST = 22, /* a narrower last column goes below its row */
    GAP = 2,
    BELOW = 6 /* indent of what stands below a row */
};

int columns_screen(void)
{
    size_t columns, rows;
    display_size(STDOUT_FILENO, &columns, &rows);
    if (columns == 0)
        return USUAL_SCREEN;
    return columns < LEAST_SCREEN  ? LEAST_SCREEN
           : columns > MOST_SCREEN ? MOST_SCREEN
                                   : (int)columns;
}

/* ---- text on lines ---- */

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Characters of n bytes of UTF-8, of one column each. */
static int length(const char *text, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n && text[i]; i++)
        count += begins_character(text[i]);
    return count;
}

/* Bytes of a word: up to a blank, or behind a '|', which separates choices. */
static size_t word_size(const char *text)
{
    size_t n = strcspn(text, " |");
    return text[n] == '|' ? n + 1 : n;
}

/* Bytes of the first line of a text that is broken into lines of `width` characters, without the
 * blanks at its end. A word that is longer than a line is cut. */
static size_t line_size(const char *text, int width)
{
    size_t size = 0, next = 0;
    while (text[next]) {
        size_t end = next + strspn(text + next, " ");
        end += word_size(text + end);
        if (length(text, end) > width)
            break;
        size = next = end;
    }
    if (size > 0 || !*text)
        return size;
    for (int seen = 0; text[size]; size++) {
        seen += begins_character(text[size]);
        if (seen > width)
            break;
    }
    return size;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

void columns_wrap(const char *text, int at, int indent, int screen)
{
    int width = screen - at > 1 ? screen - at : 1;
    text = skip_blanks(text);
    do {
        size_t n = line_size(text, width);
        printf("%.*s\n", (int)n, text);
        text = skip_blanks(text + n);
        width = screen - indent > 1 ? screen - indent : 1;
        if (*text)
            printf("%*s", indent, "");
    } while (*text);
}

/* ---- tables ---- */

void columns_add(struct columns *table, struct columns_row row)
{
    for (size_t i = 0; i < COLUMNS_MOST; i++)
        if (!row.cells[i])
            row.cells[i] = "";
    table->rows = arena_push(table->arena, table->rows, table->row_count, sizeof *table->rows);
    table->rows[table->row_count++] = row;
}

static int longest_word(const char *text)
{
    int longest = 0;
    while (*(text = skip_blanks(text))) {
        size_t n = word_size(text);
        int count = length(text, n);
        longest = count > longest ? count : longest;
        text += n;
    }
    return longest;
}

/* The first column shows its texts whole; the others are as wide as their longest text, but wider
 * than WIDEST only for a long word. Returns the columns that all but the last take. */
static int measure(const struct columns *table, int widths[COLUMNS_MOST])
{
    int taken = GAP;
    for (size_t c = 0; c + 1 < table->count; c++) {
        int width = 0, word = 0;
        for (size_t i = 0; i < table->row_count; i++) {
            const char *text = table->rows[i].cells[c];
            int n = length(text, strlen(text)), w = longest_word(text);
            width = n > width ? n : width;
            word = w > word ? w : word;
        }
        if (c > 0 && width > WIDEST)
            width = word > WIDEST ? word : WIDEST;
        widths[c] = width;
        taken += width > 0 ? width + GAP : 0;
    }
    return taken;
}

/* One line of a row: a piece of each cell that isn't used up. False if there was nothing left. */
static bool print_line(const char *cells[COLUMNS_MOST], const int widths[COLUMNS_MOST],
                       size_t count)
{
    int at = 0, column = GAP;
    bool any = false;
    for (size_t c = 0; c < count; c++) {
        size_t n = line_size(cells[c], widths[c]);
        if (n > 0) {
            printf("%*s%.*s", column - at, "", (int)n, cells[c]);
            at = column + length(cells[c], n);
            any = true;
        }
        /* the blanks before a name in the first column are its depth */
        cells[c] = c == 0 ? cells[c] + n : skip_blanks(cells[c] + n);
        column += widths[c] > 0 ? widths[c] + GAP : 0;
    }
    if (any)
        putchar('\n');
    return any;
}

static void print_below(const char *text, int screen)
{
    if (!text || !*text)
        return;
    printf("%*s", BELOW, "");
    columns_wrap(text, BELOW, BELOW, screen);
}

void columns_print(const struct columns *table, int screen)
{
    int widths[COLUMNS_MOST] = {0}, taken = measure(table, widths);
    bool below = screen - taken < LEAST_LAST;
    size_t last = table->count - 1, count = below ? last : table->count;
    widths[last] = screen - taken;
    for (size_t i = 0; i < table->row_count; i++) {
        const char *cells[COLUMNS_MOST];
        memcpy(cells, table->rows[i].cells, sizeof cells);
        while (print_line(cells, widths, count))
            ;
        if (below)
            print_below(cells[last], screen);
        print_below(table->rows[i].below, screen);
    }
}
