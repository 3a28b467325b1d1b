/* See contact_sheet.h. Captions are drawn in a 3x5 pixel font, so that no font library is needed.
 */
#include "stages/noise/contact_sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "stages/data/formats.h"
#include "stages/data/grey_png.h"

enum {
    GAP = 2,
    CAPTION_HEIGHT = 7, /* 5 pixels of text, 1 above and 1 below */
    CELL_WIDTH = FACE_SIZE + GAP,
    CELL_HEIGHT = FACE_SIZE + CAPTION_HEIGHT + GAP,
    GLYPH_WIDTH = 3,
    GLYPH_HEIGHT = 5,
    PAPER = 255,
    INK = 0,
};

/* A glyph has five rows of three pixels; each octal digit is a row, from the top. */
static const struct {
    char letter;
    unsigned short rows;
} glyphs[] = {
    {'0', 075557}, {'1', 026227}, {'2', 071747}, {'3', 071717}, {'4', 055711}, {'5', 074717},
    {'6', 074757}, {'7', 071122}, {'8', 075757}, {'9', 075717}, {'.', 000002}, {'-', 000700},
    {'A', 025755}, {'B', 065656}, {'C', 034443}, {'D', 065556}, {'E', 074647}, {'F', 074644},
    {'G', 034553}, {'H', 055755}, {'I', 072227}, {'J', 011152}, {'K', 055655}, {'L', 044447},
    {'M', 057755}, {'N', 065555}, {'O', 025552}, {'P', 065644}, {'Q', 025563}, {'R', 065655},
    {'S', 034216}, {'T', 072222}, {'U', 055557}, {'V', 055552}, {'W', 055775}, {'X', 055255},
    {'Y', 055222}, {'Z', 071247},
};

static unsigned glyph_rows(char letter)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].letter == letter)
            return glyphs[i].rows;
    return 0;
}

static void draw_glyph(uint8_t *at, size_t stride, char letter)
{
    unsigned rows = glyph_rows(letter);
    for (int y = 0; y < GLYPH_HEIGHT; y++)
        for (int x = 0; x < GLYPH_WIDTH; x++)
            if (rows >> (3 * (GLYPH_HEIGHT - 1 - y) + (GLYPH_WIDTH - 1 - x)) & 1)
                at[(size_t)y * stride + (size_t)x] = INK;
}

static void draw_cell(uint8_t *at, size_t stride, const struct sheet_cell *cell)
{
    for (size_t y = 0; y < FACE_SIZE; y++)
        memcpy(at + y * stride, cell->pixels + y * FACE_SIZE, FACE_SIZE);
    uint8_t *caption = at + (FACE_SIZE + 1) * stride;
    for (size_t i = 0; i < CAPTION_CHARS && cell->caption[i]; i++)
        draw_glyph(caption + i * (GLYPH_WIDTH + 1), stride, cell->caption[i]);
}

int sheet_write(const char *path, const struct sheet_cell *cells, size_t n, struct error *err)
{
    if (n > SHEET_MAX_IMAGES)
        return error_set(err, EINVAL, "%s: %zu images, expected at most %d", path, n,
                         SHEET_MAX_IMAGES);
    size_t lines = n == 0 ? 1 : (n + SHEET_COLUMNS - 1) / SHEET_COLUMNS;
    size_t width = SHEET_COLUMNS * CELL_WIDTH + GAP, height = lines * CELL_HEIGHT + GAP;
    uint8_t *canvas = malloc(width * height);
    if (!canvas)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    memset(canvas, PAPER, width * height);
    for (size_t i = 0; i < n; i++) {
        size_t x = i % SHEET_COLUMNS * CELL_WIDTH + GAP, y = i / SHEET_COLUMNS * CELL_HEIGHT + GAP;
        draw_cell(canvas + y * width + x, width, &cells[i]);
    }
    int rc = grey_png_write(path, canvas, (unsigned)width, (unsigned)height, err);
    free(canvas);
    return rc;
}
