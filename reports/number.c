/* See number.h. */
#include "reports/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LARGEST_FIXED = 1e15;

static int bounded_digits(int digits)
{
    return digits < 0 ? 0 : digits > 12 ? 12 : digits;
}

double number_round(double x, int digits)
{
    if (!isfinite(x) || fabs(x) >= LARGEST_FIXED)
        return x;
    char text[NUMBER_SIZE];
    snprintf(text, sizeof text, "%.*f", bounded_digits(digits), x);
    return strtod(text, NULL) + 0.0;
}

/* Puts a comma before each third digit of the whole part. */
static void add_commas(char text[NUMBER_SIZE])
{
    size_t start = text[0] == '-' || text[0] == '+';
    size_t whole = strspn(text + start, "0123456789");
    for (size_t i = whole; i > 3; i -= 3) {
        char *at = text + start + i - 3;
        memmove(at + 1, at, strlen(at) + 1);
        *at = ',';
    }
}

void number_format(char text[NUMBER_SIZE], double x, int digits, bool sign, bool commas)
{
    text[0] = 0;
    if (!isfinite(x))
        return;
    if (fabs(x) >= LARGEST_FIXED) {
        snprintf(text, NUMBER_SIZE, "%.1e", x);
        return;
    }
    double shown = number_round(x, digits);
    if (shown == 0)
        shown = 0; /* not -0 */
    snprintf(text, NUMBER_SIZE, sign && shown != 0 ? "%+.*f" : "%.*f", bounded_digits(digits),
             shown);
    if (commas)
        add_commas(text);
}

void number_seconds(char text[NUMBER_SIZE], double s)
{
    if (!isfinite(s) || s < 0)
        text[0] = 0;
    else if (s < 9.95)
        snprintf(text, NUMBER_SIZE, "%.2f s", s);
    else if (s < 59.5)
        snprintf(text, NUMBER_SIZE, "%.0f s", s);
    else if (s < 3570)
        snprintf(text, NUMBER_SIZE, "%d min %02d s", (int)((s + 0.5) / 60), (int)fmod(s + 0.5, 60));
    else
        snprintf(text, NUMBER_SIZE, "%.0f h %02d min", floor((s + 30) / 3600),
                 (int)(fmod(s + 30, 3600) / 60));
}

void number_bytes(char text[NUMBER_SIZE], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    text[0] = 0;
    if (!isfinite(bytes) || bytes < 0)
        return;
    for (; bytes >= 1023.5 && u < 4; u++)
        bytes /= 1024;
    snprintf(text, NUMBER_SIZE, u >= 3 || (u && bytes < 10) ? "%.1f %s" : "%.0f %s", bytes,
             units[u]);
}
